"""linux.resources and cgroupsPath: what the cgroup files say, what the kernel then enforces, what is left."""
import json
import os

import pytest

from brigtest import brig_only, cgroups, requires, settings

MIB = 1 << 20


def own(controller):
    """The cgroup that relative paths start at; on v2 one with processes in it can have no limited children."""
    folder = cgroups.of_process("self")[controller]
    return folder.parent if version(controller) == 2 else folder


def version(controller):
    if controller not in cgroups.hierarchies():
        pytest.skip(f"needs the cgroup controller {controller}")
    return cgroups.hierarchies()[controller].version


def block_device():
    """MAJOR, MINOR of a whole block device, for throttle rules."""
    for name in sorted(os.listdir("/sys/block")):
        major, minor = open(f"/sys/block/{name}/dev").read().split(":")
        return int(major), int(minor)
    pytest.skip("needs a block device")


# ---- places

@pytest.mark.parametrize("path", ["/{tag}-abs/inner", "/{tag}-abs"])
def test_absolute_path_starts_at_the_mount(runtime, bundle, path):
    path = path.format(tag=settings.TAG)
    container = runtime.running(bundle.set("linux.cgroupsPath", path))
    for controller in ("memory", "pids", "cpu"):
        assert container.cgroup(controller) == cgroups.hierarchies()[controller].mount / path.lstrip("/")
    container.delete("--force")
    remove_parent(path)


@pytest.mark.parametrize("path", ["{tag}-rel", "{tag}-rel/inner", "./{tag}-rel/x"])
def test_relative_path_starts_at_the_caller_own(runtime, bundle, path):
    path = path.format(tag=settings.TAG)
    container = runtime.running(bundle.set("linux.cgroupsPath", path))
    for controller in ("memory", "pids", "cpu"):
        assert container.cgroup(controller) == own(controller) / os.path.normpath(path)
    container.delete("--force")
    remove_parent(path)


def remove_parent(path):
    """runc leaves the folders above its own: whoever chose the path has to know what is shared."""
    for folder in sorted(cgroups.folders_with(os.path.normpath(path).strip("/").split("/")[0]), reverse=True):
        os.rmdir(folder)


def test_default_path_has_the_id(runtime, bundle):
    """runc puts it below the caller's own, crun and brig at the top: only the last part is a contract."""
    container = runtime.running(bundle)
    for controller in ("memory", "pids", "cpu"):
        assert container.cgroup(controller).name == container.id


@pytest.mark.parametrize("path", ["/../../{tag}-up", "../../../{tag}-up"])
def test_path_cannot_leave_the_hierarchy(runtime, bundle, path):
    path = path.format(tag=settings.TAG)
    bundle.set("linux.cgroupsPath", path).args("true").write()
    result = runtime.call("run", "--bundle", bundle.path, "up")
    assert not os.path.exists(f"/sys/fs/{settings.TAG}-up") and not os.path.exists(f"/{settings.TAG}-up")
    if result.code == 0:
        for folder in cgroups.folders_with(f"{settings.TAG}-up"):
            os.rmdir(folder)


def test_in_every_controller(runtime, bundle):
    container = runtime.running(bundle)
    places = cgroups.of_process(container.pid)
    assert all(container.id in str(places[name]) for name in places if not name.startswith("name="))


def test_pids_of_the_container_and_no_others(runtime, bundle):
    """The runtime itself is out of it when create returns."""
    container = runtime.create(bundle)
    assert (container.cgroup("pids") / "cgroup.procs").read_text().split() == [str(container.pid)]


@pytest.mark.parametrize("how", ["run", "delete", "force", "failed"])
def test_nothing_is_left(runtime, bundle, how):
    """On top of the leak check of every test: before anything else cleans up."""
    name = f"{settings.TAG}-{how}"
    if how == "run":
        runtime.run(bundle.args("true"), id=name)
    elif how == "failed":
        runtime.create_fails(bundle.args("/no/such"), id=name)
    else:
        container = runtime.running(bundle, id=name)
        if how == "delete":
            container.stop()
        container.delete(*(["--force"] if how == "force" else []))
    assert cgroups.folders_with(name) == set()


def test_sub_cgroups_made_inside_are_removed(runtime, bundle):
    container = runtime.running(bundle)
    for controller in ("pids", "memory"):
        (container.cgroup(controller) / "made").mkdir(exist_ok=True)
        (container.cgroup(controller) / "made" / "deeper").mkdir(exist_ok=True)
    container.delete("--force")
    assert cgroups.folders_with(container.id) == set()


