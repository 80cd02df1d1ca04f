"""What a test leaves behind: mounts, cgroups, processes, files of the runtime.

Every process that a test starts is adopted by pytest (a child subreaper), and mounts are seen in a private mount
namespace, so that whatever is new belongs to the test.  Cgroups are shared with the whole host: those with the tag of this
run count, or all of them with BRIG_TESTS_ALONE=1.
"""
import contextlib
import ctypes
import os
import signal
import subprocess
import threading
import weakref

from . import cgroups, settings
from .waiting import wait_until

CLONE_NEWNS = 0x20000
MS_REC, MS_SLAVE = 0x4000, 0x80000
MNT_DETACH = 2
PR_SET_CHILD_SUBREAPER = 36

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result, call):
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{call}: {os.strerror(error)}")


def enter_private_mounts():
    """A mount namespace of our own: mounts of neighbours do not come in later unless the host shares them."""
    _checked(_libc.unshare(CLONE_NEWNS), "unshare(CLONE_NEWNS)")
    _checked(_libc.mount(b"none", b"/", None, MS_REC | MS_SLAVE, None), "mount(MS_REC|MS_SLAVE)")


_popens = weakref.WeakSet()  # processes whose exit status somebody may still ask for
_popens_lock = threading.RLock()  # tests start processes in threads; the handler of SIGCHLD may interrupt who holds it
_paused = False


def adopt_orphans():
    """Become the parent of whatever a runtime leaves, and reap it at once, as a containerd shim does.

    An exec'ed process has its parent outside the pid namespace: the namespace's init cannot end before it is reaped.
    Children must be made with subprocess.Popen, for others are taken for orphans.
    """
    _checked(_libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl(PR_SET_CHILD_SUBREAPER)")
    original = subprocess.Popen.__init__

    def remember(self, *arguments, **options):
        with _popens_lock:
            _popens.add(self)
        original(self, *arguments, **options)
        reap_orphans()  # what died while this object had no pid yet was left alone

    subprocess.Popen.__init__ = remember
    signal.signal(signal.SIGCHLD, lambda *_: reap_orphans())


@contextlib.contextmanager
def unreaped_orphans():
    """For tests that look at a dead process before its parent has."""
    global _paused
    _paused = True
    try:
        yield
    finally:
        _paused = False
        reap_orphans()


def reap_orphans():
    with _popens_lock:
        waited_for = {getattr(process, "pid", None) for process in _popens if process_is_unfinished(process)}
    if _paused or None in waited_for:
        return
    for pid in _children(os.getpid()):
        if pid not in waited_for and _is_zombie(pid):
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass


def process_is_unfinished(process):
    return getattr(process, "returncode", None) is None


def processes_named(*names):
    """The pids of all processes with one of these names, of zombies too."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if open(f"/proc/{pid}/comm").read().strip() in names:
                found.append(pid)
        except OSError:
            continue
    return found


def _mount_lines():
    return {line.split(" ", 1)[0]: line.strip() for line in open("/proc/self/mountinfo")}


def _children(pid):
    try:
        return [int(child) for task in os.listdir(f"/proc/{pid}/task")
                for child in open(f"/proc/{pid}/task/{task}/children").read().split()]
    except OSError:
        return []


def _is_zombie(pid):
    try:
        return open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def _living_children():
    return {pid for pid in _children(os.getpid()) if not _is_zombie(pid)}


def _describe(pid):
    try:
        words = open(f"/proc/{pid}/cmdline", "rb").read().replace(b"\0", b" ").decode(errors="replace")
        return f"process {pid}: {words or open(f'/proc/{pid}/comm').read().strip()}"
    except OSError:
        return f"process {pid}"


def _cgroup_folders():
    return cgroups.folders_with("" if os.environ.get("BRIG_TESTS_ALONE") == "1" else settings.TAG)


class Snapshot:
    def __init__(self):
        self.mounts = _mount_lines()
        self.children = _living_children()
        self.cgroups = _cgroup_folders()

    def settle(self):
        """Give killed processes a moment to end."""
        try:
            wait_until(lambda: _living_children() <= self.children, "processes to end", seconds=2)
        except AssertionError:
            pass
        reap_orphans()

    def leaks(self):
        """Words for each thing that is there now and was not."""
        self.settle()
        found = [f"mount {line}" for key, line in _mount_lines().items() if key not in self.mounts]
        found += [f"lost mount {line}" for key, line in self.mounts.items() if key not in _mount_lines()]
        found += [_describe(pid) for pid in _living_children() - self.children]
        found += [f"cgroup {path}" for path in sorted(_cgroup_folders() - self.cgroups)]
        return found

    def remove_leaks(self):
        """So that the next test starts clean: best effort, after the failure was recorded."""
        for pid in _living_children() - self.children:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        new = [line for key, line in _mount_lines().items() if key not in self.mounts]
        for line in reversed(new):
            _libc.umount2(line.split(" ")[4].encode().decode("unicode_escape").encode(), MNT_DETACH)
        for path in sorted(_cgroup_folders() - self.cgroups, reverse=True):
            _kill_cgroup(path)
        reap_orphans()


def _kill_cgroup(path):
    def gone():
        reap_orphans()
        try:
            for pid in open(f"{path}/cgroup.procs").read().split():
                os.kill(int(pid), signal.SIGKILL)
            os.rmdir(path)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True

    try:
        wait_until(gone, f"{path} to be removable", seconds=2)
    except AssertionError:
        pass
