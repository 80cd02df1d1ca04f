"""A guest that is booted for one command and gone when it ends.

Files go in as a tar archive on a second disk, unpacked by the guest at the same paths; what the command prints comes out of a
serial line while it runs. No network, no shared folder: nothing that a test does in the guest can reach this machine.
"""
import io
import os
import re
import select
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time

UNIT = "brig-guest.service"
# guest-main says the exit code behind it.
END = b"\0"


class MachineError(Exception):
    """The machine did not do its part: whatever the tests are, they have not been run to their end."""


class Machine:
    """`guest` is the folder that make-guest filled. Subclasses know how to boot it."""

    name = ""

    def __init__(self, guest, scratch):
        self.guest = guest
        self.folder = tempfile.mkdtemp(prefix=f"{self.name}-", dir=scratch)
        self.archive = os.path.join(self.folder, "files.tar")
        self.console = os.path.join(self.folder, "console.log")

    def command(self):
        """argv of a program that writes the second serial line to its standard output."""
        raise NotImplementedError

    def run(self, files, command, show, timeout):
        """Runs `command` with `files` (paths of this machine) there; show(bytes) gets its output. Returns its exit code."""
        try:
            self._pack(files, command)
            return self._boot(show, time.monotonic() + timeout)
        finally:
            shutil.rmtree(self.folder)

    def _pack(self, files, command):
        with tarfile.open(self.archive, "w") as archive:
            for path in files:
                archive.add(path, filter=without_caches)
            script = tarfile.TarInfo("guest-command")
            script.mode = 0o755
            script.size = len(command)
            archive.addfile(script, io.BytesIO(command))

    def _boot(self, show, deadline):
        with open(self.console, "ab") as console:
            # A pid namespace ends with its first process: no part of the machine outlives it.
            process = subprocess.Popen(["unshare", "--pid", "--fork", "--kill-child=KILL", *self.command()],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=console,
                                       env={**os.environ, "TMPDIR": self.folder}, start_new_session=True)
        with process.stdout:
            try:
                return self._follow(process.stdout.fileno(), show, deadline)
            finally:
                process.kill()
                process.wait()

    def _follow(self, reader, show, deadline):
        code = None
        while code is None or not code.endswith(b"\n"):
            ready, _, _ = select.select([reader], [], [], max(0, deadline - time.monotonic()))
            piece = os.read(reader, 65536) if ready else b""
            if not piece:
                raise MachineError(f"{'the guest ended early' if ready else 'the time is up'}; its console says:\n{self._console_end()}")
            if code is None:
                text, end, rest = piece.partition(END)
                show(text)
                code = rest if end else None
            else:
                code += piece
        return int(code)

    def _console_end(self):
        with open(self.console, errors="replace") as file:
            return "".join(file.readlines()[-30:])


class UserMode(Machine):
    """Linux as a process: quick, one processor, controllers cpu io memory pids, no IP tables."""

    name = "uml"

    @staticmethod
    def obstacle(guest):
        return None if os.path.exists(os.path.join(guest, "uml", "linux")) else "user-mode Linux could not be fetched"

    def command(self):
        libraries = os.path.join(self.guest, "uml")
        # The kernel is a program that needs a newer C library than this machine's: it finds its own in a mount namespace.
        # It measures its heap at the start, so it has to be executed itself, not through that library's loader.
        start = 'mount --bind "$0/ld-linux-x86-64.so.2" /lib64/ld-linux-x86-64.so.2 && LD_LIBRARY_PATH=$0 TMPDIR=/dev/shm exec "$@"'
        return ["unshare", "--mount", "bash", "-c", start, libraries, f"{libraries}/linux", "mem=3g", f"umid=brig{os.getpid()}", f"uml_dir={self.folder}/",
                f"ubd0={self.folder}/overlay,{self.guest}/disk.ext4", f"ubd1r={self.archive}", "root=/dev/ubda", "rootfstype=ext4",
                "rw", "con=null", "con0=null,fd:2", "ssl=null", "ssl1=null,fd:1", "seccomp=on", "quiet", "panic=1",
                "lsm=apparmor", "systemd.show_status=0", f"systemd.unit={UNIT}"]


class Qemu(Machine):
    """An emulated PC with Debian's cloud kernel: slow, two processors, all controllers, IP tables."""

    name = "qemu"

    @staticmethod
    def obstacle(guest):
        return None if shutil.which("qemu-system-x86_64") else "qemu-system-x86_64 is missing: run tools/deps --vm"

    def command(self):
        # thread=single: with a thread for each processor the kernel's patching of its own code goes wrong now and then.
        return ["qemu-system-x86_64", "-accel", "tcg,thread=single,tb-size=512", "-M", "q35", "-cpu", "max", "-smp", "2", "-m", "3G",
                "-kernel", f"{self.guest}/qemu/vmlinux", "-append",
                "console=ttyS0 root=/dev/nvme0n1 rootfstype=ext4 rw mitigations=off quiet panic=-1 systemd.show_status=0 systemd.unit=" + UNIT,
                "-drive", f"file={self.guest}/disk.ext4,format=raw,file.locking=off,if=none,id=root,snapshot=on,cache=unsafe",
                "-device", "nvme,drive=root,serial=root",
                "-drive", f"file={self.archive},format=raw,if=none,id=files,readonly=on",
                # Not a second nvme: the kernel numbers those as their probes end.
                "-device", "virtio-blk-pci,drive=files", "-device", "virtio-rng-pci",
                "-display", "none", "-nodefaults", "-no-reboot", "-serial", f"file:{self.console}", "-serial", "stdio"]


MACHINES = {"uml": UserMode, "qemu": Qemu}


def without_caches(member):
    return None if os.path.basename(member.name) in ("__pycache__", ".git", ".pytest_cache") else member
