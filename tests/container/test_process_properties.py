"""Newer properties of a process, each as the kernel shows it from outside or inside, and each refusal in words."""
import os

import pytest

from brigtest import brig_only, cgroups, requires

pytestmark = brig_only("runc has them from 1.2 on, in part with other words")

OTHER, FIFO, RR, BATCH, IDLE, DEADLINE = 0, 1, 2, 3, 5, 6


@pytest.mark.parametrize("scheduler,policy,nice,priority", [
    ({"policy": "SCHED_OTHER", "nice": 7}, OTHER, 7, 0),
    ({"policy": "SCHED_BATCH", "nice": -3}, BATCH, -3, 0),
    ({"policy": "SCHED_IDLE"}, IDLE, 0, 0),
    pytest.param({"policy": "SCHED_FIFO", "priority": 11, "flags": ["SCHED_FLAG_RESET_ON_FORK"]}, FIFO, 0, 11,
                 marks=requires("real_time")),
    pytest.param({"policy": "SCHED_RR", "priority": 1}, RR, 0, 1, marks=requires("real_time")),
    ({"policy": "SCHED_DEADLINE", "runtime": 2000000, "deadline": 5000000, "period": 10000000}, DEADLINE, 0, 0),
])
@pytest.mark.requires("host_root")
def test_scheduler(runtime, bundle, scheduler, policy, nice, priority):
    bundle.set("process.scheduler", scheduler)
    if policy in (FIFO, RR) and cgroups.hierarchies()["cpu"].version == 1:
        bundle.set("linux.resources.cpu", {"realtimePeriod": 1000000, "realtimeRuntime": 1000})
    container = runtime.running(bundle)
    fields = open(f"/proc/{container.pid}/stat").read().rpartition(")")[2].split()
    assert (int(fields[38]), int(fields[37])) == (policy, priority)
    if policy in (OTHER, BATCH):
        assert int(fields[16]) == nice


def test_real_time_without_a_budget(runtime, bundle):
    """The kernel says EPERM; the remedy is said with it."""
    if not os.path.exists("/sys/fs/cgroup/cpu/cpu.rt_runtime_us"):
        pytest.skip("needs a kernel with CONFIG_RT_GROUP_SCHED")
    bundle.set("process.scheduler", {"policy": "SCHED_FIFO", "priority": 11})
    runtime.create_fails(bundle, text="error setting scheduler.*linux.resources.cpu.realtimeRuntime")


@pytest.mark.parametrize("scheduler,words", [
    ({"policy": "SCHED_NEW"}, "process.scheduler.policy \"SCHED_NEW\" is unknown"),
    ({"policy": "SCHED_OTHER", "nice": 20}, "process.scheduler.nice"),
    ({"policy": "SCHED_FIFO"}, "process.scheduler.priority"),
    ({"policy": "SCHED_FIFO", "priority": 100}, "process.scheduler.priority"),
    ({"policy": "SCHED_DEADLINE"}, "process.scheduler"),
    ({"policy": "SCHED_DEADLINE", "runtime": 5, "deadline": 3, "period": 4}, "process.scheduler"),
    ({"policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_NEW"]}, "process.scheduler.flags.*SCHED_FLAG_NEW"),
])
def test_bad_scheduler(runtime, bundle, scheduler, words):
    runtime.create_fails(bundle.set("process.scheduler", scheduler), text=words)


@pytest.mark.parametrize("name,number", [("IOPRIO_CLASS_RT", 1), ("IOPRIO_CLASS_BE", 2), ("IOPRIO_CLASS_IDLE", 3)])
@pytest.mark.requires("host_root")
def test_io_priority(runtime, bundle, name, number):
    bundle.set("process.ioPriority", {"class": name, "priority": 5})
    told = runtime.report(bundle, "scheduler")["io_priority"]
    assert told >> 13 == number and (number == 3 or told & 7 == 5)


@pytest.mark.parametrize("priority,words", [
    ({"class": "IOPRIO_CLASS_NEW", "priority": 1}, "process.ioPriority.class"),
    ({"class": "IOPRIO_CLASS_BE", "priority": 8}, "process.ioPriority.priority"),
    ({"class": "IOPRIO_CLASS_BE", "priority": -1}, "process.ioPriority.priority"),
])
def test_bad_io_priority(runtime, bundle, priority, words):
    runtime.create_fails(bundle.set("process.ioPriority", priority), text=words)


