"""Hooks that write down when they ran, what they were given and where."""
import json

KINDS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")

SCRIPT = """#!/bin/sh
# usage: hook.sh FOLDER NAME EXIT_CODE SLEEP
cat > "$1/$2.json"
echo "$2" >> "$1/order"
env > "$1/$2.env"
readlink /proc/self/ns/mnt > "$1/$2.mnt"
readlink /proc/self/ns/net > "$1/$2.net"
pwd > "$1/$2.cwd"
case "$4" in 0) ;; *) exec sleep "$4" ;; esac
[ "$3" = 0 ] || echo "hook $2 says no" >&2
exit "$3"
"""


class HookRecorder:
    """Adds recording hooks to a bundle; the records are shared with the container, where startContainer hooks run."""

    def __init__(self, bundle, folder):
        self.bundle = bundle
        self.folder = folder
        folder.mkdir()
        folder.chmod(0o777)
        self.script = folder / "hook.sh"
        self.script.write_text(SCRIPT)
        self.script.chmod(0o755)
        bundle.mount(folder, "bind", folder, ["rbind", "rw"])

    def add(self, kind, name=None, code=0, sleep=0, **fields):
        argv = ["hook", str(self.folder), name or kind, str(code), str(sleep)]
        hook = {"path": str(self.script), "args": argv, "env": ["PATH=/bin:/usr/bin", f"HOOK_KIND={kind}"], **fields}
        self.bundle.spec.setdefault("hooks", {}).setdefault(kind, []).append(hook)
        return self

    def add_all(self):
        for kind in KINDS:
            self.add(kind)
        return self

    def order(self):
        path = self.folder / "order"
        return path.read_text().split() if path.exists() else []

    def state(self, name):
        return json.loads((self.folder / f"{name}.json").read_text())

    def text(self, name, ending):
        return (self.folder / f"{name}.{ending}").read_text().strip()
