"""What Docker does with a container that is there: exec, stop, pause, restart, look, copy, and many at once."""
import concurrent.futures
import io
import json
import tarfile
import time

import pytest

from docker_client import IMAGE, resize_until, wait_until

LOYAL = ["sh", "-c", "trap 'echo got TERM; exit 3' TERM; echo up; while :; do sleep 0.1; done"]


def test_exec(docker):
    container = docker.detached("--env=SHARED=yes", IMAGE, "sleep", "100")
    result = docker("exec", container, "sh", "-c", "echo $SHARED; pwd; echo bad >&2; exit 12")
    assert (result.returncode, result.stdout, result.stderr) == (12, "yes\n/\n", "bad\n")
    words = docker.ok("exec", "-u", "1000:1000", "-w", "/tmp", "-e", "OWN=1", container, "sh", "-c",
                      "id -u; pwd; echo $OWN")
    assert words.split() == ["1000", "/tmp", "1"]
    assert docker.ok("exec", "-i", container, "cat", stdin="through") == "through"
    failures = {"no-such-program": "executable file not found in", "/etc/not-executable": "permission denied"}
    for program, words in failures.items():
        result = docker("exec", container, program)
        assert result.returncode == 126 and words in result.stdout + result.stderr


def test_exec_is_bound_as_the_container_is(docker):
    container = docker.detached("--cap-drop=ALL", "--security-opt=no-new-privileges", "--pids-limit=20", IMAGE,
                                "sleep", "100")
    script = "grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status; cat /proc/1/cgroup; echo --; cat /proc/self/cgroup"
    status, own = docker.ok("exec", container, "sh", "-c", script).split("--\n")
    first = status.split("\n")[:3]
    assert [line.split()[1] for line in first] == ["0000000000000000", "1", "2"]
    assert "\n".join(status.rstrip("\n").split("\n")[3:]) == own.rstrip("\n")
    assert docker.exec_probe(container, "fork-bomb", "100")["made"] < 20


def test_exec_on_a_terminal(docker):
    container = docker.detached(IMAGE, "sleep", "100")
    process, pty = docker.terminal("exec", "-it", container, "probe", "catch-signals")
    pty.read_until("ready")
    resize_until(pty, 50, 132, "size 50 132")
    pty.write("\x03")
    pty.read_until("signal 2")
    docker.ok("exec", container, "sh", "-c", "kill -TERM $(pidof probe)")
    assert process.wait(timeout=20) == 0


def test_exec_detached_goes_on(docker):
    container = docker.detached(IMAGE, "sleep", "100")
    docker.ok("exec", "-d", container, "sh", "-c", "sleep 0.3; echo late > /tmp/done")
    wait_until(lambda: docker("exec", container, "cat", "/tmp/done").stdout == "late\n", "the detached command to end")


def test_exec_many_at_once(docker):
    container = docker.detached(IMAGE, "sleep", "100")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        words = list(pool.map(lambda number: docker.ok("exec", container, "echo", number), range(16)))
    assert words == [str(number) for number in range(16)]


def test_stop_lets_the_container_say_goodbye(docker):
    container = docker.detached(IMAGE, *LOYAL)
    wait_until(lambda: "up" in docker.ok("logs", container), "the container to be up")
    docker.ok("stop", "-t", "20", container)
    assert docker.inspect(container)["ExitCode"] == 3 and "got TERM" in docker.ok("logs", container)


def test_stop_ends_the_deaf_in_time(docker):
    container = docker.detached(IMAGE, "sh", "-c", "trap '' TERM; echo up; while :; do sleep 1; done")
    wait_until(lambda: "up" in docker.ok("logs", container), "the container to be up")
    begin = time.monotonic()
    docker.ok("stop", "-t", "1", container)
    assert docker.inspect(container)["ExitCode"] == 137 and time.monotonic() - begin < 15


def test_kill(docker):
    container = docker.detached(IMAGE, "sleep", "100")
    docker.ok("kill", container)
    assert docker.wait_for(container, Status="exited")["ExitCode"] == 137
    result = docker("kill", container)
    assert result.returncode == 1 and "is not running" in result.stderr


def test_kill_with_a_signal(docker):
    container = docker.detached(IMAGE, "probe", "catch-signals")
    wait_until(lambda: "ready" in docker.ok("logs", container), "the container to be ready")
    for name, number in (("USR1", 10), ("HUP", 1), ("SIGRTMIN+3", 37)):
        docker.ok("kill", "-s", name, container)
        wait_until(lambda number=number: f"signal {number}\n" in docker.ok("logs", container) + "\n", f"signal {name}")


def test_wait_and_force_remove(docker):
    container = docker.detached(IMAGE, "sh", "-c", "sleep 0.3; exit 6")
    assert docker.ok("wait", container) == "6"
    running = docker.detached(IMAGE, "sleep", "100")
    assert docker("rm", running).returncode == 1
    docker.ok("rm", "-f", running)
    assert docker("inspect", running).returncode == 1


def test_created_container_is_removed_without_a_start(docker):
    container = docker.ok("create", "--runtime=brig", "--network=none", IMAGE, "true")
    docker.ok("rm", container)


def test_start_again_and_attach(docker):
    container = docker.ok("create", "-i", "--runtime=brig", "--network=none", IMAGE, "sh", "-c", "read line; echo got $line")
    for word in ("one", "two"):
        assert docker.ok("start", "-a", "-i", container, stdin=f"{word}\n") == f"got {word}"
    assert docker.ok("logs", container) == "got one\ngot two"


