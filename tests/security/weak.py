"""The positive control as a runtime: reads the same bundle, sets it up with weak_runtime.c, which has no defence."""

import contextlib
import dataclasses
import glob
import subprocess

NAMESPACE_FLAGS = {"mount": 0x20000, "uts": 0x4000000, "ipc": 0x8000000, "pid": 0x20000000, "network": 0x40000000}
MOUNT_FLAGS = {"ro": 1, "nosuid": 2, "nodev": 4, "noexec": 8, "bind": 4096, "rbind": 4096 | 16384,
               "strictatime": 1 << 24, "relatime": 1 << 21}
DEFAULT_DEVICES = [("null", 3), ("zero", 5), ("full", 7), ("random", 8), ("urandom", 9)]


@dataclasses.dataclass
class Outcome:
    """What came of starting a container: `code` is not 0 when it was refused, or its program failed."""
    code: int
    out: str
    err: str

    def __str__(self):
        return f"exit code {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


def _mount_step(mount):
    flags, data = 0, []
    for option in mount.get("options", []):
        if option in MOUNT_FLAGS:
            flags |= MOUNT_FLAGS[option]
        elif "=" in option or option == "newinstance":
            data.append(option)
    kind = mount.get("type", "none")
    if kind == "bind":
        flags |= 4096
    return ["mount", kind, mount.get("source", "none"), mount["destination"], str(flags), ",".join(data)]


def setup_steps(bundle, leak=(), linger=0, before_pivot=(), before_exec=()):
    """The steps of weak_runtime.c for a bundle; cgroup mounts, hooks, limits and filters are left out."""
    spec = bundle.spec
    flags = sum(NAMESPACE_FLAGS.get(entry["type"], 0) for entry in spec["linux"]["namespaces"] if not entry.get("path"))
    steps = ["unshare", hex(flags), "fork"] + [word for folder in leak for word in ("leak", str(folder))]
    steps += ["root", str(bundle.rootfs), "linger", str(linger)]
    for mount in spec["mounts"]:
        if mount.get("type") != "cgroup":
            steps += _mount_step(mount)
    for name, minor in DEFAULT_DEVICES:
        steps += ["device", f"dev/{name}", "c", "1", str(minor)]
    for path in spec["linux"].get("maskedPaths", []):
        steps += ["mask", path]
    for name, value in spec["linux"].get("sysctl", {}).items():
        steps += ["write", "proc/sys/" + name.replace(".", "/"), value]
    steps += [*before_pivot, "pivot", "directory", spec["process"]["cwd"], *before_exec]
    user = spec["process"]["user"]
    if user["uid"] != 0:
        steps += ["user", f"{user['uid']}:{user['gid']}"]
    return steps


class WeakRuntime:
    def __init__(self, program):
        self.program = str(program)
        self._spawned = []

    def run(self, bundle, pass_fds=(), program=None, **options):
        """`program`: another copy of the weak runtime, for attacks on its file."""
        command = [program or self.program, *setup_steps(bundle, **options), "--", *absolute(bundle.process["args"])]
        result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                                check=False, pass_fds=pass_fds, cwd="/")
        return Outcome(result.returncode, result.stdout, result.stderr)

    def start(self, bundle, stdout=subprocess.PIPE, **options):
        """A container that goes on, and the pid of its init."""
        command = [self.program, *setup_steps(bundle, **options), "--", *absolute(bundle.process["args"])]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.STDOUT, text=True,
                                   cwd="/")
        self._spawned.append(process)
        return process

    def join(self, pid, *argv, steps=(), program=None, pass_fds=()):
        """What `exec` was before it was careful."""
        command = [program or self.program, "join", str(pid), "fork", *steps, "--", *absolute(argv)]
        result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                                check=False, pass_fds=pass_fds, cwd="/")
        return Outcome(result.returncode, result.stdout, result.stderr)

    def close(self):
        for process in self._spawned:
            if process.poll() is None:
                process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()


def absolute(argv):
    """execv searches no PATH."""
    return [argv[0] if argv[0].startswith("/") else f"/bin/{argv[0]}", *argv[1:]]


def child_of(process, name):
    """The pid of the first descendant of `process` that runs a program called `name`; None while there is none."""
    for pid in _descendants([process.pid]):
        try:
            with open(f"/proc/{pid}/comm", encoding="ascii", errors="replace") as comm:
                if comm.read().strip() == name[:15]:
                    return pid
        except OSError:
            continue
    return None


def _descendants(pids):
    while pids:
        for children in glob.glob(f"/proc/{pids.pop(0)}/task/*/children"):
            with contextlib.suppress(OSError), open(children, encoding="ascii") as file:
                found = list(map(int, file.read().split()))
                pids += found
                yield from found