def test_existing_empty_cgroup_is_taken(runtime, bundle):
    """Engines make the parent, some make the cgroup itself."""
    name = f"{settings.TAG}-made"
    folder = own("pids") / name
    folder.mkdir()
    container = runtime.running(bundle.set("linux.cgroupsPath", name))
    assert container.cgroup("pids") == folder
    container.delete("--force")
    if folder.exists():
        folder.rmdir()


@brig_only("runc 1.1 warns, newer ones refuse")
def test_cgroup_with_processes_of_others_is_refused(runtime, make_bundle):
    first, second = make_bundle("first"), make_bundle("second")
    path = f"{settings.TAG}-busy"
    container = runtime.running(first.set("linux.cgroupsPath", path))
    runtime.create_fails(second.set("linux.cgroupsPath", path), text="cgroup")
    assert container.status == "running"


@requires("cgroup_v1")
@pytest.mark.parametrize("namespace", [True, False])
def test_cgroup_mount_v1(runtime, bundle, namespace):
    """The container sees its own cgroup as the root of each controller."""
    if namespace:
        bundle.namespace("cgroup")
    container = runtime.running(bundle)
    inside = container.exec("cat", "/sys/fs/cgroup/pids/cgroup.procs").out.split()
    assert "1" in inside
    assert container.probe("write-file", "/sys/fs/cgroup/pids/cgroup.procs", "1")["errno"] == "EROFS"
    if namespace:
        paths = [line.split(":", 2)[2] for line in container.report("cgroups").splitlines()
                 if line.split(":")[1] in ("pids", "memory", "cpu")]
        assert set(paths) == {"/"}


# ---- values: resources -> (v1 controller, file, text) and (v2 controller, file, text)

VALUES = [
    ("memory-limit", {"memory": {"limit": 64 * MIB}},
     ("memory", "memory.limit_in_bytes", str(64 * MIB)), ("memory", "memory.max", str(64 * MIB))),
    ("memory-reservation", {"memory": {"reservation": 32 * MIB}},
     ("memory", "memory.soft_limit_in_bytes", str(32 * MIB)), ("memory", "memory.low", str(32 * MIB))),
    ("memory-swap", {"memory": {"limit": 64 * MIB, "swap": 96 * MIB}},
     ("memory", "memory.memsw.limit_in_bytes", str(96 * MIB)), ("memory", "memory.swap.max", str(32 * MIB))),
    ("memory-no-swap", {"memory": {"limit": 64 * MIB, "swap": 64 * MIB}},
     ("memory", "memory.memsw.limit_in_bytes", str(64 * MIB)), ("memory", "memory.swap.max", "0")),
    ("memory-unlimited", {"memory": {"limit": -1, "swap": -1}},
     ("memory", "memory.limit_in_bytes", str(9223372036854771712)), ("memory", "memory.max", "max")),
    ("swappiness", {"memory": {"swappiness": 10}}, ("memory", "memory.swappiness", "10"), None),
    ("no-oom-killer", {"memory": {"limit": 64 * MIB, "disableOOMKiller": True}},
     ("memory", "memory.oom_control", "oom_kill_disable 1"), None),
    ("quota", {"cpu": {"quota": 50000, "period": 100000}},
     ("cpu", "cpu.cfs_quota_us", "50000"), ("cpu", "cpu.max", "50000 100000")),
    ("period", {"cpu": {"quota": 20000, "period": 200000}},
     ("cpu", "cpu.cfs_period_us", "200000"), ("cpu", "cpu.max", "20000 200000")),
    ("quota-unlimited", {"cpu": {"quota": -1, "period": 100000}},
     ("cpu", "cpu.cfs_quota_us", "-1"), ("cpu", "cpu.max", "max 100000")),
    ("shares", {"cpu": {"shares": 512}}, ("cpu", "cpu.shares", "512"), ("cpu", "cpu.weight", "59")),
    ("cpus", {"cpu": {"cpus": "0"}}, ("cpuset", "cpuset.cpus", "0"), ("cpuset", "cpuset.cpus", "0")),
    ("mems", {"cpu": {"cpus": "0", "mems": "0"}}, ("cpuset", "cpuset.mems", "0"), ("cpuset", "cpuset.mems", "0")),
    ("pids", {"pids": {"limit": 37}}, ("pids", "pids.max", "37"), ("pids", "pids.max", "37")),
    ("pids-unlimited", {"pids": {"limit": -1}}, ("pids", "pids.max", "max"), ("pids", "pids.max", "max")),
]


NOT_UPDATED = ("swappiness", "no-oom-killer")  # `update` has no say in these
ROWS = [pytest.param(verb, *row[1:], id=f"{verb}-{row[0]}") for verb in ("create", "update") for row in VALUES
        if verb == "create" or row[0] not in NOT_UPDATED]


