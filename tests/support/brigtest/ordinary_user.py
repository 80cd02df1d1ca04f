"""An ordinary user who exists for the test alone: the host's passwd, subuid and subgid are covered in pytest's own mounts."""
import os
import shutil
import subprocess
from pathlib import Path

from . import settings

UID, GID = 64123, 64124
NAME = "brigtester"
FIRST_SUBORDINATE = 2000000
SUBORDINATE = (FIRST_SUBORDINATE, 65536)


class OrdinaryUser:
    """`prefix` runs a program as the user, without any capability, as a login would."""

    def __init__(self, folder):
        self.uid, self.gid, self.name = UID, GID, NAME
        self.folder = Path(folder)
        self.folder.mkdir(exist_ok=True)
        self.folder.chmod(0o755)
        self._covered = []
        self.prefix = ("setpriv", "--reuid", UID, "--regid", GID, "--clear-groups", "--inh-caps=-all")
        passwd = Path("/etc/passwd").read_text() + f"{NAME}:x:{UID}:{GID}::{folder}:/bin/sh\n"
        self.cover("/etc/passwd", passwd)
        self.cover("/etc/group", Path("/etc/group").read_text() + f"{NAME}:x:{GID}:\n")
        self.give_ids("", "")

    def give_ids(self, subuid=None, subgid=None):
        """Text of /etc/subuid and /etc/subgid; by default a range for the user."""
        usual = f"{NAME}:{SUBORDINATE[0]}:{SUBORDINATE[1]}\n"
        self.cover("/etc/subuid", usual if subuid is None else subuid)
        self.cover("/etc/subgid", usual if subgid is None else subgid)

    def cover(self, path, text, mode=0o644):
        """The file `path` of the host says `text`, for pytest and what it starts."""
        copy = self.folder / f"cover{len(self._covered)}"
        copy.write_text(text)
        copy.chmod(mode)
        subprocess.run(["mount", "--bind", copy, path], check=True)
        self._covered.append(path)

    def own(self, *paths):
        for path in paths:
            subprocess.run(["chown", "-hR", f"{self.uid}:{self.gid}", path], check=True)

    def program(self):
        """The runtime under test where the user can read it: a checkout may be closed to him."""
        binary = Path(settings.runtime_binary())
        for name in (binary.name, "brig-image"):
            if (binary.parent / name).exists() and not (self.folder / name).exists():
                shutil.copy(binary.parent / name, self.folder / name)
                (self.folder / name).chmod(0o755)
        return str(self.folder / binary.name)

    def run(self, *argv, **options):
        options = {"capture_output": True, "text": True, "timeout": 60, **options}
        return subprocess.run([*map(str, self.prefix), *map(str, argv)], check=False, **options)

    def close(self):
        for path in reversed(self._covered):
            subprocess.run(["umount", path], check=True)
