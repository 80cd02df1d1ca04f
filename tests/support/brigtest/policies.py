"""The program installed in a prefix of the test's own, so that it finds policies that the test writes."""
import json
import os
import shutil
from pathlib import Path

from . import settings
from .runtime import Runtime

SHIPPED = settings.CHECKOUT / "policies"


class Installed:
    """bin/brig and share/brig/policies below `folder`; `under(NAME)` is the runtime called as brig-NAME."""

    def __init__(self, folder):
        self.folder = folder
        self.policies = folder / "share/brig/policies"
        self.binary = folder / "bin/brig"
        self.binary.parent.mkdir(parents=True)
        shutil.copy2(settings.runtime_binary(), self.binary)
        shutil.copytree(SHIPPED, self.policies)
        images = Path(settings.runtime_binary()).with_name("brig-image")
        if images.exists():
            (folder / "libexec/brig").mkdir(parents=True)
            shutil.copy2(images, folder / "libexec/brig")
        self.runtimes = {}

    def write(self, name, mode=0o644, **document):
        path = self.policies / f"{name}.json"
        path.write_text(json.dumps({"name": name, **document}))
        path.chmod(mode)
        return path

    def under(self, name=None):
        """All of them share the state root."""
        link = self.binary if name is None else self.binary.with_name(f"brig-{name}")
        if name is not None and not link.exists():
            link.symlink_to("brig")
        if name not in self.runtimes:
            folder = self.folder / f"calls-{name or 'brig'}"
            folder.mkdir()
            runtime = Runtime(folder, str(link))
            runtime.root = self.folder / "state"
            self.runtimes[name] = runtime
        return self.runtimes[name]

    def close(self):
        problems = [problem for runtime in self.runtimes.values() for problem in runtime.close()]
        state = self.folder / "state"
        left = sorted(set(os.listdir(state)) - {".filters"}) if state.is_dir() else []
        return problems + [f"left in the state root: {name}" for name in left]


def host_settings(folder, **settings_document):
    """A prefix for a call: /etc/brig/config.json says this, for the call and what it starts alone."""
    upper = folder / "host-etc"
    (upper / "brig").mkdir(parents=True, exist_ok=True)
    (upper / "brig/config.json").write_text(json.dumps(settings_document))
    mount = f"mount -t overlay overlay -o lowerdir={upper}:/etc /etc && exec \"$@\""
    return ["unshare", "--mount", "--propagation", "slave", "sh", "-c", mount, "sh"]
