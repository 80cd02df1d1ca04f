"""The wall time of a policy, kept beside a container: by whom, from when, and what is left when somebody kills the guard."""
import json
import os
import signal
import time

import pytest

from brigtest.leaks import processes_named
from brigtest.waiting import wait_until

pytestmark = pytest.mark.brig_only("other runtimes have no policies")

REASON = "brig: the policy short ends this container: it ran for 700 ms (limits.timeout)"


@pytest.fixture
def short(installed):
    installed.write("short", limits={"timeout": "700ms", "grace": "500ms"})
    return installed.under("short")


def guard_of(container):
    return json.loads((container.runtime.root / container.id / "brig.json").read_text()).get("guard")


def family(pid):
    """The process and its children."""
    children = open(f"/proc/{pid}/task/{pid}/children").read().split()
    return [pid, *map(int, children)]


def is_gone(pid):
    try:
        return open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0] in "ZX"
    except OSError:
        return True


def wait_until_gone(pids):
    wait_until(lambda: all(map(is_gone, pids)), f"processes {pids} to end", seconds=5)


def test_run_ends_in_time_and_says_why(short, bundle):
    bundle.args("sh", "-c", "echo begun; sleep 30")
    begun = time.monotonic()
    result = short.run(bundle, code=137)
    assert 0.7 <= time.monotonic() - begun < 5
    assert result.out == "begun\n" and result.err.count(REASON) == 1, result


def test_control_without_the_policy(installed, bundle):
    bundle.args("sh", "-c", "sleep 2; echo through")
    assert installed.under().run(bundle).out == "through\n"


def test_a_program_that_ends_by_itself(short, bundle):
    result = short.run(bundle.args("sh", "-c", "exit 7"), code=7)
    assert "policy" not in result.err


def test_a_policy_without_time_needs_no_guard(installed, bundle):
    installed.write("none", privileges={"noNewPrivileges": True})
    container = installed.under("none").create(bundle.args("true"))
    assert guard_of(container) is None
    container.delete("--force")


def test_time_counts_from_start(short, bundle):
    container = short.create(bundle.args("sleep", "30"))
    time.sleep(1.5)
    assert container.status == "created"
    container.start()
    begun = time.monotonic()
    container.wait_for("stopped")
    assert 0.6 <= time.monotonic() - begun < 5
    assert REASON in container.err
    container.delete()


def test_term_comes_first(short, bundle):
    bundle.args("sh", "-c", "trap 'echo asked; exit 3' TERM; while true; do sleep 0.05; done")
    assert short.run(bundle, code=3).out == "asked\n"


def test_who_ignores_term_is_killed_with_all(short, bundle):
    bundle.args("sh", "-c", "trap '' TERM; sleep 31.4 & sleep 31.4 & echo ready; while true; do sleep 0.05; done")
    container = short.create(bundle)
    guard = family(guard_of(container))
    container.start()
    container.wait_for_output("ready")
    pids = [entry for entry in os.listdir("/proc") if entry.isdigit() and b"31.4" in cmdline(entry)]
    assert len(pids) >= 2
    container.wait_for("stopped")
    wait_until_gone([*guard, *map(int, pids)])
    container.delete()


def cmdline(pid):
    try:
        return open(f"/proc/{pid}/cmdline", "rb").read()
    except OSError:
        return b""


@pytest.mark.parametrize("started", [False, True])
def test_forced_delete_leaves_no_guard(short, bundle, started):
    container = short.create(bundle.args("sleep", "30"))
    guard = family(guard_of(container))
    assert len(guard) == 2
    if started:
        container.start()
    container.delete("--force")
    assert all(map(is_gone, guard))


@pytest.mark.parametrize("which", [0, 1])
def test_a_killed_guard_is_no_way_out(installed, bundle, which):
    """Whichever of its two processes is killed, the other ends the container."""
    installed.write("long", limits={"timeout": "10m"})
    container = installed.under("long").create(bundle.args("sleep", "30"))
    guard = family(guard_of(container))
    container.start()
    os.kill(guard[which], signal.SIGKILL)
    container.wait_for("stopped")
    wait_until_gone(guard)
    container.delete()


def test_control_an_unhurt_guard_ends_nothing(installed, bundle):
    installed.write("long", limits={"timeout": "10m"})
    container = installed.under("long").create(bundle.args("sleep", "30"))
    container.start()
    time.sleep(1)
    assert container.status == "running"
    container.delete("--force")


def test_the_guard_holds_nothing_of_its_caller(installed, bundle):
    """No pipe but the container's standard error, no lock, a session of its own, and not in the container's cgroup."""
    installed.write("long", limits={"timeout": "10m"})
    container = installed.under("long").create(bundle.args("sleep", "30"))
    guard, watcher = family(guard_of(container))
    for pid in (guard, watcher):
        links = {number: os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")}
        assert all(links[number] == "/dev/null" for number in "012"), links
        assert not any("/state/" in link for link in links.values()), links
        assert os.readlink(f"/proc/{pid}/cwd") == "/" and os.getsid(pid) == guard
        assert open(f"/proc/{pid}/cgroup").read() == open("/proc/self/cgroup").read()
    container.delete("--force")


def test_a_paused_container_ends_too(short, bundle):
    container = short.create(bundle.args("sleep", "30"))
    container.start()
    container.verb("pause")
    container.wait_for("stopped")
    container.delete()


def test_a_full_error_stream_holds_nothing_up(short, bundle):
    """Nobody reads the pipe that the program has filled."""
    reader, writer = os.pipe()
    bundle.args("sh", "-c", "while true; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx >&2; done").write()
    process = short.spawn("run", "--bundle", bundle.path, "full", stderr=writer)
    os.close(writer)
    try:
        assert process.wait(timeout=15) == 137
    finally:
        os.close(reader)


def test_a_create_that_is_killed_leaves_nothing(installed, bundle):
    installed.write("long", limits={"timeout": "10m"})
    runtime = installed.under("long")
    bundle.args("sleep", "30").write()
    before = guards()
    for step in range(12):
        name = f"killed-{step}"
        process = runtime.spawn("create", "--bundle", bundle.path, name)
        time.sleep(step * 0.004)
        process.kill()
        process.wait()
        runtime.ok("delete", "--force", name)
        wait_until(lambda: guards() <= before, f"guards {guards() - before} to end", seconds=5)


def guards():
    return {pid for pid in processes_named("brig-guard", "brig-watcher") if not is_gone(int(pid))}


def test_an_ordinary_users_container(installed, bundle, workdir):
    """Without root: a guard of the user's own."""
    from brigtest.ordinary_user import OrdinaryUser
    user = OrdinaryUser(workdir / "user")
    runtime = None
    try:
        installed.write("short", limits={"timeout": "700ms", "grace": "500ms"})
        runtime = installed.under("short")
        runtime.prefix = user.prefix
        runtime.root = user.folder / "state"
        runtime.root.mkdir(parents=True)
        user.own(runtime.folder, runtime.root)
        result = runtime.run(bundle.args("sleep", "30"), code=137)
        assert REASON in result.err, result
    finally:
        if runtime is not None:
            runtime.prefix = ()
        user.close()
