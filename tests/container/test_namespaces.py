"""Namespaces: new, joined by path, the host's; id mappings; sysctls and names that belong to them."""
import fcntl
import os
import subprocess

import pytest

from brigtest import brig_only, requires

# config.json name -> name in /proc/PID/ns
KINDS = {"pid": "pid", "network": "net", "ipc": "ipc", "uts": "uts", "mount": "mnt", "cgroup": "cgroup"}


def inode(pid, name):
    return os.stat(f"/proc/{pid}/ns/{name}").st_ino


@pytest.mark.parametrize("kind", KINDS)
def test_new(runtime, bundle, kind):
    bundle.namespace(kind)
    assert runtime.report(bundle, "namespaces")[KINDS[kind]] != inode("self", KINDS[kind])


@pytest.mark.parametrize("kind", ["pid", "network", "ipc", "uts", "cgroup"])
@pytest.mark.requires("host_root")
def test_host(runtime, bundle, kind):
    bundle.namespace(kind, remove=True)
    if kind == "uts":
        bundle.drop("hostname")
    assert runtime.report(bundle, "namespaces")[KINDS[kind]] == inode("self", KINDS[kind])


@pytest.mark.parametrize("kind", ["pid", "network", "ipc", "uts", "cgroup"])
def test_join_by_path(runtime, make_bundle, kind):
    first, second = make_bundle("first"), make_bundle("second")
    first.namespace(kind)
    holder = runtime.running(first)
    second.namespace(kind, path=f"/proc/{holder.pid}/ns/{KINDS[kind]}")
    if kind == "uts":
        second.drop("hostname")
    assert runtime.report(second, "namespaces")[KINDS[kind]] == inode(holder.pid, KINDS[kind])


def test_joined_pid_namespace_is_not_left_to_the_caller(runtime, make_bundle):
    """The process itself is inside, not only its children."""
    holder = runtime.running(make_bundle("first"))
    second = make_bundle("second")
    second.namespace("pid", path=f"/proc/{holder.pid}/ns/pid")
    pid = runtime.report(second, "process")["pid"]
    assert pid > 1
    assert holder.status == "running"


def test_joined_uts_namespace_sees_the_hostname(runtime, make_bundle):
    first, second = make_bundle("first"), make_bundle("second")
    holder = runtime.running(first.set("hostname", "shared-name"))
    second.namespace("uts", path=f"/proc/{holder.pid}/ns/uts").drop("hostname")
    assert runtime.report(second, "hostname") == "shared-name"


def test_join_network_by_bound_file(runtime, bundle, workdir):
    """As an engine passes /run/netns/NAME."""
    path = workdir / "netns"
    path.touch()
    subprocess.run(["unshare", "--net", "mount", "--bind", "/proc/self/ns/net", path], check=True)
    try:
        bundle.namespace("network", path=path)
        assert runtime.report(bundle, "namespaces")["net"] == os.stat(path).st_ino
    finally:
        subprocess.run(["umount", path], check=True)


def test_loopback_is_up_in_a_new_network_namespace(runtime, bundle):
    out = runtime.run(bundle.args("ip", "link", "show", "lo")).out
    assert "UP" in out.split("<")[1].split(">")[0].split(",")


@pytest.mark.parametrize("kind,path,words", [
    ("network", "/no/such/path", "no such file or directory|namespace path"),
    ("network", "/etc/passwd", "/etc/passwd"),
    ("network", "/proc/self/ns/uts", "/proc/self/ns/uts"),
    brig_only("runc 1.1.5 joins relative paths", "network", "relative/path", "absolute|relative"),
])
def test_bad_path(runtime, bundle, kind, path, words):
    runtime.create_fails(bundle.namespace(kind, path=path), brig_text=words)


@pytest.mark.parametrize("entries,words", [
    ([{"type": "nonsense"}], "nonsense"),
    ([{"type": "pid"}, {"type": "pid"}], "duplicate|pid"),
    ([{}], "namespace|type"),
])
def test_bad_entries(runtime, bundle, entries, words):
    bundle.linux["namespaces"] += entries
    runtime.create_fails(bundle, text=words)


