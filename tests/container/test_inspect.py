"""inspect: what holds is what the kernel says, each weakness is found, and a hostile container learns and changes nothing."""
import copy
import json
import os
import re
import socket
import subprocess
import time

import jsonschema
import pytest

from brigtest import brig_only, cgroups, requires, settings
from brigtest.ordinary_user import OrdinaryUser

pytestmark = [brig_only("a verb of brig's own"), requires("root")]

SCHEMA = json.loads((settings.CHECKOUT / "docs" / "inspect.schema.json").read_text())
SEVERITIES = ["none", "unknown", "low", "medium", "high", "critical"]
TOPICS = {"escape", "system-calls", "network", "files", "resources", "capabilities", "user", "seccomp-profile", "image",
          "sensitive-files"}
PROFILE = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"action": "SCMP_ACT_ALLOW", "names": [
    "arch_prctl", "brk", "clock_nanosleep", "close", "execve", "exit_group", "fstat", "getuid", "mmap", "mprotect", "munmap",
    "nanosleep", "open", "openat", "pause", "poll", "prctl", "prlimit64", "read", "readlink", "restart_syscall", "rseq", "rt_sigaction", "rt_sigprocmask",
    "set_robust_list", "set_tid_address", "socket", "write"]}]}


def examine(runtime, *arguments, code=0):
    answer = runtime.call("inspect", "--json", *arguments)
    assert answer.code == code, answer
    document = answer.json()
    jsonschema.validate(document, SCHEMA)
    assert {finding["topic"] for finding in document["findings"]} == TOPICS
    order = [SEVERITIES.index(finding["severity"]) for finding in document["findings"]]
    assert order == sorted(order, reverse=True)
    return document


def worst(document, topic):
    return max((finding["severity"] for finding in document["findings"] if finding["topic"] == topic), key=SEVERITIES.index)


def details(document, topic):
    return [finding["detail"] for finding in document["findings"] if finding["topic"] == topic]


def closed(bundle):
    """A container without a weakness that can be seen."""
    bundle.namespace("user")
    bundle.set("linux.uidMappings", [{"containerID": 0, "hostID": 700000, "size": 65536}])
    bundle.set("linux.gidMappings", [{"containerID": 0, "hostID": 700000, "size": 65536}])
    return closed_with_host_ids(bundle)


def closed_with_host_ids(bundle):
    bundle.namespace("cgroup").capabilities()
    bundle.set("process.user", {"uid": 1000, "gid": 1000})
    bundle.set("linux.resources.memory", {"limit": 64 << 20, "swap": 64 << 20})
    bundle.set("linux.resources.pids", {"limit": 16}).set("linux.resources.cpu", {"quota": 50000, "period": 100000})
    bundle.linux["maskedPaths"] += ["/proc/interrupts", "/sys/devices/virtual/powercap"]
    bundle.set("linux.seccomp", copy.deepcopy(PROFILE))
    bundle.args("/bin/probe", "sleep")
    return bundle


# ---- what holds


def test_a_closed_container(runtime, bundle):
    container = runtime.running(closed(bundle))
    document = examine(runtime, container.id)
    weak = [finding for finding in document["findings"] if finding["severity"] not in ("none", "unknown")]
    label = [finding for finding in weak if "does not confine it" in finding["detail"]]
    assert weak == label, weak
    assert worst(document, "seccomp-profile") == "none" and worst(document, "image") == "unknown"


def test_it_agrees_with_the_kernel(runtime, bundle):
    container = runtime.running(closed(bundle))
    document = examine(runtime, container.id)
    pid = container.pid
    assert (document["id"], document["pid"], document["status"]) == (container.id, pid, "running")
    for name, whose in document["namespaces"].items():
        same = os.readlink(f"/proc/{pid}/ns/{name}") == os.readlink(f"/proc/self/ns/{name}")
        assert whose == ("shared" if same else "own"), name
    assert document["uid_map"] == [{"inside": 0, "outside": 700000, "count": 65536}]
    process = document["processes"][0]
    assert (process["uid"], process["no_new_privs"], process["own_user_namespace"]) == (701000, True, True)
    assert process["seccomp"] == {"mode": "filter", "filters": 1}
    assert not any(process["capabilities"].values())
    with open(f"/proc/{pid}/mountinfo", encoding="utf-8") as file:
        assert [mount["destination"] for mount in document["mounts"]] == [line.split()[4] for line in file]
    limits = document["cgroup"]
    assert (limits["memory_bytes"], limits["pids"], limits["milli_cpus"], limits["swap_bytes"]) == (64 << 20, 16, 500, 0)
    assert 0 < limits["memory_used_bytes"] <= limits["memory_peak_bytes"] and limits["pids_used"] == 1


