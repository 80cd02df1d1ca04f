"""What the container's process is given: identity, capabilities, limits, environment, descriptors, devices."""
import ctypes
import os

import pytest

from brigtest import brig_only, requires
from brigtest.bundle import host_capabilities

SETS = ("bounding", "effective", "permitted", "inheritable", "ambient")


# ---- users and groups

@pytest.mark.parametrize("user", [
    {"uid": 0, "gid": 0}, {"uid": 1000, "gid": 1000}, {"uid": 1000, "gid": 5}, {"uid": 65534, "gid": 65534},
    {"uid": 12345, "gid": 54321}, {"uid": 2147483647, "gid": 2147483647},
])
def test_user(runtime, bundle, user):
    ids = runtime.report(bundle.set("process.user", user), "ids")
    assert {ids[name] for name in ("uid", "euid", "suid", "fsuid")} == {user["uid"]}
    assert {ids[name] for name in ("gid", "egid", "sgid", "fsgid")} == {user["gid"]}


@pytest.mark.parametrize("groups", [[], [5], [7, 2000, 70000], list(range(100, 164))])
def test_additional_groups(runtime, bundle, groups):
    bundle.set("process.user", {"uid": 1000, "gid": 1000, "additionalGids": groups})
    told = runtime.report(bundle, "ids")["groups"]
    assert set(told) - {1000} == set(groups)


def test_groups_of_the_caller_do_not_enter(runtime, bundle):
    bundle.set("process.user", {"uid": 1000, "gid": 1000})
    told = runtime.report(bundle, "ids", preexec_fn=lambda: os.setgroups([4, 27]))["groups"]
    assert set(told) <= {1000}


def test_groups_of_the_image_do_not_enter(runtime, bundle):
    """The engine resolves /etc/group, not the runtime."""
    bundle.set("process.user", {"uid": 1000, "gid": 1000})
    assert 2000 not in runtime.report(bundle, "ids")["groups"]


@pytest.mark.parametrize("umask,expected", [(None, 0o22), (0, 0), (0o77, 0o77), (0o27, 0o27)])
def test_umask(runtime, bundle, umask, expected):
    if umask is not None:
        bundle.set("process.user.umask", umask)
    assert runtime.report(bundle, "umask", preexec_fn=lambda: os.umask(0o22)) == expected


def test_umask_of_the_caller_does_not_spoil_what_the_runtime_makes(runtime, bundle):
    told = runtime.probe(bundle, "stat", "/dev/null", "/dev/shm", preexec_fn=lambda: os.umask(0o77))
    assert told["/dev/null"]["mode"] == 0o666
    assert told["/dev/shm"]["mode"] == 0o1777


# ---- environment and folder

def test_environment_is_exactly_the_spec_and_home(runtime, bundle):
    bundle.process["env"] = ["PATH=/bin", "B=2", "A=1", "SPACES= x y ", "EQUALS=a=b", "EMPTY="]
    assert sorted(runtime.report(bundle, "env")) == sorted([*bundle.process["env"], "HOME=/root"])


def test_repeated_variable_last_wins(runtime, bundle):
    bundle.process["env"] = ["PATH=/bin", "A=1", "A=2", "HOME=/x", "A=3"]
    told = [entry for entry in runtime.report(bundle, "env") if entry.startswith("A=")]
    assert told == ["A=3"]


@pytest.mark.parametrize("uid,env,expected", [
    (0, [], "/root"), (1000, [], "/home/tester"), (1000, ["HOME=/given"], "/given"), (4242, [], "/"),
    brig_only("runc 1.1.5 keeps an empty HOME", 1000, ["HOME="], "/home/tester"),
])
def test_home(runtime, bundle, uid, env, expected):
    bundle.set("process.user", {"uid": uid, "gid": 0}).process["env"] = ["PATH=/bin", *env]
    assert f"HOME={expected}" in runtime.report(bundle, "env")