@requires("timens")
@brig_only("spec 1.1; runc 1.1.5 does not know the time namespace")
def test_time_namespace(runtime, bundle):
    bundle.namespace("time").set("linux.timeOffsets", {"boottime": {"secs": 1234, "nanosecs": 5},
                                                       "monotonic": {"secs": 99}})
    told = runtime.report(bundle, "namespaces", "timens_offsets")
    assert told["namespaces"]["time"] != inode("self", "time")
    assert [line.split() for line in told["timens_offsets"].splitlines()] == [
        ["monotonic", "99", "0"], ["boottime", "1234", "5"]]


# ---- what belongs to a namespace

def test_hostname(runtime, bundle):
    before = os.uname().nodename
    assert runtime.report(bundle.set("hostname", "some-name"), "hostname") == "some-name"
    assert os.uname().nodename == before


@brig_only("spec 1.1; runc 1.1.5 does not know domainname")
def test_domainname(runtime, bundle):
    assert runtime.report(bundle.set("domainname", "some.domain"), "domainname") == "some.domain"


def test_hostname_without_its_namespace_is_refused(runtime, bundle):
    runtime.create_fails(bundle.namespace("uts", remove=True), text="hostname|UTS|uts")


@brig_only("spec 1.1; runc 1.1.5 does not know domainname")
def test_domainname_without_its_namespace_is_refused(runtime, bundle):
    bundle.namespace("uts", remove=True).drop("hostname")
    runtime.create_fails(bundle.set("domainname", "a.b"), text="domainname|UTS|uts")


@pytest.mark.parametrize("name,value", [
    ("net.ipv4.ip_forward", "1"), ("net.core.somaxconn", "1023"), ("kernel.shmmax", "65536"),
    ("kernel.msgmax", "4096"), ("fs.mqueue.msg_max", "12"), ("kernel.sem", "250 32000 32 64"),
    ("net/ipv4/ip_default_ttl", "63"),
])
def test_sysctl(runtime, bundle, name, value):
    bundle.set("linux.sysctl", {name: value})
    assert runtime.probe(bundle, "sysctl", name.replace("/", "."))[name.replace("/", ".")].split() == value.split()


@pytest.mark.parametrize("name,namespace", [
    ("net.ipv4.ip_forward", "network"), ("kernel.shmmax", "ipc"), ("fs.mqueue.msg_max", "ipc"),
])
def test_sysctl_outside_its_namespace_is_refused(runtime, bundle, name, namespace):
    bundle.namespace(namespace, remove=True).set("linux.sysctl", {name: "1"})
    runtime.create_fails(bundle, text=f"sysctl.*{name}|{name}")


@pytest.mark.parametrize("name", [
    "vm.swappiness", "kernel.panic", "kernel.core_pattern", "net.../kernel/panic", "nonsense", "",
])
def test_sysctl_of_the_host_is_refused(runtime, bundle, name):
    bundle.set("linux.sysctl", {name: "1"})
    runtime.create_fails(bundle, text="sysctl|no such file")


def test_sysctl_with_impossible_value_is_refused(runtime, bundle):
    bundle.set("linux.sysctl", {"net.ipv4.ip_forward": "not a number"})
    runtime.create_fails(bundle, text="invalid argument|ip_forward")


# ---- user namespace

@pytest.fixture
def mapped(bundle):
    bundle.namespace("user")
    bundle.set("linux.uidMappings", [{"containerID": 0, "hostID": 100000, "size": 65536}])
    bundle.set("linux.gidMappings", [{"containerID": 0, "hostID": 200000, "size": 65536}])
    subprocess.run(["chown", "-hR", "100000:200000", bundle.rootfs], check=True)
    return bundle