def test_the_filter_is_counted(runtime, bundle):
    container = runtime.running(closed(bundle))
    calls = examine(runtime, container.id)["system_calls"]
    known = set(PROFILE["syscalls"][0]["names"])
    assert set(calls["calls"]) == known and calls["count"] == len(known)
    assert calls["by_argument"] == [] and calls["foreign_interfaces"] == []


def test_text_shows_the_same(runtime, bundle):
    container = runtime.running(closed(bundle))
    text = runtime.ok("inspect", container.id).out
    for part in (f"{container.id}, running", "the host's: time", "0->700000 (65536)", "67108864 bytes", "500 thousandths",
                 f"{len(PROFILE['syscalls'][0]['names'])} calls let through", "/proc/sys"):
        assert part in text, part
    for finding in examine(runtime, container.id)["findings"]:
        assert finding["detail"] in text and (finding["remedy"] is None or "remedy: " + finding["remedy"] in text)


def test_listening_sockets(runtime, bundle):
    container = runtime.running(bundle)
    container.exec("/bin/busybox", "sh", "-c", "ip link set lo up")
    runtime.spawn("exec", container.id, "/bin/busybox", "nc", "-l", "-p", "4000", "127.0.0.1")
    end = time.monotonic() + 30
    while not (listening := examine(runtime, container.id)["network"]["listening"]):
        assert time.monotonic() < end
    assert listening[0]["protocol"] == "tcp" and listening[0]["address"].endswith(":4000")


# ---- what is weak


@pytest.mark.parametrize("weaken, topic, severity, part", [
    (lambda bundle: bundle.namespace("pid", remove=True), "escape", "high", "the host's processes"),
    (lambda bundle: bundle.namespace("ipc", remove=True), "escape", "medium", "shared memory"),
    (lambda bundle: bundle.mount("/host", "bind", "/etc", ["bind", "rw"]), "escape", "critical", "/host (the host's /etc)"),
    (lambda bundle: bundle.mount("/host", "bind", "/etc", ["bind", "ro"]), "sensitive-files", "high", "/host (the host's /etc)"),
    (lambda bundle: bundle.mount("/host", "bind", "/etc/hosts", ["bind", "ro"]), "sensitive-files", "high", "/etc/hosts"),
    (lambda bundle: bundle.drop("linux.seccomp"), "system-calls", "high", "no filter"),
    (lambda bundle: bundle.drop("linux.seccomp"), "seccomp-profile", "high", "every call"),
    (lambda bundle: bundle.namespace("network", remove=True), "network", "high", "the host's network"),
    (lambda bundle: bundle.drop("linux.resources.memory"), "resources", "high", "memory"),
    (lambda bundle: bundle.drop("linux.resources.pids"), "resources", "high", "processes"),
    (lambda bundle: bundle.drop("linux.resources.cpu"), "resources", "medium", "processor"),
    (lambda bundle: bundle.set("root.readonly", False), "files", "medium", "root file system is writable"),
    (lambda bundle: bundle.set("process.noNewPrivileges", False).drop("linux.seccomp"), "user", "medium", "no_new_privs"),
    (lambda bundle: bundle.set("linux.maskedPaths", ["/proc/kcore"]), "sensitive-files", "low", "/proc/timer_list"),
    (lambda bundle: bundle.set("linux.readonlyPaths", []), "sensitive-files", "high", "/proc/sys"),
    (lambda bundle: bundle.set("linux.seccomp.syscalls", [{"action": "SCMP_ACT_ALLOW", "names": [
        *PROFILE["syscalls"][0]["names"], "mount", "bpf"]}]), "seccomp-profile", "medium", "bpf, mount"),
    (lambda bundle: bundle.set("linux.seccomp.defaultAction", "SCMP_ACT_ALLOW"), "seccomp-profile", "medium", "calls are let through"),
    (lambda bundle: bundle.set("annotations", {"io.kubernetes.cri.image-name": "python:3.12"}), "image", "low", "python:3.12"),
])
def test_each_weakness_is_found(runtime, bundle, weaken, topic, severity, part):
    weaken(closed_with_host_ids(bundle))
    document = examine(runtime, runtime.running(bundle).id)
    found = [finding for finding in document["findings"] if finding["topic"] == topic and part in finding["detail"]]
    assert [finding["severity"] for finding in found] == [severity], document["findings"]
    assert found[0]["remedy"]


def test_root_of_the_host_with_its_powers(runtime, bundle):
    bundle.capabilities(bounding=["CAP_SYS_ADMIN", "CAP_NET_RAW"], effective=["CAP_NET_RAW"], permitted=["CAP_NET_RAW"])
    bundle.set("process.noNewPrivileges", True)
    container = runtime.running(bundle)
    document = examine(runtime, container.id)
    assert worst(document, "user") == "high" and worst(document, "capabilities") == "medium"
    assert not any("SYS_ADMIN" in detail for detail in details(document, "capabilities")), "it cannot be got"
    bundle.set("process.noNewPrivileges", False)
    document = examine(runtime, runtime.running(bundle).id)
    assert worst(document, "capabilities") == "critical"