@pytest.mark.parametrize("verb,resources,v1,v2", ROWS)
def test_value(runtime, bundle, verb, resources, v1, v2):
    controller = (v1 or v2)[0]
    wanted = {1: v1, 2: v2}[version(controller)]
    if wanted is None:
        pytest.skip(f"needs cgroup v1 for {v1[1]}")
    if verb == "create":
        bundle.linux["resources"].update(resources)
        container = runtime.create(bundle)
    else:
        container = runtime.create(bundle)
        runtime.ok("update", "--resources=-", container.id, input=json.dumps(resources))
    assert wanted[2] in container.cgroup_file(*wanted[:2])


@pytest.mark.parametrize("key,file,field", [
    ("throttleReadBpsDevice", "blkio.throttle.read_bps_device", "rbps"),
    ("throttleWriteBpsDevice", "blkio.throttle.write_bps_device", "wbps"),
    ("throttleReadIOPSDevice", "blkio.throttle.read_iops_device", "riops"),
    ("throttleWriteIOPSDevice", "blkio.throttle.write_iops_device", "wiops"),
])
def test_block_throttle(runtime, bundle, key, file, field):
    major, minor = block_device()
    bundle.set(f"linux.resources.blockIO.{key}", [{"major": major, "minor": minor, "rate": 1000000}])
    container = runtime.create(bundle)
    if "blkio" in cgroups.hierarchies():
        assert container.cgroup_file("blkio", file) == f"{major}:{minor} 1000000"
    else:
        limits = container.cgroup_file("io", "io.max").split()
        assert limits[0] == f"{major}:{minor}" and f"{field}=1000000" in limits


def test_values_are_set_before_the_process_runs(runtime, bundle):
    bundle.set("linux.resources.pids", {"limit": 5})
    told = runtime.probe(bundle, "fork-bomb", "50")
    assert told == {"made": 4, "errno": "EAGAIN"}


@brig_only("spec 1.3: 0 is a limit; for runc 1.1.5 it is none")
def test_pids_limit_zero_is_the_smallest(runtime, bundle):
    container = runtime.create(bundle.set("linux.resources.pids", {"limit": 0}))
    assert int(container.cgroup_file("pids", "pids.max")) <= 1


@pytest.mark.parametrize("resources", [
    {"cpu": {"quota": 10, "period": 100000}}, {"cpu": {"cpus": "4000"}}, {"cpu": {"cpus": "x"}},
    {"memory": {"limit": 64 * MIB, "swap": 32 * MIB}}, {"memory": {"swappiness": 300}},
    {"cpu": {"period": 1}},
], ids=["quota", "no-such-cpu", "not-cpus", "swap-below-limit", "swappiness", "period"])
def test_value_that_the_kernel_refuses(runtime, bundle, resources):
    bundle.linux["resources"].update(resources)
    runtime.create_fails(bundle, brig_text="|".join(resources))


@brig_only("runc goes on without")
def test_resources_of_an_absent_controller_are_refused(runtime, bundle):
    """A limit that cannot be set is an error, not a warning."""
    if "net_cls" in cgroups.hierarchies():
        pytest.skip("needs a host without the net_cls controller")
    bundle.set("linux.resources.network", {"classID": 0x10001})
    runtime.create_fails(bundle, text="net_cls|classID|linux.resources.network")


# ---- enforced

@pytest.mark.parametrize("where", ["run", "exec"])
def test_memory_limit_is_enforced(runtime, bundle, where):
    bundle.set("linux.resources.memory", {"limit": 32 * MIB, "swap": 32 * MIB})
    if where == "run":
        bundle.namespace("pid").args("/bin/probe", "allocate", "256")
        runtime.run(bundle, code=137)
    else:
        container = runtime.running(bundle)
        container.exec("/bin/probe", "allocate", "256", code=137)


def test_below_the_memory_limit_all_is_well(runtime, bundle):
    bundle.set("linux.resources.memory", {"limit": 64 * MIB})
    assert runtime.probe(bundle, "allocate", "20")["errno"] is None


@pytest.mark.parametrize("limit", [3, 10])
def test_pids_limit_is_enforced(runtime, bundle, limit):
    bundle.set("linux.resources.pids", {"limit": limit})
    assert runtime.probe(bundle, "fork-bomb", "100") == {"made": limit - 1, "errno": "EAGAIN"}


def test_pids_limit_holds_for_exec(runtime, bundle):
    container = runtime.running(bundle.set("linux.resources.pids", {"limit": 12}))
    assert container.probe("fork-bomb", "100")["made"] <= 10


