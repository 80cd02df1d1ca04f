"""What list, ps, state, features, spec, events and --version print: the shapes that engines decode."""
import datetime
import json
import os
import re
import select
import subprocess
import time

import pytest

from brigtest import brig_only, requires, schemas, wait_until

KINDS = ["state", "config", "features"]
SAMPLES = [(kind, verdict, name, text) for kind in KINDS for verdict in ("good", "bad")
           for name, text in schemas.samples(kind, verdict)]


@pytest.mark.parametrize("kind,verdict,name,text", SAMPLES, ids=["-".join(row[:3]) for row in SAMPLES])
def test_schema_tells_good_samples_from_bad(kind, verdict, name, text):
    """The control of the schema assertions below."""
    try:
        found = schemas.errors(kind, json.loads(text))
    except json.JSONDecodeError as error:
        found = [str(error)]
    assert bool(found) == (verdict == "bad"), found


def created_time(text):
    """RFC 3339 with up to nanoseconds, as Go's time.Time reads it."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", text)
    assert match, text
    return datetime.datetime.fromisoformat(match[1] + ("+00:00" if match[3] == "Z" else match[3]))


# ---- state

@pytest.mark.parametrize("status", ["created", "running", "stopped"])
def test_state(runtime, bundle, status):
    container = runtime.create(bundle.args("/bin/probe", "sleep"))
    if status != "created":
        container.start()
    if status == "stopped":
        container.stop()
    state = container.state
    assert schemas.errors("state", state) == []
    assert state["id"] == container.id
    assert state["status"] == status
    assert state["bundle"] == str(bundle.path)
    assert state["rootfs"] == str(bundle.rootfs)
    assert (state["pid"] > 0) == (status != "stopped")
    assert isinstance(state["owner"], str)
    age = datetime.datetime.now(datetime.timezone.utc) - created_time(state["created"])
    assert abs(age) < datetime.timedelta(hours=1)


def test_state_of_paused(runtime, bundle):
    container = runtime.running(bundle)
    container.verb("pause")
    assert container.status == "paused"
    assert container.pid > 0


def test_state_writes_nothing_but_json(runtime, bundle):
    """go-runc decodes stdout and stderr together."""
    container = runtime.running(bundle)
    result = runtime.ok("state", container.id)
    assert result.err == "" and json.loads(result.out)


def test_state_annotations(runtime, bundle):
    bundle.set("annotations", {"com.example.key": "value", "empty": "", "uni": "käse ☃"})
    container = runtime.create(bundle.args("/bin/probe", "sleep"))
    annotations = container.state["annotations"]
    assert {key: annotations[key] for key in ("com.example.key", "empty", "uni")} == bundle.spec["annotations"]


# ---- list

def test_list_of_nothing(runtime):
    assert runtime.ok("list", "--format", "json").json() in (None, [])
    assert runtime.ok("list", "-q").out == ""


@pytest.mark.parametrize("flags", [["--format", "json"], ["--format=json"], ["-f", "json"], ["-format", "json"]])
def test_list_json(runtime, bundle, flags):
    first, second = runtime.running(bundle), runtime.create(bundle)
    listed = {entry["id"]: entry for entry in runtime.ok("list", *flags).json()}
    assert set(listed) == {first.id, second.id}
    for container, status in ((first, "running"), (second, "created")):
        entry = listed[container.id]
        assert entry["status"] == status
        assert entry["pid"] == container.pid
        assert entry["bundle"] == str(bundle.path)
        assert entry["rootfs"] == str(bundle.rootfs)
        assert entry["owner"] == "root"
        created_time(entry["created"])


@pytest.mark.parametrize("flag", ["-q", "--quiet"])
def test_list_quiet(runtime, bundle, flag):
    names = sorted(runtime.create(bundle).id for _ in range(2))
    assert sorted(runtime.ok("list", flag).out.split("\n")) == ["", *names]


@pytest.mark.parametrize("flags", [[], ["--format", "table"]])
def test_list_table(runtime, bundle, flags):
    container = runtime.running(bundle)
    header, line = runtime.ok("list", *flags).out.splitlines()
    assert header.split() == ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]
    words = line.split()
    assert words[:4] == [container.id, str(container.pid), "running", str(bundle.path)]
    assert words[5] == "root"


def test_list_shows_stopped_with_pid_zero(runtime, bundle):
    container = runtime.running(bundle).stop()
    assert runtime.ok("list", "--format", "json").json()[0]["pid"] == 0
    assert container.status == "stopped"


@pytest.mark.parametrize("verb", ["list", "ps"])
def test_unknown_format_is_refused(runtime, bundle, verb):
    container = runtime.running(bundle)
    runtime.fails(verb, "--format", "yaml", *([container.id] if verb == "ps" else []), text="invalid format")


# ---- ps

def test_ps_json(runtime, bundle):
    container = runtime.running(bundle)
    container.exec("/bin/probe", "sleep", flags=["-d"])
    result = runtime.ok("ps", "--format", "json", container.id)
    pids = json.loads(result.out + result.err)
    assert len(pids) == 2 and container.pid in pids
    assert all(type(pid) is int for pid in pids)


@requires("boot_time")
def test_ps_table(runtime, bundle):
    container = runtime.running(bundle)
    header, line = container.verb("ps").out.splitlines()
    assert header.split()[:3] == ["UID", "PID", "PPID"]
    assert line.split()[:2] == ["root", str(container.pid)] and "probe sleep" in line


def test_ps_passes_options_to_ps(runtime, bundle):
    container = runtime.running(bundle)
    out = runtime.ok("ps", container.id, "-o", "pid,comm").out.splitlines()
    assert [line.split() for line in out] == [["PID", "COMMAND"], [str(container.pid), "probe"]]


def test_ps_of_created(runtime, bundle):
    container = runtime.create(bundle)
    assert runtime.ok("ps", "--format", "json", container.id).json() == [container.pid]


def test_ps_of_stopped(runtime, bundle):
    container = runtime.running(bundle).stop()
    assert runtime.ok("ps", "--format", "json", container.id).json() in ([], None)


# ---- events

MIB = 1 << 20


def wait_until_it_watches(process):
    """What the kernel tells before that is lost; so the kill must come after."""
    def watches():
        folder = f"/proc/{process.pid}/fd"
        links = [os.readlink(f"{folder}/{name}") for name in os.listdir(folder)]
        asleep = open(f"/proc/{process.pid}/stat").read().rpartition(")")[2].split()[0] == "S"
        return asleep and any(link.endswith(("/memory.oom_control", "/memory.events", "inotify")) for link in links)
    wait_until(watches, "events to watch the memory of the container")


@pytest.mark.requires("host_root")
def test_events_stats(runtime, bundle):
    container = runtime.running(bundle)
    wait_until(lambda: container.verb("events", "--stats").json()["data"]["pids"]["current"] == 1, "the end of runc's own threads")
    result = runtime.ok("events", "--stats", container.id)
    assert result.out.count("\n") == 1
    event = result.json()
    assert (event["type"], event["id"]) == ("stats", container.id)
    data = event["data"]
    assert data["cpu"]["usage"]["total"] > 0
    assert data["memory"]["usage"]["usage"] > 0
    assert data["pids"]["current"] == 1
    assert {"throttling"} <= set(data["cpu"])


@pytest.mark.requires("host_root")
def test_events_stats_has_the_members_that_callers_decode(runtime, bundle):
    """The shape of runc's types.Stats: these are there whatever the container did and the host counts."""
    data = runtime.running(bundle).verb("events", "--stats").json()["data"]
    assert {"cpu", "cpuset", "memory", "pids", "blkio", "hugetlb", "intel_rdt", "network_interfaces"} <= set(data)
    assert {"total", "kernel", "user"} <= set(data["cpu"]["usage"])
    assert {"cpu_exclusive", "mem_hardwall", "mem_exclusive", "memory_migrate", "memory_spread_page", "memory_spread_slab",
            "memory_pressure", "sched_load_balance", "sched_relax_domain_level"} <= set(data["cpuset"])
    assert {"usage", "swap", "kernel", "kernelTCP", "raw"} <= set(data["memory"])
    for entry in ("usage", "swap", "kernel", "kernelTCP"):
        assert {"limit", "failcnt"} <= set(data["memory"][entry]), entry
    for interface in data["network_interfaces"] or []:
        assert set(interface) == {"Name"} | {side + what for side in ("Rx", "Tx")
                                             for what in ("Bytes", "Packets", "Errors", "Dropped")}