@pytest.mark.parametrize("passwd", ["", "garbage", "root:x", ":::::::\n" * 1000, "tester:x:1000:1000::/found:/bin/sh"])
def test_home_with_odd_passwd(runtime, bundle, passwd):
    bundle.file("/etc/passwd", passwd)
    bundle.set("process.user", {"uid": 1000, "gid": 1000})
    expected = "/found" if "found" in passwd else "/"
    assert f"HOME={expected}" in runtime.report(bundle, "env")


def test_home_without_passwd(runtime, bundle):
    (bundle.rootfs / "etc/passwd").unlink()
    assert any(entry.startswith("HOME=/") for entry in runtime.report(bundle, "env"))


@pytest.mark.parametrize("cwd", ["/", "/tmp", "/home/tester", "/made/by/runtime", "/home/tester/..", "/home//tester/"])
def test_working_folder(runtime, bundle, cwd):
    bundle.set("process.cwd", cwd).set("root.readonly", False)
    assert runtime.report(bundle, "cwd") == os.path.normpath(cwd)


def test_working_folder_through_a_link_stays_inside(runtime, bundle):
    (bundle.rootfs / "link").symlink_to("/tmp")
    assert runtime.report(bundle.set("process.cwd", "/link"), "cwd") == "/tmp"


def test_working_folder_that_only_the_user_may_enter(runtime, bundle):
    """chdir is tried as the user, too."""
    (bundle.rootfs / "home/tester").chmod(0o700)
    bundle.set("process.user", {"uid": 1000, "gid": 1000}).set("process.cwd", "/home/tester")
    assert runtime.report(bundle, "cwd") == "/home/tester"


@pytest.mark.parametrize("cwd,words", [
    ("/etc/passwd", "not a directory"), ("relative", "[Cc]wd.*absolute|absolute"), ("", "[Cc]wd"),
])
def test_impossible_working_folder(runtime, bundle, cwd, words):
    runtime.create_fails(bundle.set("process.cwd", cwd), text=words)


# ---- capabilities

def caps_of(runtime, bundle):
    return {name: set(value) for name, value in runtime.report(bundle, "caps").items()}


@pytest.mark.parametrize("sets", [
    {},
    {"bounding": ["CAP_CHOWN"]},
    {"bounding": ["CAP_CHOWN", "CAP_KILL"], "permitted": ["CAP_CHOWN"], "effective": ["CAP_CHOWN"]},
    {name: ["CAP_NET_RAW", "CAP_SYS_ADMIN", "CAP_CHOWN"] for name in SETS},
], ids=["none", "bounding", "some", "all"])
def test_capabilities_of_root(runtime, bundle, sets):
    """execve as uid 0 gives permitted and effective all of bounding and inheritable."""
    told = caps_of(runtime, bundle.capabilities(**sets).set("process.noNewPrivileges", False))
    wanted = {name: set(sets.get(name, ())) for name in SETS}
    raised = wanted["bounding"] | wanted["inheritable"]
    assert told["bounding"] == wanted["bounding"]
    assert told["permitted"] == told["effective"] == raised
    assert told["inheritable"] == wanted["inheritable"]
    assert told["ambient"] == wanted["ambient"]


def test_no_new_privileges_keeps_root_at_the_permitted_ones(runtime, bundle):
    bundle.capabilities(bounding=["CAP_CHOWN", "CAP_KILL"], permitted=["CAP_CHOWN"], effective=["CAP_CHOWN"])
    told = caps_of(runtime, bundle)
    assert told["permitted"] == told["effective"] == {"CAP_CHOWN"}
    assert told["bounding"] == {"CAP_CHOWN", "CAP_KILL"}


def test_capabilities_of_a_user_are_the_ambient_ones(runtime, bundle):
    bundle.capabilities(bounding=["CAP_NET_RAW", "CAP_KILL"], permitted=["CAP_NET_RAW", "CAP_KILL"],
                        effective=["CAP_NET_RAW"], inheritable=["CAP_NET_RAW"], ambient=["CAP_NET_RAW"])
    told = caps_of(runtime, bundle.set("process.user", {"uid": 1000, "gid": 1000}))
    assert told["permitted"] == told["effective"] == told["ambient"] == {"CAP_NET_RAW"}
    assert told["bounding"] == {"CAP_NET_RAW", "CAP_KILL"}


