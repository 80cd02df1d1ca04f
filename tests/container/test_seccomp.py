"""linux.seccomp: what each action and rule does to a system call, seen from inside."""
import array
import errno
import json
import os
import socket

import pytest

from brigtest import brig_only

ARCHITECTURES = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]


def profile(bundle, *rules, default="SCMP_ACT_ALLOW", **fields):
    bundle.set("linux.seccomp", {"defaultAction": default, "architectures": ARCHITECTURES, "syscalls": list(rules),
                                 **fields})
    return bundle


def rule(names, action, **fields):
    return {"names": [names] if isinstance(names, str) else names, "action": action, **fields}


def result_of(runtime, bundle, *call):
    return runtime.probe(bundle, "syscall", *call)


@pytest.mark.parametrize("nnp", [True, False])
def test_filter_is_on(runtime, bundle, nnp):
    profile(bundle, rule("sync", "SCMP_ACT_ERRNO")).set("process.noNewPrivileges", nnp)
    assert runtime.report(bundle, "seccomp") == 2
    assert runtime.report(bundle, "no_new_privileges") is nnp


def test_filter_is_on_for_a_user_without_no_new_privileges(runtime, bundle):
    """It must be loaded while the privilege for it is there."""
    profile(bundle, rule("sync", "SCMP_ACT_ERRNO")).set("process.noNewPrivileges", False)
    bundle.capabilities().set("process.user", {"uid": 1000, "gid": 1000})
    assert runtime.report(bundle, "seccomp") == 2


def test_no_profile_no_filter(runtime, bundle):
    assert runtime.report(bundle, "seccomp") == 0


def test_exec_has_the_filter_too(runtime, bundle):
    container = runtime.running(profile(bundle, rule("sched_yield", "SCMP_ACT_ERRNO")))
    assert container.report("seccomp") == 2
    assert container.probe("syscall", "sched_yield")["errno"] == "EPERM"


@pytest.mark.parametrize("fields,expected", [
    ({}, "EPERM"), ({"errnoRet": 1}, "EPERM"), ({"errnoRet": errno.ENOSYS}, "ENOSYS"), ({"errnoRet": errno.EXDEV}, "EXDEV"),
])
def test_errno(runtime, bundle, fields, expected):
    profile(bundle, rule("sched_yield", "SCMP_ACT_ERRNO", **fields))
    assert result_of(runtime, bundle, "sched_yield")["errno"] == expected
    assert result_of(runtime, bundle, "getpid")["errno"] is None


def test_errno_zero_pretends_success(runtime, bundle):
    profile(bundle, rule("mkdir", "SCMP_ACT_ERRNO", errnoRet=0))
    assert result_of(runtime, bundle, "mkdir", "/dev/shm/x", "0755") == {"result": 0, "errno": None}
    assert not (bundle.rootfs / "dev/shm/x").exists()


@pytest.mark.parametrize("action", ["SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_KILL_PROCESS",
                                    "SCMP_ACT_TRAP"])
def test_kill(runtime, bundle, action):
    """SIGSYS, 31."""
    profile(bundle, rule("sched_yield", action)).args("/bin/probe", "syscall", "sched_yield")
    runtime.run(bundle, code=128 + 31)


@pytest.mark.parametrize("action", ["SCMP_ACT_LOG", "SCMP_ACT_ALLOW"])
def test_let_through(runtime, bundle, action):
    profile(bundle, rule("sched_yield", action))
    assert result_of(runtime, bundle, "sched_yield")["errno"] is None


def test_trace_without_a_tracer_is_enosys(runtime, bundle):
    profile(bundle, rule("sched_yield", "SCMP_ACT_TRACE", errnoRet=7))
    assert result_of(runtime, bundle, "sched_yield")["errno"] == "ENOSYS"


NEEDED = ["execve", "exit", "exit_group", "read", "write", "close", "brk", "mmap", "munmap", "mprotect", "arch_prctl",
          "set_tid_address", "set_robust_list", "rseq", "prlimit64", "readlinkat", "readlink", "getrandom", "fstat",
          "newfstatat", "futex", "capget", "capset", "prctl", "setuid", "setgid", "setgroups", "openat", "openat2",
          "fcntl", "fchdir", "chdir", "epoll_ctl", "epoll_pwait", "epoll_create1", "rt_sigaction", "rt_sigprocmask",
          "rt_sigreturn", "sigaltstack", "nanosleep", "getdents64", "lseek", "madvise", "sched_getaffinity", "tgkill",
          "gettid", "getpid", "getppid", "clone", "clone3", "fstatfs", "statfs", "pread64", "faccessat", "faccessat2",
          "seccomp", "close_range", "statx", "poll", "ppoll", "sendmsg", "recvmsg", "sched_yield", "execveat",
          "dup3", "pipe2", "sendto", "recvfrom", "setsid", "ioctl", "umask", "uname", "getuid", "geteuid", "getgid",
          "getegid", "getcwd", "stat", "lstat", "access", "open", "fchown", "mlock", "setresuid", "setresgid",
          "rt_sigtimedwait", "kill", "wait4", "waitid", "sysinfo", "timer_create", "timer_settime", "timer_delete"]


