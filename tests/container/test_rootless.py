"""brig as an ordinary user: who gets which ids, what works without root, and the words for what does not."""
import json
import os
import signal
import stat
import subprocess
import time

import pytest

from brigtest import ConsoleSocket, brig_only, cgroups, requires, wait_until
from brigtest.ordinary_user import SUBORDINATE, OrdinaryUser

pytestmark = [requires("root", "program:setpriv", "program:newuidmap", "program:newgidmap"),
              brig_only("about brig's own choices where runc refuses")]

FIRST, COUNT = SUBORDINATE


@pytest.fixture
def user(leak_check, workdir):
    user = OrdinaryUser(workdir / "user")
    yield user
    user.close()


@pytest.fixture
def runtime(make_runtime, user):
    """The runtime as the user calls it."""
    runtime = make_runtime("runtime")
    runtime.call_as(user)
    return runtime


@pytest.fixture
def bundle(make_bundle, user):
    bundle = make_bundle("bundle")
    user.own(bundle.path)
    return bundle


def map_own_id(bundle, user):
    bundle.namespace("user")
    bundle.set("linux.uidMappings", [{"containerID": 0, "hostID": user.uid, "size": 1}])
    bundle.set("linux.gidMappings", [{"containerID": 0, "hostID": user.gid, "size": 1}])
    bundle.set("mounts", [mount for mount in bundle.spec["mounts"] if mount["type"] != "devpts"])
    return bundle.mount("/dev/pts", "devpts", "devpts", ["newinstance", "ptmxmode=0666", "mode=0620"])


def map_range(bundle, user, count=COUNT):
    bundle.namespace("user")
    for name, own in (("uid", user.uid), ("gid", user.gid)):
        bundle.set(f"linux.{name}Mappings", [{"containerID": 0, "hostID": own, "size": 1},
                                             {"containerID": 1, "hostID": FIRST, "size": count}])
    return bundle


def host_ids(pid):
    status = dict(line.split(":", 1) for line in open(f"/proc/{pid}/status") if ":" in line)
    return status["Uid"].split()[0], status["Gid"].split()[0], status["Groups"].split()


# ---- a bundle as it is

def test_spec_rootless_runs_as_it_is(runtime, bundle, user):
    bundle.config.unlink(missing_ok=True)
    runtime.ok("spec", "--rootless", "--bundle", bundle.path)
    bundle.spec = json.loads(bundle.config.read_text())
    bundle.process["terminal"] = False
    told = runtime.report(bundle, "ids", "uid_map", "gid_map", "hostname")
    assert told["uid_map"].split() == ["0", str(user.uid), "1"]
    assert told["gid_map"].split() == ["0", str(user.gid), "1"]
    assert (told["ids"]["uid"], told["ids"]["gid"]) == (0, 0)


def test_a_bundle_for_root_runs_as_it_is(runtime, bundle, user):
    """Nobody has to edit what `brig spec` or an engine wrote for root."""
    told = runtime.report(bundle, "ids", "uid_map", "namespaces", "hostname")
    assert told["uid_map"].split() == ["0", str(user.uid), "1"]
    assert told["ids"]["uid"] == 0 and told["hostname"] == "contained"
    for kind in ("user", "pid", "net", "mnt", "ipc", "uts"):
        assert told["namespaces"][kind] != os.stat(f"/proc/self/ns/{kind}").st_ino, kind


def test_a_bundle_for_root_gets_the_users_range(runtime, bundle, user):
    user.give_ids()
    container = runtime.running(bundle.set("process.user", {"uid": 1000, "gid": 1001, "additionalGids": [2000]}))
    assert container.report("uid_map", flags=["-u", "0"]).split() == ["0", str(user.uid), "1", "1", str(FIRST), str(COUNT)]
    assert host_ids(container.pid) == (str(FIRST + 999), str(FIRST + 1000), [str(FIRST + 1999)])


def test_rootless_false_makes_no_user_namespace(runtime, bundle):
    result = runtime.run(bundle, code=1, text="CAP_SYS_ADMIN.*rootless",
                         flags=["--rootless=false", "--root", runtime.root, "--log", runtime.log, "--log-format", "json"])
    assert result.out == ""