def test_no_capabilities_section_means_none(runtime, bundle):
    bundle.drop("process.capabilities")
    told = caps_of(runtime, bundle)
    assert all(told[name] == set() for name in SETS)


def test_privileged(runtime, bundle):
    told = caps_of(runtime, bundle.all_capabilities())
    assert told["effective"] == set(host_capabilities())


@brig_only("runc 1.1.5 fails with operation not permitted")
def test_capability_that_the_host_lacks_is_dropped_with_a_warning(runtime, bundle):
    """Known name, cannot be granted: here because the bounding set of the caller has lost it."""
    drop_from_bounding = lambda: ctypes.CDLL(None).prctl(24, 14, 0, 0, 0)  # PR_CAPBSET_DROP, CAP_IPC_LOCK
    bundle.capabilities(**{which: ["CAP_IPC_LOCK", "CAP_CHOWN"] for which in ("bounding", "effective", "permitted")})
    told = runtime.report(bundle, "caps", preexec_fn=drop_from_bounding)
    assert told["effective"] == ["CAP_CHOWN"]


@brig_only("runc 1.1.5 warns and goes on, spec: an unknown value must be an error")
@pytest.mark.parametrize("name", ["CAP_NOPE", "CHOWN", "cap_chown", ""])
def test_unknown_capability_is_refused(runtime, bundle, name):
    bundle.capabilities(**{which: [name] for which in ("bounding", "effective", "permitted")})
    runtime.create_fails(bundle, text="capabilit|CAP_")


@pytest.mark.parametrize("capability,attempt,without", [
    ("CAP_SYS_CHROOT", ["chroot", "/tmp"], "EPERM"), ("CAP_CHOWN", ["chown", "/dev/shm", "1", "1"], "EPERM"),
    ("CAP_SYS_ADMIN", ["sethostname", "x"], "EPERM"), ("CAP_SETUID", ["setuid", "5"], "EPERM"),
    ("CAP_MKNOD", ["mknod", "/dev/shm/n", "c", "1", "3"], "EPERM"),
])
@pytest.mark.requires("host_root")
def test_capabilities_are_what_counts(runtime, bundle, capability, attempt, without):
    if capability == "CAP_MKNOD":
        bundle.set("linux.resources.devices", [{"allow": True, "access": "rwm"}])
    bundle.capabilities()
    assert runtime.probe(bundle, *attempt)["errno"] == without
    bundle.capabilities(**{which: [capability] for which in ("bounding", "effective", "permitted")})
    assert runtime.probe(bundle, *attempt)["errno"] is None


@pytest.mark.parametrize("value", [True, False])
def test_no_new_privileges(runtime, bundle, value):
    assert runtime.report(bundle.set("process.noNewPrivileges", value), "no_new_privileges") is value


def test_no_new_privileges_default(runtime, bundle):
    assert runtime.report(bundle.drop("process.noNewPrivileges"), "no_new_privileges") is False


@pytest.mark.parametrize("nnp,expected", [(False, 0), (True, 1000)])
def test_setuid_program(runtime, bundle, nnp, expected):
    bundle.capabilities(bounding=["CAP_SETUID"])
    (bundle.rootfs / "bin/probe").chmod(0o4755)
    bundle.set("process.noNewPrivileges", nnp).set("process.user", {"uid": 1000, "gid": 1000})
    assert runtime.report(bundle, "ids")["euid"] == expected


# ---- limits

