"""Settings of the whole host that are files: core_pattern runs a program as root on the host, sysctls and sysrq harm it.
Under Docker's lists they cannot be written to, not remounted, not reached by a second procfs; nor can cgroup control files,
with or without a cgroup namespace (CVE-2023-25809, and the release_agent escape)."""
import json

import pytest

from brigtest import requires

HOST_FILES = ["/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/vm/overcommit_memory",
              "/proc/sys/kernel/hotplug", "/proc/sysrq-trigger", "/proc/irq/default_smp_affinity", "/proc/sys/fs/file-max",
              "/sys/kernel/uevent_helper", "/sys/power/state", "/sys/kernel/mm/transparent_hugepage/enabled",
              "/sys/kernel/profiling"]


def writable(target, bundle):
    """The files that can be opened for writing; nothing is written."""
    script = "for file in " + " ".join(HOST_FILES) + '; do echo "$file $(probe open $file w)"; done'
    outcome = target.run(bundle.args("/bin/sh", "-c", script))
    assert outcome.code == 0, outcome
    lines = [line.split(" ", 1) for line in outcome.out.splitlines()]
    return [path for path, answer in lines if json.loads(answer)["result"] >= 0]


def test_files_of_the_host(target, attack_bundle):
    bundle = attack_bundle()
    bundle.process["env"] = ["PATH=/bin"]
    if target.is_weak:
        # As a container without Docker's lists has it.
        bundle.set("linux.maskedPaths", [])
        for mount in bundle.spec["mounts"]:
            mount["options"] = [option for option in mount.get("options", []) if option != "ro"]
    target.judge(writable(target, bundle))


def test_user_namespace_gives_no_way_round(runtime, attack_bundle):
    """A new user and mount namespace has all capabilities there. With Docker's lists in force the kernel gives it no second
    procfs; without them (the control) it does, and with it core_pattern for writing."""
    opened = {}
    for title in ("lists", "no lists"):
        bundle = attack_bundle().args("/bin/busybox", "unshare", "-U", "-r", "-m", "-p", "-f", "/bin/sh", "-c",
                                      "mount -t proc proc /proc && /bin/probe open /proc/sys/kernel/core_pattern w")
        if title == "no lists":
            bundle.set("linux.maskedPaths", []).set("linux.readonlyPaths", [])
        result = runtime.call("run", "--bundle", bundle.write().path, runtime._prepare(bundle, None))
        opened[title] = result.code == 0 and json.loads(result.out)["result"] >= 0
    assert opened == {"lists": False, "no lists": True}


def cgroup_bundle(attack_bundle, *options):
    bundle = attack_bundle().namespace("cgroup", remove=True)
    for mount in bundle.spec["mounts"]:
        if mount["type"] == "cgroup":
            mount["options"] = ["nosuid", "noexec", "nodev", *options]
    bundle.process["env"] = ["PATH=/bin"]
    script = ('for file in $(busybox find /sys/fs/cgroup -name cgroup.procs -o -name release_agent -o -name devices.allow); '
              'do echo "$file $(probe open $file w)"; done')
    return bundle.args("/bin/sh", "-c", script)


def writable_control_files(runtime, bundle):
    lines = [line.split(" ", 1) for line in runtime.run(bundle).out.splitlines()]
    assert lines, "no control file is there"
    return [path for path, answer in lines if json.loads(answer)["result"] >= 0]


@requires("root")
def test_cgroup_files_without_a_cgroup_namespace(runtime, attack_bundle):
    """Read-only as asked; read-write (the control) they can be opened."""
    assert writable_control_files(runtime, cgroup_bundle(attack_bundle, "rw"))
    assert not writable_control_files(runtime, cgroup_bundle(attack_bundle, "ro"))


@requires("root")
def test_cgroup_files_with_a_cgroup_namespace(runtime, attack_bundle):
    assert not writable_control_files(runtime, cgroup_bundle(attack_bundle, "ro").namespace("cgroup"))


def test_cgroups_of_the_host_are_not_seen(runtime, attack_bundle):
    """Even read-write, what is mounted is the container's own cgroup and not the tree above it."""
    bundle = cgroup_bundle(attack_bundle, "ro")
    container = runtime.running(bundle.args("/bin/probe", "sleep"))
    seen = container.exec("/bin/busybox", "find", "/sys/fs/cgroup", "-name", "cgroup.procs").out.split()
    assert seen
    for path in seen:
        # The container's process is in the cgroup at the top of what it sees, and nobody else is.
        pids = container.exec("/bin/cat", path).out.split()
        assert "0" not in pids, f"{path} shows processes of the host"


@pytest.mark.parametrize("path", ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"])
def test_docker_masks(runtime, attack_bundle, path):
    """Docker's masked paths give nothing; without the list (the control) those that this kernel has do."""
    bundle = attack_bundle()
    masked = runtime.probe(bundle, "stat", path)[path]
    assert "errno" in masked or (masked["major"], masked["minor"]) == (1, 3) or masked["type"] == "directory", masked
    if masked.get("type") == "directory":
        assert not runtime.probe(bundle, "list", path)[path]