@pytest.mark.requires("host_root")
def test_events_stats_agree_with_the_cgroup(runtime, bundle):
    bundle.set("linux.resources.memory", {"limit": 64 * MIB}).set("linux.resources.pids", {"limit": 32})
    bundle.args("/bin/probe", "allocate", "16", "1000")
    container = runtime.running(bundle)
    container.wait_for_output("result")
    data = container.verb("events", "--stats").json()["data"]
    assert data["memory"]["usage"]["limit"] == 64 * MIB
    assert 16 * MIB <= data["memory"]["usage"]["usage"] <= data["memory"]["usage"]["max"] <= 64 * MIB
    counted = container.cgroup_file("memory", "memory.stat").splitlines()
    assert set(data["memory"]["raw"]) == {line.split()[0] for line in counted}
    assert data["pids"] | {"peak": 1} == {"current": 1, "limit": 32, "peak": 1}


def test_events_stats_count_processor_time_in_nanoseconds(runtime, bundle):
    container = runtime.running(bundle.args("/bin/probe", "burn", "1000"))
    started = time.monotonic()

    def used():
        return container.verb("events", "--stats").json()["data"]["cpu"]["usage"]["total"]

    before = used()
    wait_until(lambda: used() - before > 50e6, "50 ms of processor time")
    assert used() - before < (time.monotonic() - started + 0.1) * 1e9 * os.cpu_count()