@pytest.mark.parametrize("name,soft,hard", [
    ("RLIMIT_CORE", 0, 4096), ("RLIMIT_CPU", 1000, 2000), ("RLIMIT_FSIZE", 1 << 20, 1 << 30),
    ("RLIMIT_STACK", 1 << 20, 4 << 20), ("RLIMIT_MEMLOCK", 0, 65536), ("RLIMIT_NPROC", 1000, 2000),
    ("RLIMIT_SIGPENDING", 10, 20), ("RLIMIT_MSGQUEUE", 4096, 8192), ("RLIMIT_RTTIME", 5000, 6000),
    ("RLIMIT_AS", 1 << 30, 1 << 31), ("RLIMIT_DATA", 1 << 30, 18446744073709551615), ("RLIMIT_LOCKS", 5, 5),
    ("RLIMIT_RSS", 1 << 20, 1 << 20), ("RLIMIT_NOFILE", 512, 512),
    brig_only("Go raises the soft limit behind runc 1.1.5's back", "RLIMIT_NOFILE", 100, 512),
])
def test_rlimit(runtime, bundle, name, soft, hard):
    bundle.process["rlimits"] = [{"type": name, "soft": soft, "hard": hard}]
    assert runtime.report(bundle, "rlimits")[name] == {"soft": soft, "hard": hard}


@pytest.mark.parametrize("limit,words", [
    ({"type": "RLIMIT_NOPE", "soft": 1, "hard": 1}, "RLIMIT_NOPE"),
    ({"type": "NOFILE", "soft": 1, "hard": 1}, "NOFILE"),
    ({"type": "RLIMIT_CORE", "soft": 2, "hard": 1}, "invalid argument|soft|rlimit"),
])
def test_bad_rlimit(runtime, bundle, limit, words):
    bundle.process["rlimits"] = [limit]
    runtime.create_fails(bundle, text=words)


@brig_only("runc 1.1.5 sets both, the last wins; spec: duplicated entries must be an error")
def test_rlimit_given_twice(runtime, bundle):
    bundle.process["rlimits"] = [{"type": "RLIMIT_CORE", "soft": 1, "hard": 1}] * 2
    runtime.create_fails(bundle, text="RLIMIT_CORE")


@pytest.mark.parametrize("value", [0, 500, 1000])
def test_oom_score_adj(runtime, bundle, value):
    assert runtime.report(bundle.set("process.oomScoreAdj", value), "oom_score_adj") == value


def test_oom_score_adj_is_the_caller_own_by_default(runtime, bundle):
    own = int(open("/proc/self/oom_score_adj").read())
    assert runtime.report(bundle, "oom_score_adj") == own


@pytest.mark.parametrize("value", [1001, -1001, "high"])
def test_bad_oom_score_adj(runtime, bundle, value):
    runtime.create_fails(bundle.set("process.oomScoreAdj", value), brig_text="oom|invalid argument")


# ---- descriptors

def test_only_the_standard_streams_are_open(runtime, bundle):
    assert set(runtime.report(bundle, "fds")) == {"0", "1", "2"}


def test_inherited_fds_do_not_enter(runtime, bundle):
    fds = [os.open("/etc", os.O_RDONLY) for _ in range(3)]
    try:
        assert set(runtime.report(bundle, "fds", pass_fds=fds)) == {"0", "1", "2"}
    finally:
        for fd in fds:
            os.close(fd)


def with_fds_from_three(count):
    """preexec_fn that opens `count` files at 3, 4, ..., as an engine that passes them."""
    def place():
        os.closerange(3, 1024)
        for number in range(3, 3 + count):
            fd = os.open("/etc/hostname", os.O_RDONLY)
            assert fd == number
            os.set_inheritable(fd, True)
    return {"preexec_fn": place, "close_fds": False}


@pytest.mark.parametrize("count", [1, 3])
def test_preserve_fds(runtime, bundle, count):
    bundle.args("/bin/probe", "fds")
    seen = runtime.run(bundle, "--preserve-fds", count, **with_fds_from_three(count)).json()["fds"]
    assert set(seen) == {str(number) for number in range(3 + count)}
    assert all(seen[str(3 + number)].endswith("hostname") for number in range(count))