def test_restart(docker):
    container = docker.detached(IMAGE, *LOYAL)
    wait_until(lambda: "up" in docker.ok("logs", container), "the container to be up")
    first = docker.inspect(container)["Pid"]
    docker.ok("restart", "-t", "20", container)
    assert docker.inspect(container)["Running"] and docker.inspect(container)["Pid"] != first


def test_restart_policy_on_failure(docker):
    container = docker.detached("--restart=on-failure:2", IMAGE, "sh", "-c", "echo try; exit 3")

    def over():
        facts = docker.api.call("GET", f"/containers/{container}/json")
        return facts["RestartCount"] == 2 and facts["State"]["Status"] == "exited"

    wait_until(over, "two restarts", seconds=30)
    assert docker.ok("logs", container).split() == ["try"] * 3 and docker.inspect(container)["ExitCode"] == 3


def test_restart_policy_always_after_a_kill_from_inside(docker):
    container = docker.detached("--restart=always", IMAGE, "sh", "-c", "echo up; sleep 0.2")
    wait_until(lambda: docker.ok("logs", container).count("up") >= 2, "the container to come back", seconds=30)
    docker.ok("rm", "-f", container)


def test_pause_and_unpause(docker):
    container = docker.detached(IMAGE, "sh", "-c", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done")
    docker.ok("pause", container)
    assert docker.inspect(container)["Status"] == "paused"
    count = len(docker.ok("logs", container))
    refused = docker("exec", container, "true")
    assert refused.returncode != 0 and "paused" in refused.stderr
    time.sleep(0.3)
    assert len(docker.ok("logs", container)) == count, "a paused container still wrote"
    docker.ok("unpause", container)
    wait_until(lambda: len(docker.ok("logs", container)) > count, "the container to go on")


def test_update_changes_a_living_limit(docker):
    container = docker.detached("--memory=64m", "--memory-swap=64m", "--pids-limit=100", IMAGE, "sleep", "100")
    assert docker.exec_probe(container, "fork-bomb", "60")["errno"] is None
    docker.ok("update", "--memory=128m", "--memory-swap=128m", "--pids-limit=30", container)
    assert docker.exec_probe(container, "allocate", "90")["errno"] is None
    assert docker.exec_probe(container, "fork-bomb", "60")["errno"] == "EAGAIN"


@pytest.mark.parametrize("command, status", [("true", "healthy"), ("false", "unhealthy")])
def test_health_check(docker, command, status):
    container = docker.detached(f"--health-cmd={command}", "--health-interval=0.3s", "--health-retries=1", IMAGE,
                                "sleep", "100")
    wait_until(lambda: docker.inspect(container)["Health"]["Status"] == status, f"the container to be {status}")


def test_copy_both_ways(docker, workdir):
    container = docker.detached(IMAGE, "sleep", "100")
    (workdir / "in.txt").write_text("inward")
    docker.ok("cp", workdir / "in.txt", f"{container}:/tmp/in.txt")
    assert docker.ok("exec", container, "cat", "/tmp/in.txt") == "inward"
    docker.ok("exec", container, "sh", "-c", "echo outward > /tmp/out.txt")
    archive = docker.engine.command("cp", f"{container}:/tmp/out.txt", "-")
    with tarfile.open(fileobj=io.BytesIO(_bytes_of(archive, docker))) as tar:
        assert tar.extractfile("out.txt").read() == b"outward\n"


def _bytes_of(command, docker):
    import subprocess
    return subprocess.run(command, capture_output=True, check=True, env=docker.engine.environment()).stdout


@pytest.mark.requires("boot_time")
def test_top(docker):
    container = docker.detached(IMAGE, "sh", "-c", "sleep 101 & exec sleep 102")
    wait_until(lambda: "sleep 101" in docker.ok("top", container), "the second process to be listed")
    lines = docker.ok("top", container, "-o", "pid,args").split("\n")
    assert lines[0].split()[0] == "PID" and any("sleep 102" in line for line in lines)
    assert int(docker.inspect(container)["Pid"]) in [int(line.split()[0]) for line in lines[1:]]


def test_stats(docker):
    container = docker.detached("--memory=64m", "--memory-swap=64m", IMAGE, "probe", "allocate", "20", "100")
    wait_until(lambda: "errno" in docker.ok("logs", container), "the memory to be used")
    facts = json.loads(docker.ok("stats", "--no-stream", "--format", "{{json .}}", container))
    assert facts["PIDs"] == "1" and facts["MemUsage"].endswith("64MiB")
    assert 20 <= float(facts["MemUsage"].split("MiB")[0]) < 40, facts


def test_events_tell_the_life_of_a_container(docker):
    docker.ok("run", "--name=told", "--runtime=brig", "--network=none", IMAGE, "true")
    docker.ok("rm", "told")
    life = ["create", "start", "die", "destroy"]

    def told():
        words = docker.ok("events", "--since=10m", "--until=0s", "--filter=container=told", "--format={{.Status}}")
        return [word for word in words.split("\n") if word in life] == life

    wait_until(told, f"the events {life}")


def test_twenty_at_once(docker):
    def run(number):
        return docker.run(IMAGE, "sh", "-c", f"echo {number}; exit {number}")

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        results = list(pool.map(run, range(20)))
    assert [(result.stdout, result.returncode) for result in results] == [(f"{number}\n", number) for number in range(20)]


def test_death_behind_the_engine_s_back(docker):
    """A container whose init is killed behind Docker's back is seen as dead, and can be removed."""
    import os
    import signal
    container = docker.detached(IMAGE, "sleep", "100")
    os.kill(docker.inspect(container)["Pid"], signal.SIGKILL)
    assert docker.wait_for(container, Status="exited")["ExitCode"] == 137
    docker.ok("rm", container)
