"""What a test needs of the host, and which tests are about brig alone."""
import functools
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from . import cgroups, settings


def _has_capability(bit):
    mask = next(int(line.split()[1], 16) for line in open("/proc/self/status") if line.startswith("CapEff"))
    return bool(mask & (1 << bit))


def _swap_accounting():
    place = cgroups.hierarchies().get("memory")
    return place is not None and (place.version == 2 or (place.mount / "memory.memsw.limit_in_bytes").exists())


def _ps_knows_the_boot_time():
    return subprocess.run(["ps", "-ef"], capture_output=True, check=False).returncode == 0


def _has_landlock():
    import ctypes
    create_ruleset, only_version = 444, 1
    return ctypes.CDLL(None).syscall(create_ruleset, None, 0, only_version) >= 3


def _is_a_machines_kernel():
    """User-mode Linux has no perf events, no numbers of other architectures, no filters to read back, and a vDSO that asks the kernel."""
    return "User Mode Linux" not in Path("/proc/cpuinfo").read_text()


def _iptables_work():
    return subprocess.run(["iptables", "-t", "nat", "-n", "-L", "OUTPUT"], capture_output=True, check=False).returncode == 0


def _has_memory_policies():
    import ctypes
    get_mempolicy = 239
    return ctypes.CDLL(None).syscall(get_mempolicy, None, None, 0, None, 0) == 0


def _real_time_is_allowed():
    """Not in a cgroup of a kernel with CONFIG_RT_GROUP_SCHED, unless it has a budget, which only cgroup v1 can give."""
    if cgroups.hierarchies()["cpu"].version == 1:
        return True
    become = "import os; os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))"
    return subprocess.run(["/usr/bin/python3", "-c", become], capture_output=True, check=False).returncode == 0


@functools.cache
def criu_program():
    """A CRIU that works on this kernel: the host's, or the one that tools/newer-criu put into build/criu; or None."""
    candidates = [os.environ.get("BRIG_CRIU"), shutil.which("criu", path=os.environ["PATH"] + ":/usr/sbin:/sbin"),
                  settings.CHECKOUT / "build" / "criu" / "bin" / "criu"]
    for candidate in filter(None, candidates):
        if os.access(candidate, os.X_OK) and subprocess.run([candidate, "check"], capture_output=True).returncode == 0:
            return str(candidate)
    return None


# A process moves with lazy pages, CRIU alone: 4.2.1 fails at it on some kernels ("page-pipe: splice: Bad file descriptor").
LAZY_MOVE = """
cd "$1" && mkdir images
setsid sleep 60 < /dev/null > /dev/null 2>&1 & moved=$!
sleep 0.3
timeout 10 "$2" dump -t $moved -D images --lazy-pages --address 127.0.0.1 --port "$3" & source=$!
sleep 1
timeout 10 "$2" lazy-pages --page-server --address 127.0.0.1 --port "$3" -D images & daemon=$!
sleep 0.5
timeout 10 unshare --pid --fork --kill-child --mount-proc "$2" restore -D images --lazy-pages -d; code=$?
wait $source $daemon
kill -9 $moved
exit $code
"""


@functools.cache
def _lazy_pages():
    if criu_program() is None:
        return False
    with tempfile.TemporaryDirectory(prefix=settings.TAG) as folder, socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
        free.close()
        return subprocess.run(["bash", "-c", LAZY_MOVE, "lazy-move", folder, criu_program(), port], capture_output=True,
                              check=False).returncode == 0


def _is_host_root():
    first_user_namespace = 0xEFFFFFFD  # PROC_USER_INIT_INO of include/linux/proc_ns.h
    return os.geteuid() == 0 and os.stat("/proc/self/ns/user").st_ino == first_user_namespace


# name -> (check, what is missing when it fails)
NEEDS = {
    "root": (lambda: os.geteuid() == 0, "needs root"),
    "host_root": (_is_host_root, "needs root in the host's own user namespace"),
    "cgroup_v1": (cgroups.has_v1, "needs a cgroup v1 controller"),
    "cgroup_v2": (cgroups.is_pure_v2, "needs a pure cgroup v2 host"),
    "swap_accounting": (_swap_accounting, "needs swap accounting in the memory cgroup"),
    "CAP_SYS_RESOURCE": (lambda: _has_capability(24), "needs CAP_SYS_RESOURCE"),
    "CAP_SYS_ADMIN": (lambda: _has_capability(21), "needs CAP_SYS_ADMIN"),
    "timens": (lambda: os.path.exists("/proc/self/ns/time"), "needs a kernel with time namespaces"),
    "boot_time": (_ps_knows_the_boot_time, "needs a kernel that tells ps its boot time"),
    "criu": (lambda: criu_program() is not None, "needs a CRIU that works on this kernel: tools/newer-criu build/criu"),
    "lazy_pages": (_lazy_pages, "needs a CRIU whose lazy pages work on this kernel"),
    "iptables": (_iptables_work, "needs iptables with a table nat"),
    "machine_kernel": (_is_a_machines_kernel, "needs another kernel than user-mode Linux"),
    "memory_policy": (_has_memory_policies, "needs a kernel with NUMA"),
    "real_time": (_real_time_is_allowed, "needs a cgroup that may schedule in real time"),
    "landlock": (_has_landlock, "needs Linux 6.2 with Landlock"),
    "two_cpus": (lambda: len(os.sched_getaffinity(0)) > 1, "needs two CPUs"),
}


def missing(name):
    """Why `name` is not there, or None.  `controller:X` and `program:X` are known besides the table above."""
    if name.startswith("controller:"):
        controller = name.partition(":")[2]
        return None if controller in cgroups.hierarchies() else f"needs the cgroup controller {controller}"
    if name.startswith("program:"):
        program = name.partition(":")[2]
        return None if shutil.which(program) else f"needs the program {program}"
    check, words = NEEDS[name]
    return None if check() else words


def requires(*names):
    """Decorator and mark: skip, with words, where the host lacks something.  BRIG_TESTS_MUST_RUN=1 forbids skips."""
    return pytest.mark.requires(*names)


def brig_only(reason, *row):
    """Not run against a reference runtime, for the reason given.

    Used as @brig_only("reason") on a test, or as brig_only("reason", value, ...) for one row of a parametrized one.
    """
    mark = pytest.mark.brig_only(reason)
    return pytest.param(*row, marks=mark) if row else mark
