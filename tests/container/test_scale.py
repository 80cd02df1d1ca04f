"""What grows on a busy host must not grow into a start, and containers that others have meddled with still end."""
import os
import subprocess

import pytest

from brigtest import brig_only, cgroups, requires, wait_until

pytestmark = brig_only("speed and clean-up of brig's own")


def traced(runtime, bundle, workdir, *arguments):
    """Paths that the call and its children opened."""
    trace = workdir / "trace"
    runtime.ok(*arguments, prefix=["strace", "-f", "-qq", "-o", trace, "-e", "trace=open,openat,openat2"])
    return trace.read_text()


@requires("program:strace")
@pytest.mark.parametrize("verb", ["run", "exec", "state", "list", "kill", "delete"])
def test_the_mount_table_is_never_read(runtime, bundle, workdir, verb):
    """It grows with every container of the host: 2,000 mounts here would be 2,000 lines to read at each start."""
    if verb == "run":
        bundle.args("true").write()
        runtime.ids.append("traced")
        text = traced(runtime, bundle, workdir, verb, "--bundle", bundle.path, "traced")
    else:
        container = runtime.running(bundle)
        arguments = {"exec": ["exec", container.id, "true"], "kill": ["kill", container.id, "0"], "list": ["list"],
                     "delete": ["delete", "--force", container.id]}.get(verb, [verb, container.id])
        text = traced(runtime, bundle, workdir, *arguments)
    table = [line for line in text.splitlines() if "mountinfo" in line or "/mounts\"" in line or "mountstats" in line]
    assert not table, table


def test_a_host_with_many_mounts(runtime, bundle, workdir):
    """All of them are gone inside, none is lost outside."""
    (workdir / "many").mkdir()
    count = 500
    subprocess.run(["sh", "-ec", f"mount -t tmpfs t {workdir}/many; cd {workdir}/many; i=0; while [ $i -lt {count} ]; do "
                    "mkdir $i; mount --bind $i $i; i=$((i+1)); done"], check=True)
    try:
        seen = int(runtime.run(bundle.args("sh", "-c", "wc -l < /proc/self/mountinfo")).out)
        assert seen < 60
        assert sum(f"{workdir}/many/" in line for line in open("/proc/self/mountinfo")) == count
    finally:
        subprocess.run(["umount", "-l", workdir / "many"], check=True)


def test_a_thousand_mounts(runtime, bundle):
    for number in range(1000):
        bundle.mount(f"/dev/shm/m{number}", "tmpfs", "tmpfs", ["size=4k", "nr_inodes=2"])
    assert int(runtime.run(bundle.args("sh", "-c", "grep -c ' /dev/shm/m' /proc/self/mountinfo")).out) == 1000


def test_exec_after_init_moved_to_another_cgroup(runtime, bundle):
    """As systemd and BuildKit do inside: exec follows as far as it is below the container's own."""
    container = runtime.running(bundle)
    mine = container.cgroup("pids")
    below = mine / "moved"
    below.mkdir()
    (below / "cgroup.procs").write_text(str(container.pid))
    assert container.exec("echo", "here").out == "here\n"
    container.delete("--force")
    assert not mine.exists()


def test_frozen_from_outside_and_deleted(runtime, bundle):
    """Somebody else froze it: a kill must not wait for a thaw that nobody will do."""
    container = runtime.running(bundle)
    place = cgroups.of_process(container.pid)
    freezer = place.get("freezer")
    if freezer is not None and (freezer / "freezer.state").exists():
        (freezer / "freezer.state").write_text("FROZEN")
    else:
        (container.cgroup("pids") / "cgroup.freeze").write_text("1")
    pid = container.pid
    container.delete("--force")
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "the process to be gone")


def test_fifty_live_containers(runtime, bundle):
    """list and state are right among many; tests/bench measures how fast with 500."""
    bundle.args("/bin/probe", "sleep")
    containers = [runtime.running(bundle, id=f"many-{os.getpid()}-{number}") for number in range(50)]
    listed = {entry["id"]: entry["status"] for entry in runtime.ok("list", "--format", "json").json()}
    assert all(listed[container.id] == "running" for container in containers)
    containers[7].stop()
    assert containers[7].status == "stopped" and containers[8].status == "running"
    assert runtime.run(bundle.args("echo", "ok")).out == "ok\n"
    for container in containers:
        container.delete("--force")
    assert runtime.ok("list", "--format", "json").json() == []
