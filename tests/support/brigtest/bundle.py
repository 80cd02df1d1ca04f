"""A bundle in a folder of its own: config.json as a dict, and a root file system of busybox and the probe."""
import copy
import json
import os
import shutil
from pathlib import Path

from . import settings

APPLETS = ("sh ash cat ls sleep true false echo id mount umount touch mkdir rm ln stat readlink test env pwd hostname "
           "kill ps wc head tail sed grep chmod chown dd sync sort tr stty tty sysctl ip nproc vi su setsid").split()

PASSWD = ("root:x:0:0:root:/root:/bin/sh\n"
          "tester:x:1000:1000:tester:/home/tester:/bin/sh\n"
          "nohome:x:1001:1001:nohome::/bin/sh\n")
GROUP = "root:x:0:\ntty:x:5:\ntester:x:1000:\nextra:x:2000:tester\n"

DEFAULT_CAPABILITIES = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]


def _mount(destination, kind, source, *options):
    return {"destination": destination, "type": kind, "source": source, "options": list(options)}


def default_spec():
    """The same as `runc spec` writes, without a terminal."""
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False,
            "user": {"uid": 0, "gid": 0},
            "args": ["sh"],
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
            "cwd": "/",
            "capabilities": {name: list(DEFAULT_CAPABILITIES) for name in ("bounding", "effective", "permitted")},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
            "noNewPrivileges": True,
        },
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "contained",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            _mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
            _mount("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620",
                   "gid=5"),
            _mount("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777", "size=65536k"),
            _mount("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"),
            _mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro"),
            _mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", "ro"),
        ],
        "linux": {
            "resources": {"devices": [{"allow": False, "access": "rwm"}]},
            "namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")],
            "maskedPaths": ["/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
                            "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware",
                            "/proc/scsi"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
        },
    }


class Bundle:
    """`spec` may be edited freely; Runtime writes it to config.json before each create and run."""

    def __init__(self, path):
        self.path = Path(path)
        self.rootfs = self.path / "rootfs"
        self.config = self.path / "config.json"
        self.spec = default_spec()
        self._make_root_filesystem()
        self.files_before = set(os.listdir(self.path)) | {"config.json"}

    def _make_root_filesystem(self):
        for folder in ("bin", "proc", "sys", "dev", "etc", "root", "run", "home/tester", "var"):
            (self.rootfs / folder).mkdir(parents=True)
        (self.rootfs / "tmp").mkdir()
        (self.rootfs / "tmp").chmod(0o1777)
        os.chown(self.rootfs / "home/tester", 1000, 1000)
        shutil.copy2("/bin/busybox", self.rootfs / "bin/busybox")
        shutil.copy2(settings.probe_path(), self.rootfs / "bin/probe")
        for applet in APPLETS:
            (self.rootfs / "bin" / applet).symlink_to("busybox")
        (self.rootfs / "etc/passwd").write_text(PASSWD)
        (self.rootfs / "etc/group").write_text(GROUP)

    @property
    def process(self):
        return self.spec["process"]

    @property
    def linux(self):
        return self.spec["linux"]

    def args(self, *argv):
        self.process["args"] = list(argv)
        return self

    def set(self, dotted, value):
        """set("linux.resources.pids.limit", 5): the folders on the way are made when they are not there."""
        *folders, last = dotted.split(".")
        place = self.spec
        for folder in folders:
            place = place.setdefault(folder, {})
        place[last] = value
        return self

    def drop(self, dotted):
        *folders, last = dotted.split(".")
        place = self.spec
        for folder in folders:
            place = place[folder]
        del place[last]
        return self

    def mount(self, destination, kind=None, source=None, options=None):
        entry = {"destination": str(destination)}
        entry.update({key: value for key, value in
                      (("type", kind), ("source", source and str(source)), ("options", options)) if value is not None})
        self.spec["mounts"].append(entry)
        return self

    def namespace(self, kind, path=None, remove=False):
        """Add, replace (with a path) or remove a namespace entry."""
        entries = [entry for entry in self.linux["namespaces"] if entry["type"] != kind]
        if not remove:
            entries.append({"type": kind, "path": str(path)} if path else {"type": kind})
        self.linux["namespaces"] = entries
        return self

    def in_user_namespace(self, first=100000, size=65536):
        """With a user namespace whose ids from 0 on are the host's from `first` on."""
        self.namespace("user")
        for kind in ("uidMappings", "gidMappings"):
            self.set(f"linux.{kind}", [{"containerID": 0, "hostID": first, "size": size}])
        return self

    def capabilities(self, **sets):
        """Replace the capability sets; a set that is not named becomes empty."""
        self.process["capabilities"] = {name: list(sets.get(name, [])) for name in
                                        ("bounding", "effective", "permitted", "inheritable", "ambient")}
        return self

    def all_capabilities(self):
        """What a privileged container has on this host."""
        return self.capabilities(**{name: host_capabilities() for name in ("bounding", "effective", "permitted")})

    def file(self, path, text="", mode=0o644):
        """A file in the root file system."""
        target = self.rootfs / str(path).lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)
        return target

    def write(self):
        self.config.write_text(json.dumps(self.spec))
        return self

    def copy_spec(self):
        return copy.deepcopy(self.spec)


def host_capabilities():
    names = ("CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE "
             "NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT "
             "SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE "
             "AUDIT_WRITE AUDIT_CONTROL SETFCAP").split()
    mask = next(int(line.split()[1], 16) for line in open("/proc/self/status") if line.startswith("CapBnd"))
    return [f"CAP_{name}" for bit, name in enumerate(names) if mask & (1 << bit)]
