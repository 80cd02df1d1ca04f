"""Filters that know one numbering of the system calls, and programs that use another one (CVE-2014-4508 class); socket
families and io_uring under the profile that ships (CVE-2026-31431).

The calls are made where this kernel makes them. The filter that is installed is also read back from the kernel and asked
about architectures that this machine does not run."""
import errno
import json

import pytest

from brigtest import wait_until
import seccomp_filter
from seccomp_filter import shipped_profile
from weak import child_of

DENIED = (errno.EPERM, errno.ENOSYS)
MKDIR = {"64": 83, "i386": 39}
SOCKET, SOCKETCALL = {"64": 41, "i386": 359}, 102
IO_URING = (425, 426, 427)
AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_ALG, AF_VSOCK = 1, 2, 10, 16, 17, 38, 40


def deny_list(*names):
    return {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
            "syscalls": [{"names": list(names), "action": "SCMP_ACT_ERRNO", "errnoRet": errno.EPERM}]}


def outcomes_in(outcome):
    assert outcome.code == 0, outcome
    return json.loads(outcome.out)


def passed(calls, *names):
    """Calls that came through the filter: the kernel's own ENOSYS for a door it does not have counts as not passed."""
    return [name for name in names if calls.get(name) not in ("EPERM", "ENOSYS", "SYS", "SEGV")]


@pytest.mark.requires("machine_kernel")
def test_numbers_of_another_architecture(target, attack_bundle):
    """A deny list of mkdir for x86_64: no other numbering makes the directory. The control compares the number alone."""
    bundle = attack_bundle("foreign_calls").args("/bin/foreign_calls").set("linux.seccomp", deny_list("mkdir"))
    (bundle.rootfs / "tmp").chmod(0o777)
    outcome = target.run(bundle, **({"before_exec": ["naive-filter", str(MKDIR["64"])]} if target.is_weak else {}))
    calls = outcomes_in(outcome)
    assert calls["64 mkdir"] == "EPERM", calls
    if target.is_weak:
        # Where the kernel has no second door, that the naive filter lets its numbers pass is what can be shown.
        assert calls["x32 getpid"] in ("ok", "ENOSYS")
        return
    assert not passed(calls, "x32 mkdir", "i386 mkdir", "x32 getpid", "i386 getpid"), calls
    assert not list(bundle.rootfs.glob("tmp/made-by-*"))


@pytest.fixture
def filters_of(runtime, attack_bundle, attacks):
    """filters_of(seccomp): the filters on the init of a container with that seccomp object."""
    def read(seccomp):
        container = runtime.running(attack_bundle().set("linux.seccomp", seccomp))
        filters = seccomp_filter.installed_filters(attacks / "dump_filter", container.pid)
        assert filters, "no filter is installed"
        return filters

    return read


def allows(filters, architecture, number, *arguments):
    return seccomp_filter.answer(filters, architecture, number, *arguments)[0] in (seccomp_filter.ALLOW, seccomp_filter.LOG)


@pytest.mark.requires("machine_kernel")
def test_installed_filter_refuses_unlisted_architectures(filters_of):
    """With x86_64 alone in the list, nothing of i386, x32 or ARM passes, whatever its number."""
    filters = filters_of(deny_list("mkdir"))
    assert allows(filters, "x86_64", 0) and not allows(filters, "x86_64", MKDIR["64"])
    for number in range(0, 470):
        assert not allows(filters, "i386", number), f"i386 call {number} passes"
        assert not allows(filters, "arm", number), f"arm call {number} passes"
        assert not allows(filters, "x86_64", number | seccomp_filter.X32_BIT), f"x32 call {number} passes"


@pytest.mark.requires("machine_kernel")
def test_control_naive_filter_is_found_out(weak, attack_bundle, attacks):
    """The same questions to a filter that compares the number alone: it lets the other architectures pass."""
    process = weak.start(attack_bundle().args("/bin/probe", "sleep"), before_exec=["naive-filter", str(MKDIR["64"])])
    pid = wait_until(lambda: child_of(process, "probe"), "the control's container to run")
    filters = seccomp_filter.installed_filters(attacks / "dump_filter", pid)
    assert not allows(filters, "x86_64", MKDIR["64"])
    assert allows(filters, "i386", MKDIR["i386"])
    assert allows(filters, "x86_64", MKDIR["64"] | seccomp_filter.X32_BIT)


def test_profile_in_the_container(runtime, attack_bundle):
    """The shipped profile on this kernel; without it (the control) the same calls reach the kernel."""
    free = runtime.run(attack_bundle("foreign_calls").args("/bin/foreign_calls")).json()
    bundle = attack_bundle("foreign_calls").args("/bin/foreign_calls").set("linux.seccomp", shipped_profile())
    calls = runtime.run(bundle).json()
    refused = ("64 socket AF_ALG", "64 socket AF_VSOCK", "64 io_uring_setup", "x32 socket AF_ALG", "x32 socket AF_VSOCK",
               "i386 socket AF_ALG", "i386 socket AF_VSOCK", "i386 io_uring_setup")
    assert not passed(calls, *refused), calls
    assert passed(free, "64 socket AF_ALG", "64 socket AF_VSOCK") == ["64 socket AF_ALG", "64 socket AF_VSOCK"], free
    assert calls["64 getpid"] == calls["64 mkdir"] == calls["64 socket AF_UNIX"] == "ok", calls