@requires("memory_policy")
@pytest.mark.parametrize("policy,shown", [
    ({"mode": "MPOL_BIND", "nodes": "0"}, "bind:0"), ({"mode": "MPOL_INTERLEAVE", "nodes": "0"}, "interleave:0"),
    ({"mode": "MPOL_PREFERRED", "nodes": "0"}, "prefer:0"), ({"mode": "MPOL_PREFERRED", "nodes": ""}, "local"),
    ({"mode": "MPOL_LOCAL"}, "local"), ({"mode": "MPOL_DEFAULT"}, "default"),
    ({"mode": "MPOL_PREFERRED_MANY", "nodes": "0-0"}, "prefer (many):0"),
    ({"mode": "MPOL_WEIGHTED_INTERLEAVE", "nodes": "0"}, "weighted interleave:0"),
    ({"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]}, "bind=static:0"),
])
def test_memory_policy(runtime, bundle, policy, shown):
    container = runtime.running(bundle.set("linux.memoryPolicy", policy))
    maps = open(f"/proc/{container.pid}/numa_maps").read()
    assert f" {shown} " in maps, maps


@pytest.mark.parametrize("policy,words", [
    ({"mode": "MPOL_NEW"}, "linux.memoryPolicy.mode"), ({"mode": "MPOL_BIND", "nodes": ""}, "linux.memoryPolicy.nodes"),
    ({"mode": "MPOL_BIND", "nodes": "0-"}, "linux.memoryPolicy.nodes"),
    ({"mode": "MPOL_LOCAL", "nodes": "0"}, "linux.memoryPolicy.nodes"),
    ({"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES"]}, "linux.memoryPolicy.flags"),
])
def test_bad_memory_policy(runtime, bundle, policy, words):
    runtime.create_fails(bundle.set("linux.memoryPolicy", policy), text=words)


@requires("two_cpus")
def test_exec_cpu_affinity(runtime, bundle):
    """Of exec, not of the container's own process; given in config.json it is for every exec."""
    every = os.sched_getaffinity(0)
    bundle.set("process.execCPUAffinity", {"initial": f"{max(every)}", "final": f"{min(every)}"})
    container = runtime.running(bundle)
    assert os.sched_getaffinity(container.pid) == every
    assert container.report("affinity") == [min(every)]


@requires("two_cpus")
def test_exec_cpu_affinity_without_final(runtime, bundle):
    """All CPUs of the cpuset once it is there; the caller keeps its own."""
    every = os.sched_getaffinity(0)
    bundle.set("process.execCPUAffinity", {"initial": f"{min(every)}"})
    assert set(runtime.running(bundle).report("affinity")) == every


@requires("two_cpus", "program:strace")
def test_initial_affinity_comes_before_the_clone(runtime, bundle, workdir):
    every = os.sched_getaffinity(0)
    bundle.set("process.execCPUAffinity", {"initial": f"{max(every)}"})
    container = runtime.running(bundle)
    trace = workdir / "trace"
    container.exec("true", prefix=["strace", "-f", "-o", trace, "-e", "trace=sched_setaffinity,clone3"])
    calls = [line.split(" ", 1)[1].strip() for line in trace.read_text().splitlines()]
    first = next(index for index, call in enumerate(calls) if call.startswith("sched_setaffinity") and f"[{max(every)}]" in call)
    clone = next(index for index, call in enumerate(calls) if call.startswith("clone3"))
    assert first < clone, calls


@pytest.mark.parametrize("affinity,words", [
    ({"initial": "4095"}, r"process.execCPUAffinity|initial"), ({"final": "4095"}, r"process.execCPUAffinity|final"),
])
def test_cpu_that_is_not_there(runtime, bundle, affinity, words):
    """Found out by exec: the kernel alone knows which CPUs there are."""
    runtime.running(bundle.set("process.execCPUAffinity", affinity)).exec_fails("true", text=f"({words}).*sched_setaffinity")


def test_cpu_that_is_not_there_in_a_user_namespace(runtime, bundle):
    """The process may end before it is told that its ids are mapped: it is its own reason that counts, time and again."""
    container = runtime.running(bundle.in_user_namespace().set("process.execCPUAffinity", {"final": "4095"}))
    for _ in range(20):
        container.exec_fails("true", text="final.*sched_setaffinity")


@pytest.mark.parametrize("affinity", [{"initial": "0-"}, {"final": "x"}, {"final": "3-1"}])
def test_bad_cpu_list(runtime, bundle, affinity):
    runtime.create_fails(bundle.set("process.execCPUAffinity", affinity), text="process.execCPUAffinity.* is not a list of CPUs")


@pytest.mark.parametrize("place,module", [("process.apparmorProfile", "apparmor"), ("process.selinuxLabel", "selinux"),
                                          ("linux.mountLabel", "selinux")])
def test_security_label_needs_its_module(runtime, bundle, place, module):
    """The caller relies on it, so a host without the module is an error, not a warning."""
    enabled = {"apparmor": os.path.exists("/sys/kernel/security/apparmor"), "selinux": os.path.exists("/sys/fs/selinux/enforce")}
    bundle.set(place, "no-such-profile")
    result = runtime.call("run", "--bundle", bundle.write().path, "labelled")
    runtime.ids.append("labelled")
    assert result.code != 0
    if not enabled[module]:
        assert module in result.message.lower() and "remove" in result.message, result