@brig_only("an addition of brig")
@pytest.mark.requires("host_root")
def test_events_stats_have_peaks(runtime, bundle):
    data = runtime.running(bundle).verb("events", "--stats").json()["data"]
    assert data["memory"]["usage"]["peak"] >= data["memory"]["usage"]["usage"] > 0


@brig_only("runc names interfaces of its own configuration only")
@pytest.mark.parametrize("own", [True, False])
@pytest.mark.requires("host_root")
def test_events_stats_of_the_network(runtime, bundle, own):
    bundle.namespace("network", remove=not own)
    interfaces = runtime.running(bundle).verb("events", "--stats").json()["data"]["network_interfaces"]
    assert [entry["Name"] for entry in interfaces or []][:1] == (["lo"] if own else [])


@pytest.mark.requires("host_root")
def test_events_stats_of_created_and_paused(runtime, bundle):
    container = runtime.create(bundle.args("/bin/probe", "sleep"))
    assert container.verb("events", "--stats").json()["type"] == "stats"
    container.start()
    container.verb("pause")
    assert container.verb("events", "--stats").json()["data"]["pids"]["current"] == 1
    container.verb("resume")


def test_events_stats_of_stopped_is_refused(runtime, bundle):
    runtime.running(bundle).stop().fails("events", "--stats", text="not running")


def test_events_interval(runtime, bundle):
    container = runtime.running(bundle)
    process = runtime.spawn("events", "--interval=100ms", container.id, stdout=subprocess.PIPE)
    for _ in range(2):
        assert json.loads(process.stdout.readline())["type"] == "stats"
    process.kill()
    process.communicate()


@brig_only("runc waits until the cgroup is gone")
@pytest.mark.requires("host_root")
def test_events_end_when_the_container_stops(runtime, bundle):
    container = runtime.running(bundle)
    process = runtime.spawn("events", "--interval=1h", container.id, stdout=subprocess.PIPE)
    wait_until_it_watches(process)
    container.stop()
    assert process.communicate(timeout=10)[0] == b"" and process.returncode == 0


