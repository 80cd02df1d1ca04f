"""Sandboxes that stay: exec, files, limits of their lives, and what is left when somebody is killed."""
import json
import os
import random
import signal
import time

import pytest

from brigtest import cgroups, settings
from brigtest.audit import lines_of
from brigtest.plugin import KEPT_IN_STATE_ROOT
from brigtest.waiting import wait_until

WAIT = "while :; do sleep 0.1; done"


def test_exec_keeps_files(sandboxes):
    sandbox = sandboxes.create()
    assert sandbox.shell("echo one > file; id -u")["stdout"] == "1000\n"
    assert sandbox.shell("cat file")["stdout"] == "one\n"
    result = sandbox.call("exec", "sh", "-c", "echo out; echo err >&2; exit 5")
    assert (result.code, result.out, result.err) == (5, "out\n", "err\n")


def test_list_and_rm(sandboxes):
    sandbox = sandboxes.create("--lifetime", "1h")
    entry = sandbox.listed()
    assert (entry["status"], entry["kind"]) == ("running", "created")
    assert sandbox.id in sandboxes.call("list").out
    pid = entry["pid"]
    sandbox.ok("rm")
    assert sandbox.gone and sandbox.listed() is None
    assert not os.path.exists(f"/proc/{pid}") and not cgroups.folders_with(sandbox.id)
    assert sandbox.call("exec", "true").code == 125
    assert "does not exist" in sandbox.call("rm").err


def test_rm_is_for_sandboxes_only(sandboxes, bundle):
    container = sandboxes.runtime.running(bundle)
    result = sandboxes.call("rm", container.id)
    assert result.code == 1 and "not a sandbox" in result.err
    assert container.status == "running"


def test_rm_ends_what_runs(sandboxes, spawn, workdir):
    sandbox = sandboxes.create("--pids", "40")
    with open(workdir / "out", "wb") as out:
        process = spawn(sandboxes.command("exec", "--json", sandbox.id, "sh", "-c",
                                          f"setsid sh -c '{WAIT}' & trap '' TERM; echo begun > begun; {WAIT}"), stdout=out)
    wait_until(lambda: sandbox.call("get", "begun").code == 0, "the program to begin")
    begin = time.monotonic()
    sandbox.ok("rm")
    assert time.monotonic() - begin < 10
    assert process.wait(20) == 137
    assert json.loads((workdir / "out").read_text())["reason"] == "killed"


@pytest.mark.parametrize("script", [WAIT, f"trap '' TERM; {WAIT}", f"(setsid sh -c \"trap '' TERM; {WAIT}\" &); {WAIT}"])
def test_timeout_leaves_the_sandbox_and_no_survivor(sandboxes, script):
    sandbox = sandboxes.create("--grace", "300ms")
    result = sandbox.shell(script, flags=["--timeout", "0.3"])
    assert (result["reason"], result["exit_code"], result["error"]) == ("timeout", -1, "TimeoutError")
    # The program's children were killed with it: process 1 and this one are all there is.
    assert len(sandbox.shell("ls -d /proc/[0-9]*")["stdout"].split()) == 2
    assert sandbox.shell("echo alive")["stdout"] == "alive\n"


def test_the_sandboxes_own_timeout(sandboxes):
    sandbox = sandboxes.create("--timeout", "0.3")
    assert sandbox.shell("sleep 30")["reason"] == "timeout"
    assert sandbox.shell("sleep 0.6", flags=["--timeout", "0"])["reason"] == "exited"


def test_programs_at_the_same_time(sandboxes, spawn, workdir):
    sandbox = sandboxes.create()
    processes = []
    for number in range(20):
        with open(workdir / f"out{number}", "wb") as out:
            processes.append(spawn(sandboxes.command("exec", sandbox.id, "sh", "-c", f"sleep 0.2; echo {number}; exit {number}"),
                                   stdout=out))
    assert [process.wait(30) for process in processes] == list(range(20))
    assert [(workdir / f"out{number}").read_text() for number in range(20)] == [f"{number}\n" for number in range(20)]


def test_oom_in_one_program(sandboxes):
    sandbox = sandboxes.create("--memory", "24m")
    assert sandbox.exec("probe", "allocate", "64")["reason"] == "oom"
    assert sandbox.shell("exit 1")["reason"] == "exited", "an earlier program's kill is not the reason"
    assert sandbox.exec("probe", "allocate", "4")["success"]


def test_metrics_are_the_programs_own(sandboxes):
    sandbox = sandboxes.create()
    busy = sandbox.exec("probe", "burn", "5", "200")
    assert busy["metrics"]["cpu_user_ms"] + busy["metrics"]["cpu_system_ms"] >= 150
    assert sandbox.shell("true")["metrics"]["cpu_user_ms"] < 100