def test_a_process_that_exec_gave_more(runtime, bundle):
    bundle.capabilities(bounding=["CAP_SYS_PTRACE"])
    container = runtime.running(bundle)
    assert worst(examine(runtime, container.id), "capabilities") == "none"
    container.exec("/bin/probe", "sleep", flags=["--detach", "--cap", "CAP_SYS_PTRACE"])
    document = examine(runtime, container.id)
    other = document["processes"][1]
    assert other["capabilities"]["effective"] == ["CAP_SYS_PTRACE"]
    assert any(str(other["pid"]) in detail and "CAP_SYS_PTRACE" in detail for detail in details(document, "capabilities"))


def test_a_hosts_socket(runtime, bundle, workdir):
    for name, severity in (("docker.sock", "critical"), ("database.sock", "medium")):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(workdir / name))
            closed_with_host_ids(bundle).mount(f"/run/{name}", "bind", workdir / name, ["bind", "ro"])
            document = examine(runtime, runtime.running(bundle).id)
            bundle.spec["mounts"].pop()
        found = [finding for finding in document["findings"] if name in finding["detail"]]
        assert [(finding["topic"], finding["severity"]) for finding in found] == [("escape", severity)]


def test_a_disk(runtime, bundle):
    bundle.set("linux.devices", [{"path": "/dev/disk", "type": "b", "major": 7, "minor": 0}])
    document = examine(runtime, runtime.running(bundle).id)
    assert {"path": "/dev/disk", "type": "b", "major": 7, "minor": 0} in document["devices"]
    assert worst(document, "escape") == "critical"


def test_a_second_proc_over_the_masks(runtime, bundle):
    """The masks are all there, and help nothing: a list of them would not show it."""
    bundle.capabilities(bounding=["CAP_SYS_ADMIN"], effective=["CAP_SYS_ADMIN"], permitted=["CAP_SYS_ADMIN"])
    container = runtime.running(bundle)
    before = examine(runtime, container.id)["kernel_paths"]
    assert (before["/proc/timer_list"], before["/proc/sys"]) == ("masked", "readable")
    container.exec("/bin/busybox", "mount", "-t", "proc", "proc", "/proc")
    document = examine(runtime, container.id)
    after = document["kernel_paths"]
    assert (after["/proc/timer_list"], after["/proc/sys"]) == ("writable", "writable")
    assert worst(document, "sensitive-files") == "high"


def test_limits_of_a_cgroup_above_count(runtime, bundle):
    """As Kubernetes limits a pod."""
    outer = f"/{settings.TAG}-pod"
    bundle.set("linux.cgroupsPath", f"{outer}/inner").set("linux.resources.pids", {"limit": 100})
    container = runtime.running(bundle)
    assert examine(runtime, container.id)["cgroup"]["pids"] == 100
    (cgroups.of_process(container.pid)["pids"].parent / "pids.max").write_text("7")
    assert examine(runtime, container.id)["cgroup"]["pids"] == 7
    container.delete("--force")
    for folder in cgroups.folders_with(outer):
        os.rmdir(folder)


# ---- hostile containers


def test_names_of_a_containers_choice_reach_no_terminal(runtime, bundle):
    hostile = "a\x1b[2Jb"
    (bundle.rootfs / hostile).mkdir()
    bundle.mount("/" + hostile, "tmpfs", "tmpfs", ["size=4k"])
    container = runtime.running(bundle.args("/bin/probe", "sleep"))
    runtime.spawn("exec", container.id, "/bin/sh", "-c", f"printf '{hostile}' > /proc/self/comm; exec 3< /dev/ptmx; read x < /dev/ptmx")
    end = time.monotonic() + 30
    while not any("\x1b" in process["name"] for process in examine(runtime, container.id)["processes"]):
        assert time.monotonic() < end
    text = runtime.ok("inspect", container.id).out
    assert "\x1b" not in text and r"\x1b[2J" in text


def test_the_container_does_not_notice(runtime, bundle):
    """Neither stopped nor traced nor woken: the process is not switched to while it is looked at."""
    container = runtime.running(closed(bundle))

    def switches():
        with open(f"/proc/{container.pid}/status", encoding="ascii") as file:
            return re.findall(r"ctxt_switches:\s+(\d+)", file.read())

    before = switches()
    examine(runtime, container.id)
    assert switches() == before
    os.kill(container.pid, 19)
    os.kill(container.pid, 18)
    end = time.monotonic() + 30
    while switches() == before:  # what a stop would have done
        assert time.monotonic() < end


