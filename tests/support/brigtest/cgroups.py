"""Where the cgroups of a process are, on v1, v2 and hybrid hosts."""
import os
from pathlib import Path
from typing import NamedTuple


class Hierarchy(NamedTuple):
    mount: Path
    version: int
    name: str  # of the controllers as /proc/PID/cgroup writes them; empty on v2


def _mounts():
    for line in open("/proc/self/mountinfo"):
        before, after = line.rstrip("\n").split(" - ")
        kind, _, options = after.split(" ", 2)
        yield Path(before.split(" ")[4]), kind, options.split(" ")[-1].split(",")


def hierarchies():
    """Controller -> Hierarchy.  "name=systemd" and "unified" (v2) are there too, when they are mounted."""
    found = {}
    known = {line.split()[0] for line in open("/proc/cgroups") if not line.startswith("#")}
    for mount, kind, options in _mounts():
        if kind == "cgroup":
            names = [option for option in options if option in known or option.startswith("name=")]
            for name in names:
                found.setdefault(name, Hierarchy(mount, 1, ",".join(names)))
        elif kind == "cgroup2":
            found.setdefault("unified", Hierarchy(mount, 2, ""))
            for name in (mount / "cgroup.controllers").read_text().split():
                found.setdefault(name, Hierarchy(mount, 2, ""))
    return found


def has_v1():
    return any(place.version == 1 for place in hierarchies().values())


def is_pure_v2():
    return not has_v1() and "unified" in hierarchies()


def of_process(pid):
    """Controller -> folder of the cgroup that `pid` is in."""
    paths = {}
    for line in open(f"/proc/{pid}/cgroup"):
        _, names, path = line.rstrip("\n").split(":", 2)
        paths[names] = path
    return {controller: place.mount / paths[place.name].lstrip("/")
            for controller, place in hierarchies().items() if place.name in paths}


def folders_with(text):
    """All cgroup folders with `text` in their path below the mount."""
    found = set()
    for mount in {place.mount for place in hierarchies().values()}:
        found.update(str(mount) + path for path in _below(str(mount), "") if text in path)
    return found


def _below(mount, path):
    """Paths of all cgroups below; kernfs counts sub-folders in the links, so leaves with their many files are not read."""
    try:
        if os.stat(mount + path).st_nlink <= 2:
            return
        names = [entry.name for entry in os.scandir(mount + path) if entry.is_dir(follow_symlinks=False)]
    except OSError:  # removed meanwhile
        return
    for name in names:
        yield f"{path}/{name}"
        yield from _below(mount, f"{path}/{name}")
