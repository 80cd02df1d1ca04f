"""create, start, state, pause, resume, kill, delete: every verb in every state."""
import os
import re
import signal
import subprocess

import pytest

from brigtest import brig_only, wait_until
from brigtest.leaks import unreaped_orphans

STATES = ("created", "running", "paused", "stopped")


def container_in(state, runtime, bundle):
    bundle.args("/bin/probe", "sleep")
    container = runtime.create(bundle)
    if state != "created":
        container.start()
    if state == "paused":
        container.verb("pause")
    if state == "stopped":
        container.stop()
    assert container.status == state
    return container


# verb, state, words of the error (None: the verb succeeds)
TRANSITIONS = [
    ("start", "created", None),
    ("start", "running", "cannot start an already running container"),
    ("start", "paused", "cannot start .*paused"),
    ("start", "stopped", "cannot start a container that has stopped"),
    ("pause", "created", None),
    ("pause", "running", None),
    ("pause", "paused", "container not running"),
    ("pause", "stopped", "container not running"),
    ("resume", "created", "container not paused"),
    ("resume", "running", "container not paused"),
    ("resume", "paused", None),
    ("resume", "stopped", "container not paused"),
    ("kill", "created", None),
    ("kill", "running", None),
    ("kill", "paused", None),
    ("kill", "stopped", "container not running"),
    ("delete", "created", None),
    ("delete", "running", "cannot delete container {id} that is not stopped: running"),
    ("delete", "paused", "cannot delete container {id} that is not stopped: paused"),
    ("delete", "stopped", None),
]


@pytest.mark.parametrize("verb,state,error", TRANSITIONS, ids=[f"{row[0]}-{row[1]}" for row in TRANSITIONS])
def test_transition(runtime, bundle, verb, state, error):
    container = container_in(state, runtime, bundle)
    if error is None:
        container.verb(verb)
    else:
        container.fails(verb, text=error.format(id=re.escape(container.id)))
        assert container.status == state


@pytest.mark.parametrize("state,error", [
    ("created", None),
    ("running", None),
    ("paused", "cannot exec in a paused container"),
    ("stopped", "cannot exec in a stopped container"),
])
def test_exec_in_state(runtime, bundle, state, error):
    container = container_in(state, runtime, bundle)
    if error is None:
        assert container.exec("echo", "in").out == "in\n"
    else:
        container.exec_fails("true", text=error)


def test_exec_ignoring_pause_runs_after_resume(runtime, bundle):
    container = container_in("paused", runtime, bundle)
    process = runtime.spawn("exec", "--ignore-paused", container.id, "echo", "thawed", stdout=subprocess.PIPE)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.3)
    container.verb("resume")
    assert process.communicate(timeout=20)[0] == b"thawed\n"


@pytest.mark.parametrize("verb,code", [
    ("start", 1), ("state", 1), ("pause", 1), ("resume", 1), ("kill", 1), ("delete", 1), ("ps", 1), ("exec", 255),
    ("events", 1),
])
def test_unknown_container(runtime, verb, code):
    arguments = ["true"] if verb == "exec" else []
    runtime.fails(verb, "no-such-container", *arguments, text="container does not exist", code=code)


def test_delete_force_of_unknown_container_succeeds(runtime):
    result = runtime.ok("delete", "--force", "no-such-container")
    assert result.out == ""


@pytest.mark.parametrize("state", STATES)
def test_delete_force(runtime, bundle, state):
    container = container_in(state, runtime, bundle)
    container.delete("--force")
    assert not (runtime.root / container.id).exists()
    runtime.fails("state", container.id, text="container does not exist")


def test_delete_short_force_flag(runtime, bundle):
    container_in("running", runtime, bundle).delete("-f")


def test_created_process_has_not_run(runtime, bundle):
    container = runtime.create(bundle.args("/bin/probe", "print", "hello"))
    pid = container.pid
    assert pid > 0 and container.out == ""
    container.start()
    container.wait_for("stopped")
    assert container.out == "hello\n"


def test_pid_does_not_change_at_start(runtime, bundle):
    container = runtime.create(bundle.args("/bin/probe", "sleep"))
    pid = container.pid
    container.start()
    assert container.pid == pid
    assert os.readlink(f"/proc/{pid}/root") != ""
    wait_until(lambda: open(f"/proc/{pid}/comm").read() == "probe\n", "the program to run")