def test_a_dev_that_is_no_memory_file_system_is_not_opened(runtime, bundle, workdir):
    """A program that serves it (FUSE) could keep the reader waiting for ever."""
    (workdir / "dev").mkdir()
    for mount in list(bundle.spec["mounts"]):
        if mount["destination"].startswith("/dev"):
            bundle.spec["mounts"].remove(mount)
    bundle.mount("/dev", "bind", workdir / "dev", ["bind"])
    bundle.set("linux.devices", [{"path": "/dev/disk", "type": "b", "major": 7, "minor": 0}])
    assert examine(runtime, runtime.running(bundle).id)["devices"] == []


# ---- other processes, other states


@pytest.fixture
def foreign():
    """A process in namespaces of its own that no runtime of ours knows."""
    process = subprocess.Popen(["unshare", "--fork", "--pid", "--net", "--uts", "--ipc", "--mount-proc", "sh", "-c", "sleep 300; true"])
    try:
        end = time.monotonic() + 30
        while not (children := open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii").read().split()):
            assert time.monotonic() < end
        yield int(children[0])
    finally:
        for child in children:
            os.kill(int(child), 9)
        process.wait()


def test_a_process_of_somebody_elses(runtime, foreign):
    end = time.monotonic() + 30
    while (document := examine(runtime, "--pid", foreign))["namespaces"]["mnt"] != "own":
        assert time.monotonic() < end
    assert document["id"] is None and document["pid"] == foreign
    assert document["namespaces"]["pid"] == "own" and document["namespaces"]["user"] == "shared"
    assert worst(document, "system-calls") == "high" and worst(document, "user") == "high"
    assert worst(document, "network") == "none" and document["system_calls"] is None


def test_by_pid_the_same_is_seen_as_by_id(runtime, bundle):
    container = runtime.running(closed(bundle))
    by_id = examine(runtime, container.id)
    by_pid = examine(runtime, "--pid", container.pid)
    for member in ("namespaces", "uid_map", "mounts", "kernel_paths", "devices", "network"):
        assert by_id[member] == by_pid[member], member
    assert [process["pid"] for process in by_id["processes"]] == [process["pid"] for process in by_pid["processes"]]
    assert worst(by_pid, "seccomp-profile") == "unknown"


def test_a_created_container_will_have_its_filter(runtime, bundle):
    container = runtime.create(closed(bundle))
    document = examine(runtime, container.id)
    assert document["status"] == "created" and worst(document, "system-calls") == "none"
    assert document["system_calls"]["count"] == len(PROFILE["syscalls"][0]["names"])
    assert "loaded when a program starts" in runtime.ok("inspect", container.id).out
    other = runtime.create(closed(bundle).drop("linux.seccomp"))
    assert worst(examine(runtime, other.id), "system-calls") == "high"


def test_a_paused_container(runtime, bundle):
    container = runtime.running(closed(bundle))
    container.verb("pause")
    assert examine(runtime, container.id)["status"] == "paused"


def test_an_ordinary_users_container(runtime, bundle, workdir):
    user = OrdinaryUser(workdir / "user")
    user.own(runtime.folder, bundle.path)
    bundle.linux.pop("resources")
    try:
        runtime.prefix = [*runtime.prefix, *user.prefix]
        container = runtime.running(bundle.args("/bin/probe", "sleep"))
        document = examine(runtime, container.id)
        runtime.ok("delete", "--force", container.id)
    finally:
        runtime.prefix = ()
        user.close()
    assert document["namespaces"]["user"] == "own"
    assert worst(document, "user") in ("none", "medium", "high")


# ---- the command line


def test_fail_on(runtime, bundle):
    container = runtime.running(closed(bundle).drop("linux.resources.cpu"))
    for severity, code in (("critical", 0), ("high", 0), ("medium", 1), ("low", 1)):
        assert runtime.call("inspect", "--fail-on", severity, container.id).code == code, severity
    examine(runtime, "--fail-on", "medium", container.id, code=1)
    for word in ("none", "unknown", "severe", ""):
        runtime.fails("inspect", "--fail-on", word, container.id, text="unknown severity.*low, medium, high or critical")


def test_errors(runtime, bundle):
    runtime.fails("inspect", text="takes a container or --pid")
    runtime.fails("inspect", "nobody", text="container does not exist")
    for pid in ("0", "-1", "x", "", "99999999999"):
        runtime.fails("inspect", f"--pid={pid}", text="is no process id")
    runtime.fails("inspect", "--pid", "4194303", text="there is no process 4194303")
    container = runtime.running(bundle)
    runtime.fails("inspect", "--pid", container.pid, container.id, text="takes a container or --pid")
    container.stop()
    container.fails("inspect", text="is stopped")