def test_exec_that_is_interrupted(sandboxes, spawn, workdir):
    sandbox = sandboxes.create()
    process = spawn(sandboxes.command("exec", "--json", sandbox.id, "sh", "-c", f"> begun; {WAIT}"),
                    stdout=open(workdir / "out", "wb"))
    wait_until(lambda: sandbox.call("get", "begun").code == 0, "the program to begin")
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 137
    assert json.loads((workdir / "out").read_text())["reason"] == "killed"


def test_exec_whose_client_is_killed(sandboxes, spawn):
    sandbox = sandboxes.create("--grace", "200ms")
    process = spawn(sandboxes.command("exec", sandbox.id, "sh", "-c", f"> begun; {WAIT}"))
    wait_until(lambda: sandbox.call("get", "begun").code == 0, "the program to begin")
    process.kill()
    process.wait()
    wait_until(lambda: json.loads(sandbox.ok("stats", flags=["--json"]).out)["programs"] == 0, "the program to be ended")
    assert sandbox.shell("echo alive")["stdout"] == "alive\n"


def test_logs_keep_the_end(sandboxes):
    sandbox = sandboxes.create("--log-limit", "10")
    sandbox.shell("echo 0123456789abcdef; echo err >&2")
    logs = sandbox.ok("logs").json()
    assert (logs["stdout"], logs["stderr"]) == ("789abcdef\n", "err\n")
    assert logs["forgotten_bytes"] == 7


def test_stats(sandboxes):
    sandbox = sandboxes.create()
    sandbox.exec("probe", "burn", "5", "100")
    stats = sandbox.ok("stats", flags=["--json"]).json()
    assert stats["metrics"]["cpu_user_ms"] + stats["metrics"]["cpu_system_ms"] >= 50 and stats["status"] == "idle"


def test_pause_and_resume(sandboxes, spawn, workdir):
    sandbox = sandboxes.create()
    process = spawn(sandboxes.command("exec", "--timeout", "0", sandbox.id, "sh", "-c", "i=0; while :; do i=$((i+1)); echo $i > n; sleep 0.02; done"))
    wait_until(lambda: sandbox.call("get", "n").out.strip().isdigit(), "the program to count")
    sandbox.ok("pause")
    assert sandbox.listed()["status"] == "paused"
    before = sandbox.call("get", "n").out
    time.sleep(0.3)
    assert sandbox.call("get", "n").out == before
    sandbox.ok("resume")
    wait_until(lambda: sandbox.call("get", "n").out.strip() not in ("", before.strip()), "the program to go on")
    sandbox.ok("pause")
    sandbox.ok("rm")
    assert process.wait(20) == 137 and sandbox.gone


def test_idle_and_lifetime(sandboxes, workdir):
    audit = workdir / "audit"
    idle = sandboxes.create("--idle", "0.5", "--audit", audit)
    short = sandboxes.create("--lifetime", "1", "--audit", audit)
    assert idle.shell("sleep 1; echo done")["stdout"] == "done\n", "a sandbox with a program is not idle"
    idle.wait_until_gone()
    short.wait_until_gone()
    ends = {line["sandbox_id"]: line["why"] for line in lines_of(audit) if line["event"] == "removed"}
    assert ends == {idle.id: "idle", short.id: "lifetime"}


def test_process_1_cannot_be_hurt_from_inside(sandboxes):
    """Not killed, stopped, traced or read by the programs, which are the same user."""
    sandbox = sandboxes.create()
    result = sandbox.shell("for s in KILL STOP TERM INT HUP SEGV ABRT; do kill -$s 1; done; ls /proc/1/fd; cat /proc/1/environ; "
                           "cat /proc/1/maps; cat /proc/1/status | grep -E 'State|Seccomp|NoNewPrivs|CapEff'")
    lines = result["stdout"]
    assert "sleeping" in lines and "NoNewPrivs:\t1" in lines and "CapEff:\t0000000000000000" in lines
    assert result["stderr"].count("Permission denied") >= 2, result
    assert sandbox.shell("echo alive")["stdout"] == "alive\n"


# ---- somebody is killed ----------------------------------------------------------------------------------------------------


def test_a_killed_supervisor_takes_everything_along(sandboxes, spawn):
    sandbox = sandboxes.create("--pids", "40")
    process = spawn(sandboxes.command("exec", sandbox.id, "sh", "-c", f"> begun; setsid sh -c '{WAIT}' & {WAIT}"))
    wait_until(lambda: sandbox.call("get", "begun").code == 0, "the program to begin")
    entry = sandbox.listed()
    folders = cgroups.folders_with(sandbox.id)
    os.kill(entry["supervisor_pid"], signal.SIGKILL)
    wait_until(lambda: not any(open(f"{folder}/cgroup.procs").read() for folder in folders), "every process to end")
    assert process.wait(20) == 125
    wait_until(lambda: sandbox.listed()["status"] == "orphan", "the sandbox to be an orphan")
    assert "prune" in sandbox.call("exec", "true").err
    assert sandbox.id in sandboxes.call("prune").out.split()
    assert sandbox.gone and not cgroups.folders_with(sandbox.id)