def test_pid_is_zero_when_stopped(runtime, bundle):
    container = container_in("stopped", runtime, bundle)
    assert container.pid == 0


def test_unreaped_init_counts_as_stopped(runtime, bundle):
    container = runtime.running(bundle)
    pid = container.pid
    with unreaped_orphans():
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert container.status == "stopped"
        container.delete()


def test_status_after_natural_end(runtime, bundle):
    container = runtime.running(bundle.args("/bin/probe", "exit", "3"))
    container.wait_for("stopped")
    container.delete()


def test_a_taken_id_is_refused_and_the_first_one_lives_on(runtime, bundle):
    container = container_in("running", runtime, bundle)
    runtime.create_fails(bundle, id=container.id, text="exist")
    assert container.status == "running"
    assert container.exec("true").code == 0


def test_an_id_can_be_used_again_after_delete(runtime, bundle):
    for _ in range(2):
        container = runtime.create(bundle.args("/bin/probe", "sleep"), id="again")
        assert container.status == "created"
        container.delete()


# ---- kill

@pytest.mark.parametrize("name,number", [
    ("TERM", 15), ("SIGTERM", 15), ("15", 15), ("HUP", 1), ("USR1", 10), ("sigusr2", 12), ("34", 34), ("64", 64),
])
def test_kill_delivers(runtime, bundle, name, number):
    container = runtime.running(bundle.args("/bin/probe", "catch-signals"))
    container.wait_for_output("ready")
    container.kill(name)
    container.wait_for_output(f"signal {number}\n")


@pytest.mark.parametrize("name,number", [
    brig_only("runc 1.1.5 knows no real-time names", "RTMIN+3", 37),
    brig_only("runc 1.1.5 knows no real-time names", "SIGRTMIN", 34),
    brig_only("runc 1.1.5 knows no real-time names", "RTMAX-1", 63),
])
def test_kill_delivers_real_time_signals(runtime, bundle, name, number):
    container = runtime.running(bundle.args("/bin/probe", "catch-signals"))
    container.wait_for_output("ready")
    container.kill(name)
    container.wait_for_output(f"signal {number}\n")


def test_kill_default_is_term(runtime, bundle):
    container = runtime.running(bundle.args("/bin/probe", "catch-signals"))
    container.wait_for_output("ready")
    container.verb("kill")
    container.wait_for("stopped")
    assert "signal 15" in container.out


@pytest.mark.parametrize("name", ["NOPE", "SIGNOPE", "TERM1"])
def test_kill_refuses_unknown_signal(runtime, bundle, name):
    container = container_in("running", runtime, bundle)
    runtime.fails("kill", container.id, name, text="unknown signal")
    assert container.status == "running"


@pytest.mark.parametrize("number", [
    brig_only("runc 1.1.5 leaves the refusal to the kernel: invalid argument", "-1"),
    brig_only("runc 1.1.5 leaves the refusal to the kernel: invalid argument", "65"),
    brig_only("runc 1.1.5 truncates", "4294967305"),
])
def test_kill_refuses_impossible_number(runtime, bundle, number):
    container = container_in("running", runtime, bundle)
    runtime.fails("kill", "--", container.id, number, text="unknown signal|invalid")
    assert container.status == "running"


def test_kill_zero_only_asks(runtime, bundle):
    container = container_in("running", runtime, bundle)
    container.kill("0")
    assert container.status == "running"


def test_kill_all_of_stopped_container_succeeds(runtime, bundle):
    container = container_in("stopped", runtime, bundle)
    runtime.ok("kill", "--all", container.id, "KILL")


def test_kill_all_reaches_processes_of_a_shared_pid_namespace(runtime, bundle):
    bundle.namespace("pid", remove=True).args("sh", "-c", "probe sleep & echo $!; exec probe sleep")
    container = runtime.running(bundle)
    child = int(container.wait_for_output("\n"))
    runtime.ok("kill", "--all", container.id, "KILL")
    container.wait_for("stopped")
    wait_until(lambda: _ended(child), "the second process to be killed")