def test_cpu_quota_is_enforced(runtime, bundle):
    """A tenth of a CPU: throttling is counted, and the share of time stays far below a whole one."""
    bundle.set("linux.resources.cpu", {"quota": 10000, "period": 100000})
    told = runtime.probe(bundle, "burn", "1")
    assert told["cpu"] < told["wall"] / 2


@requires("two_cpus")
@pytest.mark.parametrize("cpu", [0, 1])
def test_cpuset_is_enforced(runtime, bundle, cpu):
    bundle.set("linux.resources.cpu", {"cpus": str(cpu)})
    assert runtime.report(bundle, "affinity") == [cpu]


@requires("two_cpus")
def test_cpuset_is_enforced_in_exec(runtime, bundle):
    container = runtime.running(bundle.set("linux.resources.cpu", {"cpus": "1"}))
    assert container.report("affinity") == [1]


# ---- devices

def opens(runtime, bundle, major, minor, mode="rw", kind="c"):
    """errno of opening a node that is made outside, so that mknod is not in question."""
    node = bundle.rootfs / f"node-{kind}-{major}-{minor}"
    if not node.exists():
        os.mknod(node, 0o666 | (0o020000 if kind == "c" else 0o060000), os.makedev(major, minor))
        node.chmod(0o666)
    bundle.set("root.readonly", True)
    return runtime.probe(bundle, "open", f"/{node.name}", mode)["errno"]


DENY_ALL = {"allow": False, "access": "rwm"}


@pytest.mark.parametrize("rules,mode,denied", [
    ([DENY_ALL], "r", True),
    ([DENY_ALL, {"allow": True, "type": "c", "major": 1, "minor": 1, "access": "rwm"}], "r", False),
    ([DENY_ALL, {"allow": True, "type": "c", "major": 1, "minor": 1, "access": "r"}], "r", False),
    ([DENY_ALL, {"allow": True, "type": "c", "major": 1, "minor": 1, "access": "r"}], "rw", True),
    ([DENY_ALL, {"allow": True, "type": "c", "major": 1, "access": "rwm"}], "rw", False),
    ([DENY_ALL, {"allow": True, "type": "b", "major": 1, "minor": 1, "access": "rwm"}], "r", True),
    ([{"allow": True, "access": "rwm"}], "rw", False),
    ([{"allow": True, "access": "rwm"}, {"allow": False, "type": "c", "major": 1, "minor": 1, "access": "rwm"}], "r",
     True),
], ids=["denied", "allowed", "read", "not-write", "any-minor", "other-type", "all", "all-but"])
def test_device_rules(runtime, bundle, rules, mode, denied):
    """/dev/mem, 1:1, which the kernel need not have: it then says ENXIO once the cgroup lets it through."""
    bundle.all_capabilities().linux["resources"]["devices"] = rules
    assert (opens(runtime, bundle, 1, 1, mode) == "EPERM") == denied


@pytest.mark.parametrize("rules", [[DENY_ALL], [], None])
def test_default_devices_are_always_allowed(runtime, bundle, rules):
    if rules is None:
        bundle.drop("linux.resources")
    else:
        bundle.linux["resources"]["devices"] = rules
    for name, mode in (("null", "rw"), ("zero", "r"), ("full", "r"), ("random", "r"), ("urandom", "r"), ("ptmx", "rw")):
        assert runtime.probe(bundle, "open", f"/dev/{name}", mode)["errno"] is None, name


@pytest.mark.parametrize("rules", [[], None])
def test_without_rules_nothing_else_is_allowed(runtime, bundle, rules):
    """runc's default: the spec has no rule, the device is denied."""
    bundle.all_capabilities()
    if rules is None:
        bundle.drop("linux.resources")
    else:
        bundle.linux["resources"]["devices"] = rules
    assert opens(runtime, bundle, 1, 1, "r") == "EPERM"


def test_mknod_is_allowed_and_open_is_not(runtime, bundle):
    """The default of runc and Docker: any node may be made."""
    bundle.all_capabilities().set("root.readonly", False)
    container = runtime.running(bundle)
    assert container.probe("mknod", "/tmp/mem", "c", "1", "1")["errno"] is None
    assert container.probe("open", "/tmp/mem", "r")["errno"] == "EPERM"


@pytest.mark.parametrize("rule,words", [
    ({"allow": True, "type": "z", "access": "rwm"}, "type"),
    brig_only("runc 1.1.5 takes any", {"allow": True, "type": "c", "access": "x"}, "access"),
    brig_only("runc 1.1.5 takes no access for all", {"allow": True, "type": "c", "access": ""}, "access"),
])
def test_bad_device_rules(runtime, bundle, rule, words):
    bundle.linux["resources"]["devices"] = [rule]
    runtime.create_fails(bundle, brig_text=words)