def test_user_namespace(runtime, mapped):
    told = runtime.report(mapped, "ids", "uid_map", "gid_map", "namespaces", "caps")
    assert (told["ids"]["uid"], told["ids"]["gid"]) == (0, 0)
    assert told["uid_map"].split() == ["0", "100000", "65536"]
    assert told["gid_map"].split() == ["0", "200000", "65536"]
    assert told["namespaces"]["user"] != inode("self", "user")


def test_user_namespace_from_outside(runtime, mapped):
    container = runtime.running(mapped.set("process.user", {"uid": 7, "gid": 8}))
    status = dict(line.split(":", 1) for line in open(f"/proc/{container.pid}/status") if ":" in line)
    assert status["Uid"].split() == ["100007"] * 4
    assert status["Gid"].split() == ["200008"] * 4
    assert container.report("ids", flags=["-u", "9"])["uid"] == 9


def test_user_namespace_owns_the_others(runtime, mapped):
    """setns into them by fd: NS_GET_USERNS."""
    container = runtime.running(mapped)
    mine = inode(container.pid, "user")
    for kind in ("net", "uts", "ipc", "pid", "mnt"):
        fd = os.open(f"/proc/{container.pid}/ns/{kind}", os.O_RDONLY)
        owner = fcntl.ioctl(fd, 0xB701)
        assert os.fstat(owner).st_ino == mine, kind
        os.close(owner)
        os.close(fd)


def test_many_mappings(runtime, mapped):
    mapped.set("linux.uidMappings", [{"containerID": 0, "hostID": 100000, "size": 10},
                                     {"containerID": 10, "hostID": 300000, "size": 10},
                                     {"containerID": 100, "hostID": 400000, "size": 1}])
    assert runtime.report(mapped, "uid_map").split() == ["0", "100000", "10", "10", "300000", "10", "100", "400000",
                                                         "1"]


def test_device_nodes_in_a_user_namespace(runtime, mapped):
    told = runtime.probe(mapped, "stat", "/dev/null", "/dev/zero")
    assert (told["/dev/null"]["major"], told["/dev/null"]["minor"]) == (1, 3)
    assert runtime.probe(mapped, "write-file", "/dev/null", "x")["errno"] is None


def test_join_user_namespace_by_path(runtime, mapped, make_bundle):
    holder = runtime.running(mapped)
    second = make_bundle("second")
    subprocess.run(["chown", "-hR", "100000:200000", second.rootfs], check=True)
    second.namespace("user", path=f"/proc/{holder.pid}/ns/user")
    second.set("linux.uidMappings", mapped.linux["uidMappings"]).set("linux.gidMappings", mapped.linux["gidMappings"])
    assert runtime.report(second, "namespaces")["user"] == inode(holder.pid, "user")


@pytest.mark.parametrize("maps", [
    [],
    [{"containerID": 0, "hostID": 100000, "size": 0}],
    [{"containerID": 0, "hostID": 1, "size": 10}, {"containerID": 5, "hostID": 100, "size": 10}],
    [{"containerID": 4294967295, "hostID": 100000, "size": 10}],
], ids=["none", "empty", "overlap", "overflow"])
def test_bad_mappings(runtime, mapped, maps):
    runtime.create_fails(mapped.set("linux.uidMappings", maps), brig_text="uidMappings|uid_map")


@brig_only("runc 1.1.5 ignores them")
def test_mappings_without_user_namespace_are_refused(runtime, bundle):
    bundle.set("linux.uidMappings", [{"containerID": 0, "hostID": 100000, "size": 10}])
    runtime.create_fails(bundle, text="mapping|Mapping")


@brig_only("runc 1.1.5 fails late, at setgroups or setuid, with invalid argument")
@pytest.mark.parametrize("user", [{"uid": 70000, "gid": 0}, {"uid": 0, "gid": 70000},
                                  {"uid": 0, "gid": 0, "additionalGids": [70000]}])
def test_user_that_is_not_mapped_is_refused(runtime, mapped, user):
    runtime.create_fails(mapped.set("process.user", user), text="mapped|70000")