@pytest.mark.requires("machine_kernel")
def test_profile_as_installed(filters_of):
    """Families and io_uring by all three numberings; everyday families pass."""
    filters = filters_of(shipped_profile())
    for architecture, door in (("x86_64", "64"), ("i386", "i386")):
        for family in (AF_ALG, AF_VSOCK, 46, 255, 0xFFFFFFFF):
            assert not allows(filters, architecture, SOCKET[door], family, 1), f"{architecture} socket({family}) passes"
        for family in (AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET):
            assert allows(filters, architecture, SOCKET[door], family, 1), f"{architecture} socket({family}) is refused"
        for number in IO_URING:
            assert not allows(filters, architecture, number)
    assert not allows(filters, "x86_64", SOCKET["64"] | seccomp_filter.X32_BIT, AF_VSOCK, 1)
    # A 32-bit number in a 64-bit register: the upper half must not hide the family.
    assert not allows(filters, "x86_64", SOCKET["64"], AF_VSOCK | 1 << 32, 1)


@pytest.mark.requires("machine_kernel")
def test_profile_without_32_bit_closes_socketcall(filters_of):
    """A filter cannot see the family behind socketcall's pointer; dropping the 32-bit architectures closes that door.
    With them (the control, and what Docker ships) it is open."""
    assert allows(filters_of(shipped_profile()), "i386", SOCKETCALL, 1)
    strict = filters_of(dict(shipped_profile(), architectures=["SCMP_ARCH_X86_64"]))
    assert not allows(strict, "i386", SOCKETCALL, 1)
    assert not allows(strict, "i386", SOCKET["i386"], AF_UNIX, 1)
    assert allows(strict, "x86_64", SOCKET["64"], AF_UNIX, 1)


def clone_flags(name):
    return {"thread": 0x3D0F00, "fork": 0x1200011, "mount": 0x20000, "user": 0x10000000, "pid": 0x20000000,
            "network": 0x40000000}[name]


@pytest.mark.requires("machine_kernel")
def test_profile_and_namespaces(filters_of):
    """Threads and forks pass, new namespaces do not; clone3, whose flags are behind a pointer, is told to be missing."""
    filters = filters_of(shipped_profile())
    for name in ("thread", "fork"):
        assert allows(filters, "x86_64", 56, clone_flags(name))
    for name in ("mount", "user", "pid", "network"):
        assert not allows(filters, "x86_64", 56, clone_flags(name) | 17), name
    assert seccomp_filter.answer(filters, "x86_64", 435) == (seccomp_filter.ERRNO, errno.ENOSYS)
    unshare, setns, mount, umount2, bpf, ptrace = 272, 308, 165, 166, 321, 101
    assert not [number for number in (unshare, setns, mount, umount2, bpf) if allows(filters, "x86_64", number)]
    assert allows(filters, "x86_64", ptrace)


@pytest.mark.requires("machine_kernel")
def test_filter_is_on_every_exec(runtime, attack_bundle, attacks):
    """An exec'd process has the container's filter: the same answer to every question."""
    container = runtime.running(attack_bundle().set("linux.seccomp", shipped_profile()))
    process = runtime.spawn("exec", container.id, "/bin/probe", "sleep")
    pid = wait_until(lambda: child_of(process, "probe"), "the exec'd process")
    first, second = (seccomp_filter.installed_filters(attacks / "dump_filter", each) for each in (container.pid, pid))
    assert len(first) == len(second) == 1
    for architecture in seccomp_filter.ARCHITECTURES:
        for number in [*range(470), *range(seccomp_filter.X32_BIT, seccomp_filter.X32_BIT + 470)]:
            for argument in (0, AF_ALG, 0x10000000, 0xFFFFFFFF):
                question = (architecture, number, argument)
                assert seccomp_filter.answer(first, *question) == seccomp_filter.answer(second, *question), question
    container.kill("KILL")
    process.wait(20)


@pytest.mark.parametrize("broken", [{"defaultAction": "SCMP_ACT_NO_SUCH"}, {"architectures": ["SCMP_ARCH_NO_SUCH"]},
                                    {"syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NO_SUCH"}]},
                                    {"syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO",
                                                   "args": [{"index": 6, "value": 1, "op": "SCMP_CMP_EQ"}]}]},
                                    {"syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO",
                                                   "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_NO_SUCH"}]}]}],
                         ids=["action", "architecture", "rule action", "argument index", "operator"])
def test_what_is_not_understood_is_refused(runtime, attack_bundle, broken):
    """A filter that cannot be built as written is an error, never a weaker filter."""
    bundle = attack_bundle().set("linux.seccomp", dict(deny_list("mkdir"), **broken))
    result = runtime.call("run", "--bundle", bundle.args("/bin/true").write().path, runtime._prepare(bundle, None))
    assert result.code != 0, result