# ---- update

@pytest.mark.parametrize("flags,v1,v2", [
    (["--memory", "48M"], ("memory", "memory.limit_in_bytes", str(48 * MIB)), ("memory", "memory.max", str(48 * MIB))),
    (["--memory=50331648"], ("memory", "memory.limit_in_bytes", str(48 * MIB)), ("memory", "memory.max", str(48 * MIB))),
    (["--memory-reservation", "16M"], ("memory", "memory.soft_limit_in_bytes", str(16 * MIB)),
     ("memory", "memory.low", str(16 * MIB))),
    (["--pids-limit", "25"], ("pids", "pids.max", "25"), ("pids", "pids.max", "25")),
    (["--cpu-quota", "30000", "--cpu-period", "100000"], ("cpu", "cpu.cfs_quota_us", "30000"),
     ("cpu", "cpu.max", "30000 100000")),
    (["--cpu-share", "256"], ("cpu", "cpu.shares", "256"), ("cpu", "cpu.weight", "35")),
    (["--cpuset-cpus", "0"], ("cpuset", "cpuset.cpus", "0"), ("cpuset", "cpuset.cpus", "0")),
])
def test_update_by_flags(runtime, bundle, flags, v1, v2):
    controller, file, text = {1: v1, 2: v2}[version(v1[0])]
    container = runtime.running(bundle)
    runtime.ok("update", *flags, container.id)
    assert container.cgroup_file(controller, file) == text


@pytest.mark.parametrize("flag", ["-r", "--resources"])
def test_update_by_file(runtime, bundle, workdir, flag):
    (workdir / "resources.json").write_text(json.dumps({"pids": {"limit": 33}}))
    container = runtime.running(bundle)
    runtime.ok("update", flag, workdir / "resources.json", container.id)
    assert container.cgroup_file("pids", "pids.max") == "33"


def test_update_keeps_what_it_is_not_asked_about(runtime, bundle):
    bundle.linux["resources"].update({"pids": {"limit": 20}, "memory": {"limit": 64 * MIB}})
    bundle.all_capabilities()
    container = runtime.running(bundle)
    before = container.cgroup_file("memory", {1: "memory.limit_in_bytes", 2: "memory.max"}[version("memory")])
    runtime.ok("update", "--pids-limit", "30", container.id)
    after = container.cgroup_file("memory", {1: "memory.limit_in_bytes", 2: "memory.max"}[version("memory")])
    assert before == after
    assert container.cgroup_file("pids", "pids.max") == "30"


def test_update_does_not_touch_devices(runtime, bundle):
    node = bundle.rootfs / "node"
    os.mknod(node, 0o020666, os.makedev(1, 1))
    container = runtime.running(bundle.all_capabilities())
    runtime.ok("update", "--pids-limit", "30", container.id)
    assert container.probe("open", "/node", "r")["errno"] == "EPERM"
    assert container.probe("open", "/dev/null", "rw")["errno"] is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pids": 5}', '{"pids": {"limit": "many"}}'])
def test_update_with_bad_json(runtime, bundle, text):
    container = runtime.running(bundle)
    runtime.fails("update", "--resources=-", container.id, input=text)
    assert container.status == "running"


@pytest.mark.parametrize("flags", [["--memory", "lots"], ["--cpu-quota", "10"], ["--cpuset-cpus", "4000"]])
def test_bad_update_is_refused(runtime, bundle, flags):
    container = runtime.running(bundle)
    assert runtime.call("update", *flags, container.id).code != 0
    assert container.status == "running"


def test_update_of_stopped_container_is_refused(runtime, bundle):
    container = runtime.running(bundle).stop()
    runtime.fails("update", "--pids-limit", "5", container.id, text="not running|stopped")


# ---- systemd

@brig_only("the message is brig's")
def test_systemd_driver_without_systemd(runtime, bundle):
    """What runs under systemd is tested in the virtual machine (tests/vm/guest/test_systemd_driver.py)."""
    hidden = ["unshare", "--mount", "sh", "-c",
              'for place in /run/systemd /run/dbus; do [ ! -d $place ] || mount -t tmpfs none $place; done; exec "$@"', "sh"]
    flags = ["--systemd-cgroup", "--root", runtime.root, "--log", runtime.log, "--log-format", "json"]
    runtime.create_fails(bundle, flags=flags, prefix=hidden, text="systemd cannot be reached.*--cgroup-manager cgroupfs")