def test_events_end_with_the_container(runtime, bundle):
    container = runtime.running(bundle)
    process = runtime.spawn("events", "--interval=100ms", container.id, stdout=subprocess.PIPE)
    process.stdout.readline()
    container.stop()
    container.delete()
    rest = process.communicate(timeout=10)[0]
    assert process.returncode == 0
    assert all(json.loads(line)["type"] == "stats" for line in rest.splitlines())


@requires("controller:memory")
@pytest.mark.requires("host_root")
def test_events_of_out_of_memory(runtime, bundle):
    """At once, not at the next interval. The child that is killed is not the container's first process."""
    bundle.set("linux.resources.memory", {"limit": 32 * MIB, "swap": 32 * MIB})
    container = runtime.running(bundle)
    process = runtime.spawn("events", "--interval=1h", container.id, stdout=subprocess.PIPE)
    wait_until_it_watches(process)
    container.exec("/bin/probe", "allocate", "256", code=137)
    assert select.select([process.stdout], [], [], 30)[0], "no event"
    assert json.loads(process.stdout.readline()) == {"type": "oom", "id": container.id}
    assert container.status == "running"


@brig_only("runc ends without it when the cgroup is gone first")
@requires("controller:memory")
@pytest.mark.requires("host_root")
def test_events_of_out_of_memory_that_ends_the_container(runtime, bundle):
    bundle.set("linux.resources.memory", {"limit": 32 * MIB, "swap": 32 * MIB}).args("/bin/probe", "allocate", "256")
    container = runtime.create(bundle)
    process = runtime.spawn("events", "--interval=1h", container.id, stdout=subprocess.PIPE)
    wait_until_it_watches(process)
    container.start()
    out = process.communicate(timeout=10)[0]
    assert process.returncode == 0
    assert {json.loads(line)["type"] for line in out.splitlines()} == {"oom"}


@pytest.mark.parametrize("value", ["0s", "-1s", "5", "x"])
def test_events_interval_is_checked(runtime, bundle, value):
    container = runtime.running(bundle)
    assert runtime.call("events", f"--interval={value}", container.id).code != 0


# ---- features

def test_features(runtime):
    result = runtime.ok("features")
    features = result.json()
    assert schemas.errors("features", features) == []
    assert features["hooks"] == ["prestart", "createRuntime", "createContainer", "startContainer", "poststart",
                                 "poststop"]
    assert {"rro", "rbind", "ro", "nosuid", "nodev", "noexec", "rprivate", "rslave"} <= set(features["mountOptions"])
    linux = features["linux"]
    assert {"cgroup", "ipc", "mount", "network", "pid", "user", "uts"} <= set(linux["namespaces"])
    assert {"CAP_CHOWN", "CAP_SYS_ADMIN", "CAP_AUDIT_READ"} <= set(linux["capabilities"])
    assert linux["cgroup"]["v1"] is True and linux["cgroup"]["v2"] is True
    assert linux["seccomp"]["enabled"] is True
    assert {"SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_NOTIFY"} <= set(linux["seccomp"]["actions"])
    assert "SCMP_ARCH_X86_64" in linux["seccomp"]["archs"]
    assert {"SCMP_CMP_EQ", "SCMP_CMP_MASKED_EQ"} <= set(linux["seccomp"]["operators"])


def test_features_writes_nothing_but_json(runtime):
    assert runtime.ok("features").err == ""


@brig_only("spec 1.1 and newer: runc 1.1.5 is of spec 1.0.2")
def test_features_of_newer_specs(runtime):
    features = runtime.ok("features").json()
    assert tuple(map(int, features["ociVersionMax"].split("-")[0].split("+")[0].split("."))) >= (1, 2, 0)
    assert "time" in features["linux"]["namespaces"]
    assert isinstance(features["potentiallyUnsafeConfigAnnotations"], list)
    assert features["linux"]["mountExtensions"]["idmap"]["enabled"] is True