def test_default_errno_with_an_allow_list(runtime, bundle):
    profile(bundle, rule(NEEDED, "SCMP_ACT_ALLOW"), default="SCMP_ACT_ERRNO")
    assert result_of(runtime, bundle, "sync")["errno"] == "EPERM"
    assert result_of(runtime, bundle, "sched_yield")["errno"] is None


def test_default_errno_value(runtime, bundle):
    profile(bundle, rule(NEEDED, "SCMP_ACT_ALLOW"), default="SCMP_ACT_ERRNO", defaultErrnoRet=errno.EXDEV)
    assert result_of(runtime, bundle, "sync")["errno"] == "EXDEV"


def test_system_call_newer_than_the_profile_is_enosys(runtime, bundle):
    """An allow-list with EPERM as default breaks programs that try a new call first: runc answers ENOSYS."""
    profile(bundle, rule(NEEDED, "SCMP_ACT_ALLOW"), default="SCMP_ACT_ERRNO")
    assert result_of(runtime, bundle, "1000")["errno"] == "ENOSYS"


@pytest.mark.parametrize("names", [["no_such_call"], ["no_such_call", "sched_yield"], ["arm_sync_file_range"]])
def test_unknown_names_are_ignored(runtime, bundle, names):
    """Profiles name calls of newer kernels and of other machines."""
    profile(bundle, rule(names, "SCMP_ACT_ERRNO"))
    expected = "EPERM" if "sched_yield" in names else None
    assert result_of(runtime, bundle, "sched_yield")["errno"] == expected


# operator, value, second value, third arguments that must be denied out of 4, 5, 6
ARGUMENTS = [
    ("SCMP_CMP_EQ", 5, 0, {5}), ("SCMP_CMP_NE", 5, 0, {4, 6}), ("SCMP_CMP_LT", 5, 0, {4}),
    ("SCMP_CMP_LE", 5, 0, {4, 5}), ("SCMP_CMP_GT", 5, 0, {6}), ("SCMP_CMP_GE", 5, 0, {5, 6}),
    ("SCMP_CMP_MASKED_EQ", 4, 4, {4, 5, 6}), ("SCMP_CMP_MASKED_EQ", 1, 0, {4, 6}),
]


@pytest.mark.parametrize("operator,value,second,denied", ARGUMENTS,
                         ids=[f"{row[0][9:]}-{row[1]}-{row[2]}" for row in ARGUMENTS])
def test_argument(runtime, bundle, operator, value, second, denied):
    """`kcmp` with five free arguments: answered by the filter or by the kernel with another error."""
    condition = {"index": 2, "value": value, "valueTwo": second, "op": operator}
    profile(bundle, rule("kcmp", "SCMP_ACT_ERRNO", errnoRet=errno.EXDEV, args=[condition]))
    container = runtime.running(bundle)
    told = {number for number in (4, 5, 6)
            if container.probe("syscall", "kcmp", "1", "1", str(number), "0", "0")["errno"] == "EXDEV"}
    assert told == denied


def test_all_arguments_of_a_rule_must_match(runtime, bundle):
    conditions = [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 1, "value": 2, "op": "SCMP_CMP_EQ"}]
    container = runtime.running(profile(bundle, rule("kcmp", "SCMP_ACT_ERRNO", errnoRet=errno.EXDEV, args=conditions)))
    told = [container.probe("syscall", "kcmp", first, second, "0", "0", "0")["errno"] == "EXDEV"
            for first, second in (("1", "2"), ("1", "1"), ("2", "2"))]
    assert told == [True, False, False]


def test_same_argument_twice_means_either(runtime, bundle):
    conditions = [{"index": 2, "value": 4, "op": "SCMP_CMP_EQ"}, {"index": 2, "value": 6, "op": "SCMP_CMP_EQ"}]
    container = runtime.running(profile(bundle, rule("kcmp", "SCMP_ACT_ERRNO", errnoRet=errno.EXDEV, args=conditions)))
    told = {number for number in (4, 5, 6)
            if container.probe("syscall", "kcmp", "1", "1", str(number), "0", "0")["errno"] == "EXDEV"}
    assert told == {4, 6}