def test_plan_says_who_writes_the_maps(runtime, bundle, user):
    user.give_ids()
    bundle.write()
    plan = runtime.ok("plan", "--format", "json", "--bundle", bundle.path).json()
    assert plan["namespaces"]["uidMapWriter"] == "/usr/bin/newuidmap"
    assert plan["namespaces"]["uidMappings"][1] == {"containerID": 1, "hostID": FIRST, "size": COUNT}


# ---- mappings

def test_own_id_alone(runtime, bundle, user):
    user.give_ids()  # not used
    container = runtime.running(map_own_id(bundle, user))
    assert host_ids(container.pid)[:2] == (str(user.uid), str(user.gid))
    assert container.report("uid_map").split() == ["0", str(user.uid), "1"]
    assert open(f"/proc/{container.pid}/setgroups").read() == "deny\n"


def test_own_id_may_have_any_number_inside(runtime, bundle, user):
    map_own_id(bundle, user)
    bundle.linux["uidMappings"][0]["containerID"] = bundle.linux["gidMappings"][0]["containerID"] = 1000
    runtime.create_fails(bundle, text="process.user.uid 0|mapped")
    container = runtime.running(bundle.set("process.user", {"uid": 1000, "gid": 1000}))
    assert host_ids(container.pid)[:2] == (str(user.uid), str(user.gid))
    assert container.report("ids")["uid"] == 1000


def test_range(runtime, bundle, user):
    user.give_ids()
    container = runtime.running(map_range(bundle, user))
    assert container.report("gid_map").split() == ["0", str(user.gid), "1", "1", str(FIRST), str(COUNT)]
    assert open(f"/proc/{container.pid}/setgroups").read() == "allow\n"


def test_range_by_number(runtime, bundle, user):
    line = f"{user.uid}:{FIRST}:{COUNT}\n"
    user.give_ids(line, line)
    assert runtime.report(map_range(bundle, user), "uid_map").split()[-1] == str(COUNT)


def test_files_of_mapped_users(runtime, bundle, user):
    """What user 1000 makes belongs to the subordinate id, and root inside may give files away."""
    user.give_ids()
    bundle.set("root.readonly", False)
    bundle.capabilities(**{name: ["CAP_CHOWN"] for name in ("bounding", "effective", "permitted")})
    assert runtime.probe(map_range(bundle, user), "chown", "/tmp", "1000", "1000")["errno"] is None
    status = os.stat(bundle.rootfs / "tmp")
    assert (status.st_uid, status.st_gid) == (FIRST + 999, FIRST + 999)


@pytest.mark.parametrize("subuid,subgid,words", [
    ("", None, rf"uidMappings\[1\].*/etc/subuid gives user brigtester none.*--add-subuids {FIRST}-{FIRST + COUNT - 1} "),
    (None, "", rf"gidMappings\[1\].*/etc/subgid gives user brigtester none.*--add-subgids {FIRST}-{FIRST + COUNT - 1} "),
    (f"brigtester:{FIRST}:1000\n", None, f"only {FIRST}-{FIRST + 999} .*--add-subuids {FIRST + 1000}-{FIRST + COUNT - 1} "),
    (f"somebody:{FIRST}:{COUNT}\n", None, "gives user brigtester none"),
])
def test_range_that_is_missing(runtime, bundle, user, subuid, subgid, words):
    user.give_ids(subuid, subgid)
    runtime.create_fails(map_range(bundle, user), text=words)


@pytest.mark.parametrize("junk", ["\0" * 100, "brigtester\n" * 1000, "brigtester:0:4294967295:\nbrigtester:-1:1\n",
                                  "brigtester:99999999999999999999:1\n", "brigtester:4294967295:9\n:0:65536\n", "x" * (5 << 20)],
                         ids=["zeros", "half lines", "no numbers", "long number", "too far", "large"])