def test_delete_force_kills_all_of_a_shared_pid_namespace(runtime, bundle):
    bundle.namespace("pid", remove=True).args("sh", "-c", "probe sleep & echo $!; exec probe sleep")
    container = runtime.running(bundle)
    child = int(container.wait_for_output("\n"))
    container.delete("--force")
    # It has left its cgroup, which is gone; on its way out it is still seen for a moment.
    wait_until(lambda: _ended(child), "the second process to end", seconds=5)


def test_delete_of_stopped_container_kills_what_its_init_left(runtime, bundle):
    bundle.namespace("pid", remove=True).args("sh", "-c", "probe orphan; exec probe sleep")
    container = runtime.running(bundle)
    wait_until(lambda: len(runtime.ok("ps", "--format", "json", container.id).json()) == 2, "the orphan")
    left = set(runtime.ok("ps", "--format", "json", container.id).json()) - {container.pid}
    container.stop()
    container.delete("--force")
    assert all(_ended(pid) for pid in left)


def _ended(pid):
    try:
        return open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_end_of_init_ends_the_pid_namespace(runtime, bundle):
    container = runtime.running(bundle)
    container.exec("/bin/probe", "sleep", flags=["--detach"])
    pids = runtime.ok("ps", "--format", "json", container.id).json()
    assert len(pids) == 2
    container.stop()
    wait_until(lambda: all(_ended(pid) for pid in pids), "both processes to end")


# ---- pause and resume

def test_paused_process_makes_no_progress(runtime, bundle):
    container = runtime.running(bundle.args("sh", "-c", "while :; do echo tick; sleep 0.01; done"))
    container.wait_for_output("tick")
    container.verb("pause")
    before = container.out
    with pytest.raises(AssertionError):
        wait_until(lambda: container.out != before, "output while paused", seconds=0.3)
    container.verb("resume")
    wait_until(lambda: container.out != before, "output after resume")


@pytest.mark.parametrize("flags", [[], ["--all"]])
def test_killed_while_paused_ends(runtime, bundle, flags):
    """SIGKILL must not wait for a resume."""
    container = container_in("paused", runtime, bundle)
    container.kill("KILL", *flags)
    if flags and container.status == "paused":
        runtime.call("resume", container.id)  # it may have ended since
    container.wait_for("stopped")


# ---- half-made containers

def test_create_that_is_killed_can_be_deleted(runtime, bundle):
    """kill -9 of the CLI at any moment leaves something that `delete --force` cleans up, or nothing at all."""
    bundle.args("/bin/probe", "sleep").write()
    for delay in (0, 0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05):
        runtime.ids.append(f"killed-{delay}")
        process = runtime.spawn("create", "--bundle", bundle.path, runtime.ids[-1], stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)
        try:
            process.wait(delay)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        runtime.ok("delete", "--force", runtime.ids[-1])
        assert not (runtime.root / runtime.ids[-1]).exists()


def test_start_of_container_whose_init_was_killed(runtime, bundle):
    container = runtime.create(bundle.args("/bin/probe", "sleep"))
    os.kill(container.pid, signal.SIGKILL)
    container.wait_for("stopped")
    container.fails("start", text="cannot start a container that has stopped")


def test_delete_works_without_the_bundle(runtime, make_bundle):
    bundle = make_bundle("gone")
    container = runtime.running(bundle)
    bundle.path.rename(bundle.path.with_name("moved"))
    container.verb("state")
    container.delete("--force")
    bundle.path.with_name("moved").rename(bundle.path)


@pytest.mark.requires("host_root")
def test_delete_works_after_the_cgroup_was_removed(runtime, bundle):
    container = runtime.running(bundle)
    folder = container.cgroup("pids")
    container.stop()
    wait_until(lambda: _try_rmdir(folder), "the empty cgroup to be removable")
    container.delete()


def _try_rmdir(folder):
    try:
        folder.rmdir()
        return True
    except OSError:
        return False


# ---- foreign things in the state root (Docker gives every runtime the same one)