# ---- spec

def test_spec_is_valid_and_runs(runtime, bundle):
    bundle.config.unlink(missing_ok=True)
    runtime.ok("spec", cwd=bundle.path)
    written = json.loads(bundle.config.read_text())
    assert schemas.errors("config", written) == []
    assert written["process"]["args"] == ["sh"] and written["process"]["terminal"] is True
    assert written["process"]["capabilities"].get("inheritable", []) == []
    bundle.spec = written
    bundle.process["terminal"] = False
    assert runtime.run(bundle.args("echo", "runs")).out == "runs\n"


@pytest.mark.parametrize("flag", ["-b", "--bundle"])
def test_spec_bundle_flag(runtime, workdir, flag):
    folder = workdir / "elsewhere"
    folder.mkdir()
    runtime.ok("spec", flag, folder)
    assert os.listdir(folder) == ["config.json"]


def test_spec_does_not_overwrite(runtime, bundle):
    bundle.write()
    before = bundle.config.read_text()
    runtime.fails("spec", cwd=bundle.path, text="exist")
    assert bundle.config.read_text() == before


def test_spec_rootless(runtime, workdir):
    folder = workdir / "rootless"
    folder.mkdir()
    runtime.ok("spec", "--rootless", "--bundle", folder)
    spec = json.loads((folder / "config.json").read_text())
    assert schemas.errors("config", spec) == []
    kinds = [entry["type"] for entry in spec["linux"]["namespaces"]]
    assert "user" in kinds and "network" not in kinds
    assert [entry["size"] for entry in spec["linux"]["uidMappings"]] == [1]
    assert "resources" not in spec["linux"]


@brig_only("as crun; runc has no such option")
@pytest.mark.parametrize("flag", ["-f", "--config"])
def test_spec_config_flag(runtime, workdir, flag):
    runtime.ok("spec", "--bundle", workdir, flag, "other.json")
    runtime.ok("spec", flag, workdir / "third.json", cwd="/")
    assert json.loads((workdir / "other.json").read_text()) == json.loads((workdir / "third.json").read_text())
    runtime.fails("spec", "--bundle", workdir, flag, "other.json", text="File other.json exists")
    assert not (workdir / "config.json").exists()


@pytest.mark.parametrize("name,text", schemas.samples("config", "good"),
                         ids=[name for name, _ in schemas.samples("config", "good")])
@brig_only("needs `brig plan`; runc has no dry run")
def test_good_config_samples_of_the_specification_parse(runtime, bundle, name, text):
    """Those for other platforms are refused for their platform, not as malformed."""
    bundle.config.write_text(text)
    result = runtime.call("plan", "--bundle", bundle.path)
    assert "expected" not in result.message and "JSON" not in result.message, result


# ---- version and help

@pytest.mark.parametrize("flag", ["--version", "-v"])
def test_version(runtime, flag):
    lines = runtime.ok(flag, flags=[]).out.splitlines()
    assert re.match(r"\S+ version \d+\.\d+", lines[0])
    told = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
    assert told["commit"] and re.match(r"1\.\d+\.\d+", told["spec"])
    assert "libseccomp" in told


@pytest.mark.parametrize("flags", [["--help"], ["-h"], ["help"], []])
def test_help_names_every_verb(runtime, flags):
    out = runtime.ok(*flags, flags=[]).out
    for verb in ("create", "start", "state", "exec", "kill", "delete", "run", "list", "ps", "pause", "resume", "update",
                 "events", "spec", "features"):
        assert re.search(rf"^\s+{verb}\b", out, re.M), verb


@pytest.mark.parametrize("verb", ["create", "exec", "run", "delete", "update"])
def test_help_of_a_verb(runtime, verb):
    assert "--" in runtime.ok(verb, "--help", flags=[]).out