def test_hostile_subuid(runtime, bundle, user, junk):
    user.give_ids(junk, junk)
    runtime.create_fails(map_range(bundle, user), text="gives user brigtester none")
    assert runtime.report(bundle.namespace("user", remove=True).drop("linux.uidMappings").drop("linux.gidMappings"),
                          "uid_map").split() == ["0", str(user.uid), "1"]


def test_uidmap_is_not_installed(runtime, bundle, user):
    user.give_ids()
    user.cover("/usr/bin/newuidmap", "", mode=0o644)
    runtime.create_fails(map_range(bundle, user), text="takes the program newuidmap.*apt-get install uidmap")


def test_newuidmap_that_fails(runtime, bundle, user):
    user.give_ids()
    user.cover("/usr/bin/newuidmap", "#!/bin/sh\necho 'out of order' >&2\nexit 3\n", mode=0o755)
    runtime.create_fails(map_range(bundle, user), text="newuidmap failed with exit code 3: out of order.*setuid")
    assert not os.listdir(runtime.root)


def test_ids_of_others_cannot_be_had(runtime, bundle, user):
    """Not even by a configuration that names them: neither the kernel nor newuidmap would help, and the words say why."""
    user.give_ids()
    map_own_id(bundle, user)
    for host_id in (0, 1000, FIRST - 1, FIRST + COUNT):
        bundle.linux["uidMappings"][0]["hostID"] = host_id
        runtime.create_fails(bundle, text=f"uidMappings.* {host_id}, but /etc/subuid gives user")


def test_groups_cannot_be_set_with_the_own_group_alone(runtime, bundle, user):
    map_own_id(bundle, user).set("process.user.additionalGids", [0])
    runtime.create_fails(bundle, text="additionalGids cannot be set.*setgroups.*newgidmap")


def test_user_that_needs_a_range(runtime, bundle):
    bundle.set("process.user", {"uid": 1000, "gid": 0})
    runtime.create_fails(bundle, text="user ID 1000.*only his own.*usermod --add-subuids")


# ---- the container

def test_devices(runtime, bundle):
    told = runtime.probe(bundle, "stat", "/dev/null", "/dev/zero", "/dev/full", "/dev/tty", "/dev/random")
    assert (told["/dev/null"]["major"], told["/dev/null"]["minor"]) == (1, 3)
    assert (told["/dev/tty"]["major"], told["/dev/tty"]["minor"]) == (5, 0)
    assert runtime.probe(bundle, "write-file", "/dev/null", "x")["errno"] is None


def test_device_that_the_host_lacks(runtime, bundle):
    bundle.set("linux.devices", [{"path": "/dev/brig-none", "type": "c", "major": 10, "minor": 250}])
    runtime.create_fails(bundle, text="/dev/brig-none.*host")


def test_bind_mounts_keep_the_hosts_flags(runtime, bundle, workdir):
    """A flag that the host locked stays; asking to drop it is an error."""
    folder = workdir / "locked"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,nosuid,nodev,noexec", "locked", folder], check=True)
    try:
        bundle.mount("/run", "bind", folder, ["bind"])
        flags = next(mount for mount in runtime.report(bundle, "mounts") if mount["target"] == "/run")["options"]
        assert {"ro", "nosuid", "nodev", "noexec"} <= set(flags.split(",") if isinstance(flags, str) else flags)
        bundle.spec["mounts"][-1]["options"] = ["bind", "rw"]
        runtime.create_fails(bundle, text="may not take away")
    finally:
        subprocess.run(["umount", folder], check=True)


def test_bind_of_what_the_user_may_not_reach(runtime, bundle, workdir):
    folder = workdir / "closed"
    (folder / "inside").mkdir(parents=True)
    folder.chmod(0o700)
    bundle.mount("/run", "bind", folder / "inside", ["bind"])
    runtime.create_fails(bundle, text="permission denied")


def test_masked_and_readonly_paths(runtime, bundle):
    keys = runtime.probe(bundle, "stat", "/proc/keys")["/proc/keys"]
    assert (keys["major"], keys["minor"]) == (1, 3)
    assert runtime.probe(bundle, "write-file", "/proc/sys/kernel/domainname", "x")["errno"] in ("EROFS", "EACCES")