@pytest.mark.parametrize("content", [
    {}, {"status": "{}"}, {"state.json": "not json"}, {"state.json": ""}, {"config.json": "{}", "status": "[]"},
])
def test_foreign_folder_in_state_root(runtime, bundle, content):
    runtime.root.mkdir(exist_ok=True)
    foreign = runtime.root / "foreign"
    foreign.mkdir()
    for name, text in content.items():
        (foreign / name).write_text(text)
    container = runtime.running(bundle)
    listed = runtime.ok("list", "--format", "json").json()
    assert container.id in [entry["id"] for entry in listed]
    container.delete("--force")
    assert sorted(os.listdir(foreign)) == sorted(content)
    for name in content:
        (foreign / name).unlink()
    foreign.rmdir()


def test_stray_file_in_state_root(runtime, bundle):
    runtime.root.mkdir(exist_ok=True)
    (runtime.root / "a-file").write_text("stray")
    container = runtime.running(bundle)
    listed = runtime.ok("list", "--format", "json").json()
    assert [entry["id"] for entry in listed] == [container.id]
    (runtime.root / "a-file").unlink()


# ---- the files the callers read

@pytest.mark.parametrize("verb", ["create", "run"])
def test_pid_file_is_complete(runtime, bundle, workdir, verb):
    path = workdir / "init.pid"
    make = runtime.create if verb == "create" else runtime.running
    container = make(bundle.args("/bin/probe", "sleep"), "--pid-file", path)
    assert path.read_text().strip() == str(container.pid)
    assert [name for name in os.listdir(workdir) if "pid" in name] == ["init.pid"]


def test_relative_pid_file_and_bundle_are_relative_to_the_caller(runtime, bundle, workdir):
    container = runtime.create(bundle.args("/bin/probe", "sleep"), "--pid-file", "relative.pid", cwd=workdir)
    assert (workdir / "relative.pid").read_text().strip() == str(container.pid)
    runtime.ids.append("here")
    runtime.ok("create", "here", cwd=bundle.path)
    assert runtime.state("here")["bundle"] == str(bundle.path)


def test_relative_rootfs_is_relative_to_the_bundle(runtime, bundle):
    (bundle.path / "rootfs").rename(bundle.path / "other")
    bundle.set("root.path", "other")
    assert runtime.run(bundle.args("echo", "ok")).out == "ok\n"
    (bundle.path / "other").rename(bundle.path / "rootfs")


def test_absolute_rootfs(runtime, bundle, make_bundle):
    other = make_bundle("second")
    other.file("here", "second")
    bundle.set("root.path", str(other.rootfs)).args("cat", "/here")
    assert runtime.run(bundle).out == "second"


def test_two_containers_of_one_bundle(runtime, bundle):
    first, second = runtime.running(bundle), runtime.running(bundle)
    assert first.pid != second.pid
    first.delete("--force")
    assert second.status == "running"


@pytest.mark.parametrize("name", ["a", "with.dots", "Under_score+plus-minus", "0", "a" * 200, "..a", ".hidden"])
def test_valid_ids(runtime, bundle, name):
    runtime.create(bundle.args("/bin/probe", "sleep"), id=name, write=True).delete()


def test_many_containers_start_at_the_same_time(runtime, bundle):
    bundle.args("/bin/probe", "sleep").write()
    names = [f"parallel-{number}" for number in range(12)]
    runtime.ids += names
    running = [runtime.spawn("run", "--detach", "--bundle", bundle.path, name, stdout=subprocess.DEVNULL,
                             stdin=subprocess.DEVNULL) for name in names]
    assert [process.wait(60) for process in running] == [0] * len(names)
    listed = {entry["id"]: entry["status"] for entry in runtime.ok("list", "--format", "json").json()}
    assert listed == {name: "running" for name in names}
    ending = [runtime.spawn("delete", "--force", name) for name in names]
    assert [process.wait(60) for process in ending] == [0] * len(names)


def test_two_starts_at_the_same_time_start_once(runtime, bundle):
    container = runtime.create(bundle.args("sh", "-c", "echo started; exec probe sleep"))
    starts = [runtime.spawn("start", container.id, stderr=subprocess.DEVNULL) for _ in range(2)]
    codes = sorted(process.wait(30) for process in starts)
    assert codes[0] == 0
    container.wait_for_output("started")
    assert container.out == "started\n"