def test_64_bit_value(runtime, bundle):
    condition = {"index": 3, "value": 0x100000000, "op": "SCMP_CMP_EQ"}
    container = runtime.running(profile(bundle, rule("kcmp", "SCMP_ACT_ERRNO", errnoRet=errno.EXDEV,
                                                     args=[condition])))
    assert container.probe("syscall", "kcmp", "1", "1", "0", "0x100000000", "0")["errno"] == "EXDEV"
    assert container.probe("syscall", "kcmp", "1", "1", "0", "0", "0")["errno"] != "EXDEV"


@pytest.mark.parametrize("architectures", [None, [], ["SCMP_ARCH_X86_64"]])
def test_architectures(runtime, bundle, architectures):
    """Docker gives null on some machines."""
    profile(bundle, rule("sched_yield", "SCMP_ACT_ERRNO"), architectures=architectures)
    assert result_of(runtime, bundle, "sched_yield")["errno"] == "EPERM"


def test_x32_does_not_bypass_the_filter(runtime, bundle):
    """The same call with bit 30 set (CVE-2014-4508 class)."""
    profile(bundle, rule("sched_yield", "SCMP_ACT_ERRNO"), architectures=["SCMP_ARCH_X86_64"])
    bundle.args("/bin/probe", "syscall", str(24 | 0x40000000)).write()
    result = runtime.call("run", "--bundle", bundle.path, "x32")
    assert result.code == 128 + 31 or result.json()["errno"] is not None


NO_FLAGS = "runc 1.1.5 refuses every flag"


@pytest.mark.parametrize("flags", [
    [], brig_only(NO_FLAGS, ["SECCOMP_FILTER_FLAG_LOG"]), brig_only(NO_FLAGS, ["SECCOMP_FILTER_FLAG_SPEC_ALLOW"]),
    brig_only(NO_FLAGS, ["SECCOMP_FILTER_FLAG_TSYNC"]),
])
def test_flags(runtime, bundle, flags):
    profile(bundle, rule("sched_yield", "SCMP_ACT_ERRNO"), flags=flags)
    assert result_of(runtime, bundle, "sched_yield")["errno"] == "EPERM"


@pytest.mark.parametrize("seccomp,words", [
    ({"defaultAction": "SCMP_ACT_NOPE"}, "SCMP_ACT_NOPE"),
    ({"defaultAction": ""}, "Action"),
    ({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_NOPE"]}, "SCMP_ARCH_NOPE"),
    ({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule("sync", "SCMP_ACT_NOPE")]}, "SCMP_ACT_NOPE"),
    ({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule("sync", "SCMP_ACT_ERRNO", args=[
        {"index": 0, "value": 0, "op": "SCMP_CMP_NOPE"}])]}, "SCMP_CMP_NOPE"),
    ({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule("sync", "SCMP_ACT_ERRNO", args=[
        {"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}])]}, "index|argument|Invalid"),
    ({"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_NOPE"]}, "SECCOMP_FILTER_FLAG_NOPE"),
    ({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule("write", "SCMP_ACT_NOTIFY")]}, "NOTIFY|write|listener"),
])
def test_bad_profiles(runtime, bundle, seccomp, words):
    bundle.set("linux.seccomp", {"syscalls": [rule("sched_yield", "SCMP_ACT_ERRNO")], **seccomp})
    runtime.create_fails(bundle, brig_text=words)


@brig_only("runc 1.1.5 takes a rule without names for none")
def test_rule_without_names_is_refused(runtime, bundle):
    profile(bundle, {"names": [], "action": "SCMP_ACT_ERRNO"})
    runtime.create_fails(bundle, text="names")


def test_notify_sends_the_listener(runtime, bundle, workdir):
    """The agent receives the fd and the state of the container."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(workdir / "agent.sock"))
        listener.listen()
        listener.settimeout(20)
        profile(bundle, rule("mkdir", "SCMP_ACT_NOTIFY"), listenerPath=str(workdir / "agent.sock"),
                listenerMetadata="about")
        container = runtime.running(bundle)
        connection, _ = listener.accept()
        with connection:
            data, control, _, _ = connection.recvmsg(65536, socket.CMSG_SPACE(4 * 8))
    fds = array.array("i")
    for _, _, payload in control:
        fds.frombytes(payload[:len(payload) // 4 * 4])
    for fd in fds:
        assert "seccomp notify" in os.readlink(f"/proc/self/fd/{fd}")
        os.close(fd)
    told = json.loads(data)
    assert told["fds"] == ["seccompFd"] and told["metadata"] == "about"
    assert told["state"]["id"] == container.id and told["pid"] == container.pid