def test_sysctl_of_the_own_network(runtime, bundle):
    bundle.set("linux.sysctl", {"net.ipv4.ip_forward": "1"})
    assert runtime.probe(bundle, "sysctl", "net.ipv4.ip_forward")["net.ipv4.ip_forward"] == "1"


def test_host_network(runtime, bundle):
    """sysfs belongs to the network namespace's owner; the words name the remedy, and the remedy works."""
    bundle.namespace("network", remove=True)
    runtime.create_fails(bundle, text='sysfs.*"rbind"')
    bundle.set("mounts", [mount for mount in bundle.spec["mounts"] if mount["type"] not in ("sysfs", "cgroup")])
    bundle.mount("/sys", "none", "/sys", ["rbind", "nosuid", "noexec", "nodev", "ro"])
    assert runtime.report(bundle, "namespaces")["net"] == os.stat("/proc/self/ns/net").st_ino


def test_seccomp_with_and_without_no_new_privileges(runtime, bundle):
    bundle.set("linux.seccomp", {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
                                 "syscalls": [{"names": ["mkdirat", "mkdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]})
    for no_new_privileges in (True, False):
        bundle.process["noNewPrivileges"] = no_new_privileges
        assert runtime.probe(bundle, "mkdir", "/tmp/x")["errno"] in ("EOPNOTSUPP", "ENOTSUP")


@requires("timens")
def test_time_namespace(runtime, bundle):
    bundle.namespace("time").set("linux.timeOffsets", {"boottime": {"secs": 1234567}})
    told = runtime.report(bundle, "timens_offsets", "namespaces")
    assert "1234567" in told["timens_offsets"]
    assert told["namespaces"]["time"] != os.stat("/proc/self/ns/time").st_ino


def test_id_mapped_mount_is_refused(runtime, bundle, user):
    map_own_id(bundle, user).mount("/run", "bind", "/tmp", ["bind", "idmap"])
    runtime.create_fails(bundle, text="id-mapped mount needs root")


def test_capabilities_are_those_of_the_user_namespace(runtime, bundle):
    bundle.capabilities(**{name: ["CAP_SYS_ADMIN", "CAP_NET_ADMIN"] for name in ("bounding", "effective", "permitted")})
    caps = runtime.report(bundle, "caps")
    assert set(caps["effective"]) == {"CAP_SYS_ADMIN", "CAP_NET_ADMIN"} == set(caps["bounding"])


def test_oom_score_that_may_not_be_lowered(runtime, bundle):
    """runc goes on, and engines rely on it."""
    assert runtime.report(bundle.set("process.oomScoreAdj", -900), "oom_score_adj") == 0
    assert runtime.report(bundle.set("process.oomScoreAdj", 300), "oom_score_adj") == 300


def test_limit_that_may_not_be_raised(runtime, bundle):
    bundle.process["rlimits"] = [{"type": "RLIMIT_CORE", "hard": 7, "soft": 7}]
    assert runtime.report(bundle, "rlimits")["RLIMIT_CORE"] == {"soft": 7, "hard": 7}
    bundle.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "hard": 1 << 30, "soft": 5}]
    runtime.create_fails(bundle, text="RLIMIT_NOFILE.*hard limit is")


def test_hooks(runtime, bundle, user, workdir):
    log = workdir / "runtime" / "hooks"
    argv = ["sh", "-c", f"id -u >> {log}"]
    bundle.set("hooks", {kind: [{"path": "/bin/sh", "args": argv}] for kind in
                         ("prestart", "createRuntime", "createContainer", "poststart", "poststop")})
    runtime.run(bundle.args("true"))
    assert log.read_text().split() == [str(user.uid), str(user.uid), "0", str(user.uid), str(user.uid)]


# ---- namespaces by path

def test_join_the_namespaces_of_another_container(runtime, bundle, make_bundle, user):
    holder = runtime.running(map_own_id(bundle, user))
    second = map_own_id(make_bundle("second"), user)
    user.own(second.path)
    second.drop("linux.uidMappings").drop("linux.gidMappings").drop("hostname")
    for kind, name in (("user", "user"), ("network", "net"), ("uts", "uts"), ("ipc", "ipc")):
        second.namespace(kind, path=f"/proc/{holder.pid}/ns/{name}")
    told = runtime.report(second, "namespaces", "ids")
    for name in ("user", "net", "uts", "ipc"):
        assert told["namespaces"][name] == os.stat(f"/proc/{holder.pid}/ns/{name}").st_ino
    assert told["ids"]["uid"] == 0
    runtime.create_fails(second.set("process.user.additionalGids", [0]), text="forbids setgroups")


def test_root_joins_the_user_namespace_of_a_user(make_runtime, runtime, bundle, make_bundle, user):
    """Its setgroups is denied for good: root's own groups must not go in with it."""
    holder = runtime.running(map_own_id(bundle, user))
    by_root = make_runtime("by_root")
    second = make_bundle("second")
    user.own(second.path)
    second.namespace("user", path=f"/proc/{holder.pid}/ns/user").namespace("cgroup")
    second.set("mounts", [mount for mount in second.spec["mounts"] if mount["type"] != "devpts"])
    container = by_root.running(second)
    assert host_ids(container.pid) == (str(user.uid), str(user.gid), [])


def test_join_a_namespace_of_the_hosts_root(runtime, bundle):
    bundle.namespace("network", path="/proc/1/ns/net")
    runtime.create_fails(bundle, text="permission denied|user namespace that owns it")


# ---- cgroups

@pytest.mark.skipif(cgroups.is_pure_v2(), reason="needs cgroup v1 controllers")
@pytest.mark.parametrize("resource,value", [("memory", {"limit": 1 << 26}), ("pids", {"limit": 10}), ("cpu", {"shares": 512})])
def test_limits_are_refused_on_cgroup_v1(runtime, bundle, resource, value):
    bundle.set(f"linux.resources.{resource}", value)
    runtime.create_fails(bundle, text=f"linux.resources.{resource}.*without root.*cgroup v1.*remove the limit")
    flags = ["--cgroup-manager=disabled", "--root", runtime.root, "--log", runtime.log, "--log-format", "json"]
    runtime.create_fails(bundle, flags=flags, text=f"linux.resources.{resource}.*without a cgroup")


@pytest.mark.skipif(cgroups.is_pure_v2(), reason="needs cgroup v1 controllers")
def test_without_limits_there_is_no_cgroup(runtime, bundle, user):
    own = cgroups.of_process("self")
    container = runtime.running(bundle.set("linux.cgroupsPath", "/brig-rootless/x"))
    assert cgroups.of_process(container.pid) == own
    for verb, words in ((["pause"], "no cgroup, so it cannot be paused"), (["events", "--stats"], "no cgroup"),
                        (["update", "--memory", "1000000"], "no cgroup, so it has no limits")):
        runtime.fails(verb[0], *verb[1:], container.id, text=words)
    assert container.status == "running"


@requires("boot_time")
def test_ps_without_cgroup(runtime, bundle):
    """By the pid namespace, nested ones included."""
    bundle.args("sh", "-c", "sleep 1000 & exec sleep 1000")
    container = runtime.running(bundle)
    listed = wait_until(lambda: len(pids := container.runtime.ok("ps", "--format", "json", container.id).json()) == 2 and pids,
                        "two processes")
    assert container.pid in listed and os.getpid() not in listed
    assert "sleep 1000" in runtime.ok("ps", container.id).out


def test_kill_all_without_cgroup(runtime, bundle):
    bundle.args("sh", "-c", "trap 'echo first got it' USR1; (trap 'echo second got it' USR1; echo up; while :; do sleep 0.1; done) "
                            "& while :; do sleep 0.1; done")
    container = runtime.running(bundle)
    container.wait_for_output("up")
    container.kill("USR1", "--all")
    container.wait_for_output("first got it")
    container.wait_for_output("second got it")
    container.kill("KILL", "--all")
    container.wait_for("stopped")


def test_host_pid_namespace_without_cgroup(runtime, bundle):
    bundle.namespace("pid", remove=True)
    bundle.set("mounts", [mount for mount in bundle.spec["mounts"] if mount["type"] != "proc"])
    bundle.mount("/proc", "none", "/proc", ["rbind"])
    bundle.set("linux.maskedPaths", []).set("linux.readonlyPaths", [])
    container = runtime.running(bundle)
    if not cgroups.is_pure_v2():
        runtime.fails("ps", container.id, text="neither a cgroup nor a pid namespace")


# ---- verbs

def test_life_cycle(runtime, bundle, user):
    container = runtime.create(bundle.args("/bin/probe", "sleep"))
    assert container.status == "created"
    container.start()
    assert container.status == "running"
    listed = runtime.ok("list", "--format", "json").json()
    assert [(entry["id"], entry["owner"]) for entry in listed] == [(container.id, user.name)]
    runtime.fails("delete", container.id, text="not stopped")
    container.kill("KILL")
    container.wait_for("stopped")
    container.delete()


def test_others_cannot_touch_it(runtime, bundle, user):
    container = runtime.running(bundle)
    stranger = ("setpriv", "--reuid", 64999, "--regid", 64999, "--clear-groups", "--inh-caps=-all")
    argv = [*map(str, stranger), runtime.binary, "--root", str(runtime.root)]
    for verb in (["kill", container.id, "KILL"], ["exec", container.id, "true"], ["delete", "--force", container.id]):
        done = subprocess.run([*argv, *verb], capture_output=True, text=True, check=False)
        assert done.returncode != 0 and "permission denied" in done.stderr
    assert container.status == "running"


def test_exec(runtime, bundle, user):
    user.give_ids()
    container = runtime.running(map_range(bundle, user))
    assert container.exec("sh", "-c", "echo $((40 + 2)); exit 3", code=3).out == "42\n"
    assert container.report("ids", flags=["-u", "1000:1001"])["uid"] == 1000
    assert container.report("namespaces")["user"] == os.stat(f"/proc/{container.pid}/ns/user").st_ino
    container.exec_fails("true", flags=["-u", "70000"], text="70000")


def test_exec_with_the_own_id_alone(runtime, bundle, user):
    container = runtime.running(map_own_id(bundle, user))
    assert container.report("ids")["uid"] == 0
    container.exec_fails("true", flags=["-u", "1000"], text="1000")
    container.exec_fails("true", flags=["-g", "5"], text="forbids setgroups")


def test_exec_on_a_terminal(runtime, bundle):
    container = runtime.running(bundle)
    process, pty = runtime.spawn_on_terminal("exec", "-t", container.id, "tty")
    pty.read_until("/dev/pts/")
    process.wait(30)
    assert process.returncode == 0


def test_run_on_a_terminal(runtime, bundle):
    bundle.set("process.terminal", True).args("sh", "-c", "tty; stty size")
    runtime.ids.append("shell")
    bundle.write()
    process, pty = runtime.spawn_on_terminal("run", "--bundle", bundle.path, "shell", rows=33, columns=44)
    pty.read_until("33 44")
    process.wait(30)
    assert process.returncode == 0


def test_console_socket(runtime, bundle, user, workdir):
    bundle.set("process.terminal", True).args("sh", "-c", "tty; sleep 100")
    with ConsoleSocket(workdir / "runtime" / "console") as console:
        user.own(console.path)
        container = runtime.create(bundle, "--console-socket", console.path)
        pty = console.receive()
        container.start()
        pty.read_until("/dev/pts/0")


def test_exec_into_a_created_container(runtime, bundle):
    """Its init is hidden until it is the container's program: the user has no power over it yet."""
    container = runtime.create(bundle.args("/bin/probe", "sleep"))
    container.exec_fails("true", text="start it first")
    container.start()
    container.exec("true")


def test_delete_ends_every_process(runtime, bundle):
    bundle.args("sh", "-c", "setsid sleep 1000 & exec sleep 1000")
    container = runtime.running(bundle)
    pids = wait_until(lambda: len(found := runtime.ok("ps", "--format", "json", container.id).json()) == 2 and found, "two")
    container.delete("--force")
    wait_until(lambda: not any(alive(pid) for pid in pids), "them to end")


def alive(pid):
    try:
        return open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.parametrize("pause", [0.0, 0.005, 0.01, 0.02, 0.04, 0.08])
def test_killed_create(runtime, bundle, user, pause):
    """Whatever was made until then goes with delete --force, or is not there."""
    user.give_ids()
    map_range(bundle, user).write()
    runtime.ids.append("killed")
    process = runtime.spawn("create", "--bundle", bundle.path, "killed")
    time.sleep(pause)
    process.send_signal(signal.SIGKILL)
    process.wait()
    runtime.ok("delete", "--force", "killed")
    assert not (runtime.root / "killed").exists()


# ---- the state root

def test_default_root_is_in_the_runtime_directory(runtime, bundle, user, workdir):
    folder = workdir / "xdg"
    folder.mkdir(mode=0o700)
    user.own(folder)
    env = {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(folder)}
    bundle.args("/bin/probe", "sleep").write()
    runtime.ok("create", "--bundle", bundle.path, "here", flags=[], env=env)
    try:
        assert stat.S_IMODE(os.stat(folder / "brig").st_mode) == 0o1700
        assert runtime.ok("list", "-q", flags=[], env=env).out == "here\n"
    finally:
        runtime.ok("delete", "--force", "here", flags=[], env=env)


def test_no_runtime_directory(runtime, bundle, user):
    bundle.write()
    env = {"PATH": os.environ["PATH"]}
    result = runtime.call("create", "--bundle", bundle.path, "nowhere", flags=[], env=env)
    assert result.code == 1 and "XDG_RUNTIME_DIR" in result.err and "--root" in result.err


# ---- root of a user namespace

@pytest.fixture(params=["host's mounts", "own mounts"])
def inside(request, runtime, user):
    """The runtime as root of a user namespace that an ordinary user made."""
    more = ("--mount",) if request.param == "own mounts" else ()
    runtime.prefix = (*user.prefix, "unshare", "--user", "--map-root-user", *more)
    return runtime


def test_root_of_a_user_namespace(inside, bundle, user):
    """Devices are bound, cgroup v1 is left alone, and no second user namespace is needed."""
    told = inside.report(bundle, "ids", "uid_map", "namespaces", "hostname")
    assert told["uid_map"].split() == ["0", str(user.uid), "1"] and told["hostname"] == "contained"
    assert inside.probe(bundle, "write-file", "/dev/null", "x")["errno"] is None
    assert inside.report(bundle.set("process.oomScoreAdj", -500), "oom_score_adj") == 0


def test_root_of_a_user_namespace_may_nest_another(inside, bundle, user):
    map_own_id(bundle, user)
    inside.create_fails(bundle, text=f"maps host user ID {user.uid}, but brig runs in a user namespace that has only 0")
    for name in ("uidMappings", "gidMappings"):
        bundle.linux[name][0]["hostID"] = 0
    assert inside.report(bundle, "ids")["uid"] == 0


@pytest.mark.parametrize("change,words", [
    ({"uid": 1, "gid": 0}, "process.user.uid 1 does not exist in the user namespace"),
    ({"uid": 0, "gid": 0, "additionalGids": [5]}, "additionalGids 5 does not exist"),
    ({"uid": 0, "gid": 0, "additionalGids": [0]}, "forbids setgroups"),
])
def test_ids_that_a_user_namespace_does_not_have(inside, bundle, change, words):
    inside.create_fails(bundle.set("process.user", change), text=words)


def test_bind_in_a_user_namespace(inside, bundle, workdir):
    (workdir / "runtime" / "given").write_text("hello")
    bundle.file("/run/file")
    bundle.mount("/run/file", "bind", workdir / "runtime" / "given", ["bind", "ro"])
    assert inside.run(bundle.args("cat", "/run/file")).out == "hello"


@pytest.mark.skipif(cgroups.is_pure_v2(), reason="needs cgroup v1 controllers")
def test_limits_in_a_user_namespace(inside, bundle):
    inside.create_fails(bundle.set("linux.resources.memory", {"limit": 1 << 26}), text="without root.*cgroup v1")