@brig_only("runc 1.1.5 passes whatever it has open there itself")
def test_preserve_fds_that_are_not_open_is_refused(runtime, bundle):
    bundle.args("true").write()
    runtime.fails("run", "--preserve-fds", "5", "--bundle", bundle.path, "x", text="preserve|fd|descriptor",
                  **with_fds_from_three(1))


def listening(count, opened=None):
    """LISTEN_FDS and LISTEN_PID as systemd gives them."""
    return {**with_fds_from_three(opened or count),
            "prefix": ["sh", "-c", f'export LISTEN_FDS={count} LISTEN_PID=$$; exec "$@"', "sh"]}


def test_socket_activation(runtime, bundle):
    told = runtime.report(bundle, "fds", "env", "process", **listening(2))
    assert set(told["fds"]) == {"0", "1", "2", "3", "4"}
    assert "LISTEN_FDS=2" in told["env"]
    assert f"LISTEN_PID={told['process']['pid']}" in told["env"]


def test_socket_activation_and_preserve_fds_add_up(runtime, bundle):
    bundle.args("/bin/probe", "fds")
    seen = runtime.run(bundle, "--preserve-fds", "1", **listening(2, opened=3)).json()["fds"]
    assert set(seen) == {"0", "1", "2", "3", "4", "5"}


def test_socket_activation_of_another_process_does_not_enter(runtime, bundle):
    env = {**os.environ, "LISTEN_FDS": "2", "LISTEN_PID": "1"}
    told = runtime.report(bundle, "fds", "env", env=env, **with_fds_from_three(2))
    assert set(told["fds"]) == {"0", "1", "2"}
    assert not any(entry.startswith("LISTEN_") for entry in told["env"])


# ---- devices

DEFAULT_DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}
DEFAULT_LINKS = {"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1",
                 "stderr": "/proc/self/fd/2", "ptmx": "pts/ptmx"}


def test_default_devices(runtime, bundle):
    told = runtime.probe(bundle, "stat", *(f"/dev/{name}" for name in DEFAULT_DEVICES))
    for name, number in DEFAULT_DEVICES.items():
        entry = told[f"/dev/{name}"]
        assert (entry["major"], entry["minor"], entry["mode"]) == (*number, 0o666), name


def test_default_links(runtime, bundle):
    told = runtime.probe(bundle, "stat", *(f"/dev/{name}" for name in DEFAULT_LINKS))
    assert {name: told[f"/dev/{name}"]["target"] for name in DEFAULT_LINKS} == DEFAULT_LINKS


def test_nothing_else_is_in_dev(runtime, bundle):
    told = runtime.probe(bundle, "list", "/dev")["/dev"]
    expected = {*DEFAULT_DEVICES, *DEFAULT_LINKS, "pts", "shm", "mqueue"}
    assert set(told) - {"core"} == expected


def test_default_devices_work(runtime, bundle):
    bundle.set("process.user", {"uid": 1000, "gid": 1000})
    script = "echo x > /dev/null && head -c 3 /dev/zero | wc -c && head -c 5 /dev/urandom | wc -c"
    assert runtime.run(bundle.args("sh", "-c", script)).out.split() == ["3", "5"]


@pytest.mark.parametrize("device,kind", [
    ({"path": "/dev/made", "type": "c", "major": 1, "minor": 5, "fileMode": 0o640, "uid": 3, "gid": 4},
     "character device"),
    ({"path": "/dev/below/made", "type": "b", "major": 7, "minor": 200, "fileMode": 0o600}, "block device"),
    ({"path": "/dev/made", "type": "u", "major": 1, "minor": 5, "fileMode": 0o666}, "character device"),
    ({"path": "/dev/made", "type": "p", "fileMode": 0o666}, "fifo"),
])
@pytest.mark.requires("host_root")
def test_devices_of_the_spec(runtime, bundle, device, kind):
    told = runtime.probe(bundle.set("linux.devices", [device]), "stat", device["path"])[device["path"]]
    assert told["type"] == kind and told["mode"] == device["fileMode"]
    assert (told["uid"], told["gid"]) == (device.get("uid", 0), device.get("gid", 0))
    if kind != "fifo":
        assert (told["major"], told["minor"]) == (device["major"], device["minor"])