def test_a_program_cannot_outlive_its_supervisor(sandboxes, spawn):
    """PR_SET_PDEATHSIG is not what ends it: a program may undo that."""
    name, arguments = sandboxes.arguments(["--timeout", "0"])
    process = spawn(sandboxes.command("run", *arguments, "--", "sh", "-c",
                                       f"setsid sh -c \"trap '' HUP TERM INT; {WAIT}\" & {WAIT}"))
    wait_until(lambda: any(entry["status"] == "running" for entry in sandboxes.call("list", "--json").json()), "the start")
    init = sandboxes.runtime.state(name)["pid"]
    process.kill()
    process.wait()
    wait_until(lambda: not os.path.exists(f"/proc/{init}"), "the sandbox to die")
    assert name in sandboxes.call("prune").out.split()


def test_prune_leaves_the_living(sandboxes):
    sandbox = sandboxes.create()
    assert sandboxes.call("prune", "--json").json() == {"removed": []}
    assert sandbox.shell("echo alive")["stdout"] == "alive\n"


ROUNDS = int(os.environ.get("BRIG_SANDBOX_KILLS", "25"))


@pytest.mark.parametrize("verb", ["run", "create"])
def test_killed_at_random_moments(sandboxes, spawn, verb):
    """Whatever the moment: prune leaves no process, cgroup, mount or file (the leak check looks at the rest)."""
    seed = random.randrange(1 << 30)
    moments = random.Random(seed)
    print("seed", seed)
    for number in range(ROUNDS):
        # Generated names: those are what prune looks at before there is a record.
        words = [verb, "--rootfs", sandboxes.rootfs]
        words += ["--", "sh", "-c", "sleep 30"] if verb == "run" else []
        process = spawn(sandboxes.runtime.command("sandbox", *words), stdout=-3, stderr=-3, start_new_session=True)
        time.sleep(moments.random() * 0.05)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for entry in sandboxes.call("list", "--json").json():
            try:
                os.kill(entry["supervisor_pid"], signal.SIGKILL)
            except ProcessLookupError:
                pass
    def gone():
        result = sandboxes.call("prune")
        assert result.code == 0, result
        for entry in sandboxes.call("list", "--json").json():
            try:
                os.kill(entry["supervisor_pid"], signal.SIGKILL)
            except ProcessLookupError:
                pass
        return set(os.listdir(sandboxes.runtime.root)) <= KEPT_IN_STATE_ROOT
    wait_until(gone, "everything to be gone")
    assert not cgroups.folders_with("/sandbox-")


# ---- many ---------------------------------------------------------------------------------------------------------------------


CROWD = int(os.environ.get("BRIG_SANDBOX_CROWD", "100"))
SERIES = int(os.environ.get("BRIG_SANDBOX_SERIES", "1000"))


def test_many_at_once(sandboxes):
    crowd = [sandboxes.create("--memory", "32m") for _ in range(CROWD)]
    for number, sandbox in enumerate(crowd):
        assert sandbox.shell(f"echo {number} > n; cat n")["stdout"] == f"{number}\n"
    assert [sandbox.ok("get", "n").out for sandbox in crowd] == [f"{number}\n" for number in range(CROWD)]
    for sandbox in crowd:
        sandbox.ok("rm")


def test_many_in_a_row(sandboxes):
    for number in range(SERIES):
        assert sandboxes.shell(f"echo {number}")["stdout"] == f"{number}\n"


def test_supervisor_is_small(sandboxes):
    """Its own memory is under 1 MB; pages of the program's file are the page cache's."""
    sandbox = sandboxes.create()
    sandbox.shell("ls -lR /proc/self")
    rollup = open(f"/proc/{sandbox.listed()['supervisor_pid']}/smaps_rollup").read()
    private = sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Private_Dirty"))
    print("private kB", private)
    assert private < 1024


def test_callers_pipes_are_free(sandboxes):
    """`create` in a pipeline ends, although the sandbox lives on."""
    import subprocess
    name, arguments = sandboxes.arguments([])
    done = subprocess.run(sandboxes.command("create", *arguments), capture_output=True, text=True, timeout=30)
    assert done.stdout == name + "\n", done
    assert sandboxes.call("rm", name).code == 0
