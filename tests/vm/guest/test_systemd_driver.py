"""--systemd-cgroup: systemd makes the container's cgroup, brig sets the exact limits in it, and neither undoes the other's work."""
import json
import os
import re
import signal
import subprocess
import time

import pytest

from brigtest import requires, settings, wait_until

pytestmark = requires("root", "cgroup_v2", "program:systemctl", "controller:memory", "controller:pids", "controller:cpu")
ROOT = "/sys/fs/cgroup"
MIB = 1 << 20
TESTER = 1000  # a user whose own systemd runs from boot on


def systemctl(*arguments, user=None):
    prefix = [] if user is None else ["setpriv", "--reuid", str(user), "--regid", str(user), "--clear-groups", "env",
                                      f"XDG_RUNTIME_DIR=/run/user/{user}"]
    command = [*prefix, "systemctl", *([] if user is None else ["--user"]), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def show(unit, *names, user=None):
    lines = systemctl("show", unit, *(f"--property={name}" for name in names), user=user).splitlines()
    values = dict(line.split("=", 1) for line in lines)
    return values[names[0]] if len(names) == 1 else values


def is_active(unit, user=None):
    return systemctl("is-active", unit, user=user) == "active"


def read(*path):
    with open(os.path.join(*path)) as file:
        return file.read().strip()


def by_systemd(runtime):
    """Every call has --systemd-cgroup, as containerd and Docker give it."""
    plain = runtime.command
    usual = ["--systemd-cgroup", "--root", runtime.root, "--log", runtime.log, "--log-format", "json"]
    runtime.command = lambda *arguments, flags=None: plain(*arguments, flags=flags or usual)
    return runtime


@pytest.fixture
def no_unit_left(leak_check):
    """No unit of the test may be there at its end; slices around one stay, which is systemd's way."""
    yield
    left = systemctl("list-units", "--all", "--no-legend", "--plain", f"*{settings.TAG}*.scope")
    systemctl("stop", f"{settings.TAG}.slice")
    assert not left, left


@pytest.fixture
def systemd(no_unit_left, make_runtime):
    return by_systemd(make_runtime("systemd"))


@pytest.fixture
def named(bundle):
    """The bundle with a cgroupsPath of the test's own, and the unit that it means."""
    name = f"{settings.TAG}n{int(time.monotonic() * 1000)}"
    bundle.set("linux.cgroupsPath", f"system.slice:t:{name}")
    return bundle, f"t-{name}.scope"


def cgroup_of(container):
    return ROOT + read(f"/proc/{container.pid}/cgroup").removeprefix("0::")


# ---- create

def test_scope_in_its_slice(systemd, bundle):
    tag = settings.TAG
    bundle.set("linux.cgroupsPath", f"{tag}-a-b.slice:pre:fix")
    container = systemd.running(bundle)
    folder = f"{ROOT}/{tag}.slice/{tag}-a.slice/{tag}-a-b.slice/pre-fix.scope"
    assert cgroup_of(container) == folder and os.path.isdir(folder)
    seen = show("pre-fix.scope", "Slice", "Description", "Delegate", "ActiveState", "DefaultDependencies", "DevicePolicy")
    assert seen == {"Slice": f"{tag}-a-b.slice", "Description": f"brig container {systemd.root}/{container.id}", "Delegate": "yes",
                    "ActiveState": "active", "DefaultDependencies": "no", "DevicePolicy": "strict"}
    container.stop()
    container.delete()
    assert not os.path.exists(folder) and show("pre-fix.scope", "LoadState") == "not-found"


def test_without_a_path(systemd, bundle):
    container = systemd.running(bundle)
    assert cgroup_of(container) == f"{ROOT}/system.slice/brig-{container.id}.scope"
    assert is_active(f"brig-{container.id}.scope")


def test_the_container_sees_its_own_root(systemd, named):
    bundle, _ = named
    assert systemd.run(bundle.namespace("cgroup").args("cat", "/proc/self/cgroup")).out == "0::/\n"


def test_limits_are_properties_and_files(systemd, named):
    bundle, unit = named
    bundle.set("linux.resources.memory", {"limit": 64 * MIB, "reservation": 32 * MIB, "swap": 64 * MIB})
    bundle.set("linux.resources.cpu", {"quota": 12345, "period": 100000, "shares": 512, "burst": 1000})
    bundle.set("linux.resources.pids", {"limit": 21}).set("linux.resources.unified", {"memory.high": str(48 * MIB)})
    container = systemd.running(bundle)
    assert show(unit, "MemoryMax", "MemoryLow", "MemoryHigh", "MemorySwapMax", "TasksMax", "CPUWeight") == {
        "MemoryMax": str(64 * MIB), "MemoryLow": str(32 * MIB), "MemoryHigh": str(48 * MIB), "MemorySwapMax": "0", "TasksMax": "21",
        "CPUWeight": read(cgroup_of(container), "cpu.weight")}
    assert show(unit, "CPUQuotaPerSecUSec", "CPUQuotaPeriodUSec") == {"CPUQuotaPerSecUSec": "130ms", "CPUQuotaPeriodUSec": "100ms"}
    expected = {"memory.max": str(64 * MIB), "memory.low": str(32 * MIB), "memory.high": str(48 * MIB), "pids.max": "21",
                "cpu.max": "12345 100000", "cpu.max.burst": "1000"}
    assert {name: read(cgroup_of(container), name) for name in expected} == expected


def test_memory_limit_ends_a_process(systemd, named):
    bundle, _ = named
    bundle.set("linux.resources.memory", {"limit": 32 * MIB, "swap": 32 * MIB})
    systemd.run(bundle.args("/bin/probe", "allocate", "200"), code=137)


@requires("controller:cpuset")
def test_cpuset(systemd, named):
    bundle, unit = named
    container = systemd.running(bundle.set("linux.resources.cpu", {"cpus": "0", "mems": "0"}))
    assert show(unit, "AllowedCPUs", "AllowedMemoryNodes") == {"AllowedCPUs": "0", "AllowedMemoryNodes": "0"}
    systemctl("daemon-reload")
    assert read(cgroup_of(container), "cpuset.cpus") == "0"


def test_daemon_reload_keeps_everything(systemd, named):
    bundle, _ = named
    node = bundle.rootfs / "node"
    os.mknod(node, 0o020666, os.makedev(1, 1))
    bundle.all_capabilities().set("linux.resources.memory", {"limit": 64 * MIB, "reservation": 32 * MIB})
    bundle.set("linux.resources.cpu", {"quota": 50000, "period": 100000, "shares": 512, "burst": 1000})
    bundle.set("linux.resources.pids", {"limit": 21})
    bundle.set("linux.resources.unified", {"memory.high": str(48 * MIB), "memory.min": str(4 * MIB), "cgroup.max.depth": "5"})
    container = systemd.running(bundle)
    names = ["memory.max", "memory.low", "memory.high", "memory.min", "cpu.max", "cpu.weight", "cpu.max.burst", "pids.max",
             "cgroup.max.depth"]

    def values():
        return {name: read(cgroup_of(container), name) for name in names}

    before = values()
    assert before["cpu.max"] == "50000 100000" and before["memory.min"] == str(4 * MIB)
    systemd.ok("pause", container.id)
    systemctl("daemon-reload")
    assert values() == before and container.status == "paused"
    systemd.ok("resume", container.id)
    systemctl("daemon-reload")
    assert container.probe("open", "/node", "r")["errno"] == "EPERM"
    assert container.probe("open", "/dev/null", "rw")["errno"] is None
    systemd.ok("update", "--memory", "80M", "--cpu-quota", "30000", "--pids-limit", "33", container.id)
    systemctl("daemon-reload")
    assert values() == {**before, "memory.max": str(80 * MIB), "cpu.max": "30000 100000", "pids.max": "33"}


def test_control_daemon_reload_resets_what_systemd_is_not_told(systemd, named):
    """What the test above looks for does happen to a file that is written behind systemd's back."""
    bundle, _ = named
    container = systemd.running(bundle)
    with open(f"{cgroup_of(container)}/memory.high", "w") as file:
        file.write(str(48 * MIB))
    systemctl("daemon-reload")
    assert read(cgroup_of(container), "memory.high") == "max"


def test_devices_of_a_privileged_container(systemd, named):
    bundle, unit = named
    node = bundle.rootfs / "node"
    os.mknod(node, 0o020666, os.makedev(1, 1))
    bundle.all_capabilities().linux["resources"]["devices"] = [{"allow": True, "access": "rwm"}]
    container = systemd.running(bundle)
    assert show(unit, "DevicePolicy") == "auto"
    assert container.probe("open", "/node", "r")["errno"] != "EPERM"


def test_a_denied_device_in_an_allowed_range(systemd, named):
    """systemd cannot express it: brig's own filter does."""
    bundle, _ = named
    for minor in (5, 7):
        os.mknod(bundle.rootfs / f"node{minor}", 0o020666, os.makedev(1, minor))
    bundle.all_capabilities().linux["resources"]["devices"] = [
        {"allow": False, "access": "rwm"}, {"allow": True, "type": "c", "major": 1, "access": "rwm"},
        {"allow": False, "type": "c", "major": 1, "minor": 7, "access": "rwm"}]
    container = systemd.running(bundle)
    systemctl("daemon-reload")
    assert container.probe("open", "/node5", "r")["errno"] is None
    assert container.probe("open", "/node7", "r")["errno"] == "EPERM"


def test_a_slice_as_the_container(systemd, bundle):
    name = f"{settings.TAG}-one.slice"
    bundle.set("linux.cgroupsPath", f":x:{name}").set("linux.resources.pids", {"limit": 9})
    container = systemd.running(bundle)
    assert cgroup_of(container) == f"{ROOT}/{settings.TAG}.slice/{name}"
    assert show(name, "TasksMax") == "9" == read(cgroup_of(container), "pids.max")
    systemctl("daemon-reload")
    assert read(cgroup_of(container), "pids.max") == "9"
    assert container.exec("cat", "/proc/self/cgroup").out.endswith(f"{name}\n")
    container.delete("--force")
    assert not os.path.exists(f"{ROOT}/{settings.TAG}.slice/{name}")
    assert show(name, "ActiveState") == "inactive"


@pytest.mark.parametrize("path,words", [
    ("/docker/abc", "SLICE:PREFIX:NAME"), ("system.slice:abc", "SLICE:PREFIX:NAME"), ("a:b:c:d", "SLICE:PREFIX:NAME"),
    ("system.slice:x:", "has no NAME"), ("a--b.slice:x:y", "a part between its dashes is empty"),
    ("system:x:y", "does not end with .slice"), ("system.slice:x:a/b", "cannot be in the name"),
    (":x:-.slice", "root slice"),
])
def test_bad_paths(systemd, bundle, path, words):
    systemd.create_fails(bundle.set("linux.cgroupsPath", path), text=re.escape(words))


def test_a_name_that_is_taken(systemd, bundle):
    """The other's unit goes on, also when the container is deleted."""
    unit = f"x-{settings.TAG}.scope"
    other = subprocess.Popen(["systemd-run", "--scope", "--quiet", f"--unit={unit}", "sleep", "1000"])
    try:
        wait_until(lambda: is_active(unit), f"{unit} to be active")
        bundle.set("linux.cgroupsPath", f"system.slice:x:{settings.TAG}")
        systemd.create_fails(bundle, text=f"systemd refuses to start {unit}.*another container or service has it")
        assert is_active(unit) and other.poll() is None
    finally:
        other.kill()
        other.wait()
    wait_until(lambda: not is_active(unit), f"{unit} to end")
    container = systemd.running(bundle)
    container.delete("--force")


def test_the_same_name_again_at_once(systemd, named):
    bundle, unit = named
    for _ in range(5):
        systemd.run(bundle.args("true"), id="again")
    assert show(unit, "LoadState") == "not-found"


def test_without_systemd(systemd, bundle):
    hidden = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /run/systemd; mount -t tmpfs none /run/dbus; exec "$@"', "sh"]
    systemd.create_fails(bundle, prefix=hidden, text="systemd cannot be reached.*--cgroup-manager cgroupfs")


# ---- annotations

@pytest.mark.parametrize("name,value,shown,seen", [
    ("TimeoutStopUSec", "uint64 5000000", "TimeoutStopUSec", "5s"), ("TimeoutStopSec", "7", "TimeoutStopUSec", "7s"),
    ("CollectMode", "'inactive'", "CollectMode", "inactive"), ("CPUWeight", "uint64 55", "CPUWeight", "55"),
    ("MemoryHigh", "uint64 67108864", "MemoryHigh", "67108864"), ("SendSIGHUP", "true", "SendSIGHUP", "yes"),
])
def test_annotated_properties(systemd, named, name, value, shown, seen):
    bundle, unit = named
    container = systemd.running(bundle.set("annotations", {f"org.systemd.property.{name}": value}))
    assert show(unit, shown) == seen
    container.delete("--force")


@pytest.mark.parametrize("name,value,words", [
    ("FailureAction", "'reboot'", "FailureAction is not for containers"), ("Conflicts", "['a.service']", "is not for containers"),
    ("TimeoutStopUSec", "'soon'", "is not a number"), ("MemoryMax", "uint64 5", "sets what config.json sets already"),
    ("CPUWeight", "uint64 99999", "systemd refuses to start .*CPUWeight"),
])
def test_refused_annotations(systemd, named, name, value, words):
    bundle, unit = named
    bundle.set("annotations", {f"org.systemd.property.{name}": value}).set("linux.resources.memory", {"limit": 64 * MIB})
    systemd.create_fails(bundle, text=words)
    assert show(unit, "LoadState") == "not-found"


# ---- the rest of a container's life

def test_exec_ps_events_kill(systemd, named):
    bundle, unit = named
    container = systemd.running(bundle)
    assert container.exec("cat", "/proc/self/cgroup").out == f"0::/system.slice/{unit}\n"
    systemd.ok("exec", "--detach", container.id, "/bin/probe", "sleep")
    assert len(systemd.ok("ps", "--format", "json", container.id).json()) == 2
    assert systemd.ok("events", "--stats", container.id).json()["data"]["pids"]["current"] == 2
    container.kill("KILL", "--all")
    container.wait_for("stopped")
    container.delete()
    assert show(unit, "LoadState") == "not-found"


def test_update_is_all_or_nothing(systemd, named):
    bundle, unit = named
    bundle.set("linux.resources.pids", {"limit": 21}).set("linux.resources.memory", {"limit": 64 * MIB})
    container = systemd.running(bundle)
    resources = {"memory": {"limit": 128 * MIB}, "pids": {"limit": 50}, "unified": {"memory.oom.group": "nonsense"}}
    systemd.fails("update", "--resources=-", container.id, input=json.dumps(resources), text="memory.oom.group")
    assert read(cgroup_of(container), "memory.max") == str(64 * MIB) and read(cgroup_of(container), "pids.max") == "21"
    assert show(unit, "MemoryMax", "TasksMax") == {"MemoryMax": str(64 * MIB), "TasksMax": "21"}
    # The kernel takes this, systemd does not.
    resources = {"pids": {"limit": 50}, "unified": {"cpu.max": "1000 2000000"}}
    result = systemd.call("update", "--resources=-", container.id, input=json.dumps(resources))
    expected = "21" if result.code else "50"
    assert read(cgroup_of(container), "pids.max") == show(unit, "TasksMax") == expected


def test_update_of_a_unit_that_systemd_has_lost(systemd, named):
    """What systemd cannot be told is not changed behind its back."""
    bundle, unit = named
    container = systemd.running(bundle.set("linux.resources.pids", {"limit": 21}))
    record = systemd.root / container.id / "brig.json"
    text = record.read_text()
    record.write_text(re.sub(r'"name": ?"' + re.escape(unit), f'"name":"no-{unit}', text))
    systemd.fails("update", "--pids-limit", "50", container.id, text=f"systemd refuses to change no-{unit}")
    assert read(cgroup_of(container), "pids.max") == "21"
    record.write_text(text)


def test_killed_create_is_cleaned_up(systemd, named):
    """At whatever step it is killed: the unit's name was in the record before the unit was there."""
    bundle, unit = named
    seen = set()
    for milliseconds in [*range(1, 40, 3), 60, 90]:
        identity = f"{settings.TAG}-killed"
        process = systemd.spawn("create", "--bundle", bundle.write().path, identity, stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(milliseconds / 1000)
        process.kill()
        process.wait()
        seen.add(is_active(unit))
        systemd.ok("delete", "--force", identity)
        assert show(unit, "LoadState") == "not-found", milliseconds
        assert not os.path.exists(f"{ROOT}/system.slice/{unit}"), milliseconds
        assert not (systemd.root / identity).exists()
    container = systemd.running(bundle)
    container.delete("--force")


def test_killed_create_never_touches_a_strangers_unit(systemd, named, workdir):
    """A create that named a unit which is somebody else's, and was killed before systemd refused."""
    bundle, unit = named
    stranger = f"stranger-{settings.TAG}.scope"
    hook = workdir / "hook"
    hook.write_text(f"#!/bin/sh\necho $$ > {workdir}/hook.pid\nexec sleep 100\n")
    hook.chmod(0o755)
    bundle.set("hooks.createRuntime", [{"path": str(hook)}])
    process = systemd.spawn("create", "--bundle", bundle.write().path, "killed", stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: is_active(unit), f"{unit} to be active")
    wait_until(lambda: os.path.exists(f"{workdir}/hook.pid") and read(workdir, "hook.pid"), "the hook to run")
    process.kill()
    process.wait()
    os.kill(int(read(workdir, "hook.pid")), signal.SIGKILL)
    other = subprocess.Popen(["systemd-run", "--scope", "--quiet", f"--unit={stranger}", "sleep", "1000"])
    try:
        wait_until(lambda: is_active(stranger), f"{stranger} to be active")
        record = systemd.root / "killed" / "brig.json"
        own = record.read_text()
        record.write_text(own.replace(unit, stranger))
        systemd.call("kill", "--all", "killed", "KILL")
        assert is_active(stranger) and other.poll() is None
        (workdir / "copy").write_text(own)
        result = systemd.ok("delete", "--force", "killed")
        assert any("somebody else's" in entry["msg"] for entry in result.log), result
        assert is_active(stranger) and other.poll() is None
    finally:
        other.kill()
        other.wait()
        systemctl("stop", unit)


def test_a_name_that_was_left_to_another(systemd, make_runtime, make_bundle, named):
    """The scope of a stopped container is gone; whoever has its name then is not touched by the delete."""
    bundle, unit = named
    stopped = systemd.running(bundle).stop()
    wait_until(lambda: show(unit, "LoadState") == "not-found", f"{unit} to go")
    other = make_bundle("other").set("linux.cgroupsPath", bundle.spec["linux"]["cgroupsPath"])
    running = by_systemd(make_runtime("other-systemd")).running(other)
    result = stopped.delete("--force")
    assert any("somebody else's" in entry["msg"] for entry in result.log), result
    assert running.status == "running" and is_active(unit)
    running.delete("--force")


def test_delete_works_without_systemd(systemd, named):
    """systemd drops an empty scope by itself; a container must not outlive its usefulness because a bus is gone."""
    bundle, unit = named
    container = systemd.running(bundle)
    hidden = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /run/systemd; mount -t tmpfs none /run/dbus; exec "$@"', "sh"]
    result = systemd.ok("delete", "--force", container.id, prefix=hidden)
    assert any("was not stopped" in entry["msg"] for entry in result.log), result
    wait_until(lambda: show(unit, "LoadState") == "not-found", f"{unit} to go")


def test_a_damaged_record(systemd, bundle):
    container = systemd.running(bundle)
    (systemd.root / container.id / "brig.json").write_text("{")
    systemd.ok("delete", "--force", container.id)
    assert show(f"brig-{container.id}.scope", "LoadState") == "not-found"


def test_plan_shows_the_unit(systemd, named):
    bundle, unit = named
    bundle.set("linux.resources.pids", {"limit": 21})
    cgroup = systemd.ok("plan", "--bundle", bundle.write().path, "--format", "json").json()["cgroup"]
    assert cgroup["driver"] == "systemd" and cgroup["unit"] == unit and cgroup["manager"] == "system"
    assert "TasksMax=21" in cgroup["properties"]
    assert show(unit, "LoadState") == "not-found"


# ---- an ordinary user

@pytest.fixture
def tester(no_unit_left, make_runtime):
    """The runtime as the user `tester` calls it in a session."""
    wait_until(lambda: os.path.exists(f"/run/user/{TESTER}/systemd/private"), "the user's systemd")
    runtime = by_systemd(make_runtime("user"))
    runtime.prefix = ("setpriv", "--reuid", TESTER, "--regid", TESTER, "--clear-groups", "--inh-caps=-all", "env",
                      f"XDG_RUNTIME_DIR=/run/user/{TESTER}")
    own(runtime.folder)
    return runtime


def own(path):
    subprocess.run(["chown", "-hR", f"{TESTER}:{TESTER}", path], check=True)


@pytest.fixture
def users_bundle(make_bundle):
    bundle = make_bundle("users")
    own(bundle.path)
    return bundle


def test_user_session(tester, users_bundle):
    users_bundle.set("linux.resources.memory", {"limit": 64 * MIB}).set("linux.resources.pids", {"limit": 20})
    container = tester.running(users_bundle)
    unit = f"brig-{container.id}.scope"
    folder = cgroup_of(container)
    assert folder == f"{ROOT}/user.slice/user-{TESTER}.slice/user@{TESTER}.service/user.slice/{unit}"
    assert show(unit, "MemoryMax", "TasksMax", user=TESTER) == {"MemoryMax": str(64 * MIB), "TasksMax": "20"}
    assert read(folder, "memory.max") == str(64 * MIB)
    tester.ok("update", "--pids-limit", "30", container.id)
    assert read(folder, "pids.max") == "30" == show(unit, "TasksMax", user=TESTER)
    systemctl("daemon-reload", user=TESTER)
    assert read(folder, "pids.max") == "30"
    tester.ok("pause", container.id)
    tester.ok("resume", container.id)
    # The caller is not below the user's systemd, so that the kernel does not let it move processes there itself.
    assert container.exec("sh", "-c", "id -u; cat /proc/self/cgroup").out.split() == ["0", "0::/"]
    tester.ok("exec", "--detach", container.id, "/bin/probe", "sleep")
    assert len(read(folder, "cgroup.procs").split()) == 2
    container.delete("--force")
    assert not os.path.exists(folder) and show(unit, "LoadState", user=TESTER) == "not-found"


@pytest.mark.parametrize("address", ["bus", "session"])
def test_user_session_over_a_bus(tester, users_bundle, workdir, address):
    bus = f"/run/user/{TESTER}/bus"
    if not os.path.exists(bus):
        pytest.skip("needs the user's message bus")
    if address == "session":
        tester.prefix = (*tester.prefix[:-1], "--unset=XDG_RUNTIME_DIR", f"DBUS_SESSION_BUS_ADDRESS=unix:path={bus}")
    else:
        place = workdir / "runtime"
        place.mkdir()
        os.symlink(bus, place / "bus")
        tester.prefix = (*tester.prefix[:-1], f"XDG_RUNTIME_DIR={place}")
    container = tester.running(users_bundle.set("linux.resources.pids", {"limit": 20}))
    assert read(cgroup_of(container), "pids.max") == "20"
    container.delete("--force")
    assert show(f"brig-{container.id}.scope", "LoadState", user=TESTER) == "not-found"


def test_user_without_a_session(tester, users_bundle):
    tester.prefix = (*tester.prefix[:-1], "--unset=XDG_RUNTIME_DIR", "--unset=DBUS_SESSION_BUS_ADDRESS")
    tester.create_fails(users_bundle, text="user's own systemd cannot be reached.*loginctl enable-linger.*--cgroup-manager cgroupfs")


def test_user_asks_for_a_controller_that_he_was_not_given(tester, users_bundle):
    given = read(f"{ROOT}/user.slice/user-{TESTER}.slice/user@{TESTER}.service/cgroup.controllers").split()
    if "io" in given:
        pytest.skip("needs a controller that the user does not have")
    tester.create_fails(users_bundle.set("linux.resources.blockIO", {"weight": 100}), text="needs the cgroup controller io")