@pytest.mark.parametrize("device,words", [
    ({"path": "/dev/made", "type": "z", "major": 1, "minor": 5}, "type|device"),
    ({"path": "/dev/made"}, "type|device"),
    brig_only("runc 1.1.5 makes it in the root", {"path": "relative", "type": "c", "major": 1, "minor": 5},
              "path|absolute|relative"),
])
def test_bad_devices(runtime, bundle, device, words):
    runtime.create_fails(bundle.set("linux.devices", [device]), text=words)


@pytest.mark.requires("host_root")
def test_device_of_the_spec_over_a_default_one(runtime, bundle):
    bundle.set("linux.devices", [{"path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o600}])
    bundle.linux["resources"]["devices"].append({"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rwm"})
    assert runtime.probe(bundle, "stat", "/dev/null")["/dev/null"]["mode"] == 0o600


# ---- newer parts of the spec

@brig_only("spec 1.1; runc 1.1.5 ignores scheduler")
def test_scheduler(runtime, bundle):
    bundle.set("process.scheduler", {"policy": "SCHED_BATCH", "nice": 5})
    told = runtime.report(bundle, "scheduler")
    assert (told["policy"], told["nice"]) == (3, 5)


@brig_only("spec 1.1; runc 1.1.5 ignores ioPriority")
def test_io_priority(runtime, bundle):
    bundle.set("process.ioPriority", {"class": "IOPRIO_CLASS_BE", "priority": 6})
    assert runtime.report(bundle, "scheduler")["io_priority"] == 2 << 13 | 6


@brig_only("runc 1.1.5 ignores personality")
def test_personality(runtime, bundle):
    bundle.set("linux.personality", {"domain": "LINUX32"})
    assert runtime.report(bundle, "personality") & 0xff == 8


@requires("two_cpus")
@brig_only("reset by newer runc only")
def test_cpu_affinity_of_the_caller_does_not_enter(runtime, bundle):
    """After joining the cpuset the process may use all of it."""
    every = os.sched_getaffinity(0)
    told = runtime.report(bundle, "affinity", preexec_fn=lambda: os.sched_setaffinity(0, {min(every)}))
    assert set(told) == every


@pytest.mark.parametrize("version,good", [
    ("1.0.0", True), ("1.0.2-dev", True), ("1.2.1", True), ("1.9.9", True),
    brig_only("runc 1.1.5 takes any version", "2.0.0", False),
    brig_only("runc 1.1.5 takes any version", "banana", False),
    brig_only("runc 1.1.5 takes any version", "", False),
])
def test_version_of_the_spec(runtime, bundle, version, good):
    bundle.set("ociVersion", version)
    if good:
        assert runtime.run(bundle.args("echo", "ok")).out == "ok\n"
    else:
        runtime.create_fails(bundle, text="ociVersion")


def test_unknown_properties_are_ignored(runtime, bundle):
    bundle.set("unknown", {"a": [1, {}]}).set("linux.unknownToo", 1).set("process.strange", None)
    assert runtime.run(bundle.args("echo", "ok")).out == "ok\n"


def test_annotations_do_nothing_by_themselves(runtime, bundle):
    """Metadata may come from an image: what is not allowed by the host has no effect."""
    bundle.set("annotations", {"brig.policy": "none", "run.oci.handler": "krun", "brig.seccomp": "unconfined",
                               "org.systemd.property.TasksMax": "1"})
    told = runtime.report(bundle, "caps", "no_new_privileges")
    assert told["no_new_privileges"] is True
    assert set(told["caps"]["effective"]) == {"CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_AUDIT_WRITE"}
