"""The bundle that is measured: what Docker hands to a runtime for `docker run --network=none -m -c --pids-limit`."""

import copy
import json
import os
import shutil

DOCKER_CAPABILITIES = [
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID", "CAP_SETUID",
    "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE",
]
DOCKER_MOUNTS = [
    {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
     "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
    {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
     "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
    {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
    {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec", "nodev"]},
    {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
     "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=67108864"]},
]
DOCKER_MASKED_PATHS = ["/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
                       "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
                       "/sys/devices/virtual/powercap"]
DOCKER_READONLY_PATHS = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
DOCKER_DEVICE_RULES = [
    {"allow": False, "access": "rwm"},
    {"allow": True, "type": "c", "major": 1, "minor": 5, "access": "rwm"},
    {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rwm"},
    {"allow": True, "type": "c", "major": 1, "minor": 9, "access": "rwm"},
    {"allow": True, "type": "c", "major": 1, "minor": 8, "access": "rwm"},
    {"allow": True, "type": "c", "major": 5, "minor": 0, "access": "rwm"},
    {"allow": True, "type": "c", "major": 5, "minor": 1, "access": "rwm"},
    {"allow": False, "type": "c", "major": 10, "minor": 229, "access": "rwm"},
]


def docker_like_config(arguments, seccomp, cgroups_path):
    capabilities = {name: list(DOCKER_CAPABILITIES) for name in ("bounding", "effective", "permitted")}
    return {
        "ociVersion": "1.0.2",
        "process": {"user": {"uid": 0, "gid": 0}, "args": arguments, "cwd": "/", "env": ["PATH=/bin", "HOME=/"],
                    "capabilities": capabilities, "oomScoreAdj": 0},
        "root": {"path": "rootfs"},
        "hostname": "bench",
        "mounts": copy.deepcopy(DOCKER_MOUNTS),
        "linux": {
            "cgroupsPath": cgroups_path,
            "resources": {
                "devices": copy.deepcopy(DOCKER_DEVICE_RULES),
                "memory": {"limit": 268435456, "swap": 268435456},
                "cpu": {"shares": 1024, "quota": 100000, "period": 100000},
                "pids": {"limit": 100},
            },
            "namespaces": [{"type": kind} for kind in ("mount", "network", "uts", "pid", "ipc")],
            "seccomp": seccomp,
            "maskedPaths": DOCKER_MASKED_PATHS,
            "readonlyPaths": DOCKER_READONLY_PATHS,
        },
    }


def make_root_file_system(path, programs):
    """A root file system with nothing but the given static programs in /bin."""
    for name in ("bin", "dev", "etc", "proc", "sys", "tmp"):
        os.makedirs(os.path.join(path, name), exist_ok=True)
    for program in programs:
        shutil.copy(program, os.path.join(path, "bin"))
    return path


def make_bundle(path, root, arguments, seccomp, cgroups_path):
    """Bundles share one root file system, as containers share an image's page cache."""
    os.makedirs(path)
    config = docker_like_config(arguments, seccomp, cgroups_path)
    config["root"]["path"] = root
    with open(os.path.join(path, "config.json"), "w", encoding="ascii") as file:
        json.dump(config, file)
    return path
