"""toolkata's interactive sandboxes: the Engine API calls that its server makes with dockerode, with Runtime "brig"."""
import json
import time

import pytest

from docker_client import IMAGE, wait_until
from engine_api import EngineApi

SANDBOX = {
    "Image": IMAGE, "Cmd": ["sh"], "Tty": True, "OpenStdin": True, "AttachStdin": True, "AttachStdout": True,
    "AttachStderr": True, "User": "1000:1000", "WorkingDir": "/home/sandbox",
    "Env": ["TERM=xterm-256color", "PATH=/bin"], "Hostname": "sandbox", "Labels": {"toolkata.session": "1"},
    "HostConfig": {
        "Runtime": "brig", "NetworkMode": "none", "ReadonlyRootfs": True, "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"], "Memory": 128 << 20, "MemorySwap": 128 << 20, "NanoCpus": 500_000_000,
        "PidsLimit": 50, "Ulimits": [{"Name": "nofile", "Soft": 64, "Hard": 64}],
        "Tmpfs": {"/home/sandbox": "rw,size=16m,uid=1000,gid=1000,mode=0755,noexec", "/tmp": "rw,size=16m"},
    },
}


@pytest.fixture
def api(docker):
    return EngineApi(docker.engine.socket)


@pytest.fixture
def session(api):
    """A started session: its id and its terminal."""
    identity = api.call("POST", "/containers/create", SANDBOX)["Id"]
    terminal = api.hijack(f"/containers/{identity}/attach?stream=1&stdin=1&stdout=1&stderr=1")
    api.call("POST", f"/containers/{identity}/start")
    terminal.read_until("$")
    yield identity, terminal
    terminal.close()


def test_runtime_is_offered_and_runs(api, docker):
    assert "brig" in api.call("GET", "/info")["Runtimes"]
    assert docker.run(IMAGE, "true").returncode == 0


def test_terminal_of_a_session(api, session):
    identity, terminal = session
    api.call("POST", f"/containers/{identity}/resize?h=33&w=99")
    terminal.write("stty size; id -u; hostname; pwd\n")
    terminal.read_until("33 99\r\n1000\r\nsandbox\r\n/home/sandbox\r\n")
    api.call("POST", f"/containers/{identity}/resize?h=44&w=111")
    terminal.write("stty size\n")
    terminal.read_until("44 111\r\n")


def test_interrupt_and_reset(session):
    _, terminal = session
    terminal.write("tty; cat\n")
    terminal.read_until("/dev/pts/0")
    # cat has the terminal when it repeats a line; a ^C before that would go to the shell.
    terminal.write("par''rot\n")
    terminal.read_until("par''rot\r\npar''rot")
    terminal.write("\x03")
    terminal.read_until("$")
    terminal.write("echo status=$?\n")
    terminal.read_until("status=130")
    terminal.write("stty raw -echo; stty sane; printf '\\033c'; echo still-he''re\n")
    terminal.read_until("still-here")


def test_attach_again_to_a_living_session(api, session):
    identity, terminal = session
    terminal.write("WORD=kept\n")
    second = api.hijack(f"/containers/{identity}/attach?stream=1&stdin=1&stdout=1&stderr=1")
    second.write("echo word=$WORD\n")
    second.read_until("word=kept")
    second.close()
    terminal.write("echo bo''th\n")
    terminal.read_until("both")


def test_exec_with_a_terminal_of_its_own(api, session):
    identity, _ = session
    run = api.call("POST", f"/containers/{identity}/exec", {
        "Cmd": ["sh"], "Tty": True, "AttachStdin": True, "AttachStdout": True, "AttachStderr": True, "User": "1000"})["Id"]
    terminal = api.hijack(f"/exec/{run}/start", {"Tty": True, "Detach": False})
    terminal.read_until("$")
    api.call("POST", f"/exec/{run}/resize?h=21&w=63")
    terminal.write("stty size; exit 4\n")
    terminal.read_until("21 63")
    terminal.read_all()
    terminal.close()
    wait_until(lambda: not api.call("GET", f"/exec/{run}/json")["Running"], "the command to end")
    assert api.call("GET", f"/exec/{run}/json")["ExitCode"] == 4


def test_end_of_the_shell_ends_the_session(api, session):
    identity, terminal = session
    terminal.write("exit 5\n")
    assert api.call("POST", f"/containers/{identity}/wait")["StatusCode"] == 5
    terminal.read_all()


def test_destroy_is_bounded_and_complete(api, session):
    """The session is full of processes that ignore every signal they can."""
    identity, terminal = session
    terminal.write("trap '' TERM INT HUP QUIT; for i in 1 2 3 4 5 6 7 8; do (trap '' TERM INT HUP; "
                   "while :; do sleep 1; done) & done; echo rea''dy\n")
    terminal.read_until("ready")
    begin = time.monotonic()
    api.call("POST", f"/containers/{identity}/stop?t=1")
    api.call("DELETE", f"/containers/{identity}?force=true&v=true")
    assert time.monotonic() - begin < 10
    orphans = api.call("GET", '/containers/json?all=1&filters={"label":["toolkata.session"]}')
    assert orphans == []


def test_limits_hold(api, session):
    identity, _ = session

    def attempt(*words):
        run = api.call("POST", f"/containers/{identity}/exec", {
            "Cmd": ["probe", *words], "Tty": True, "AttachStdout": True, "AttachStderr": True})["Id"]
        stream = api.hijack(f"/exec/{run}/start", {"Tty": True, "Detach": False})
        text = stream.read_all()
        stream.close()
        return json.loads(text)

    assert attempt("write-file", "/etc/new", "x")["errno"] == "EROFS"
    assert attempt("write-file", "/home/sandbox/new", "x")["errno"] is None
    assert attempt("fork-bomb", "200")["made"] < 50
    assert attempt("socket", "2", "3", "1")["errno"] == "EPERM"
    assert attempt("rlimits")["rlimits"]["RLIMIT_NOFILE"] == {"soft": 64, "hard": 64}
    status = dict(line.split(":\t", 1) for line in attempt("status")["status"].splitlines() if ":\t" in line)
    assert (status["NoNewPrivs"], status["CapBnd"], status["Seccomp"]) == ("1", "0000000000000000", "2")


@pytest.mark.parametrize("script, expected", [
    ("ip route | wc -l", "0"),
    ("ls -d /home/*", "/home/sandbox"),
    ("cat /proc/1/comm", "cat"),
])
def test_isolation_one_liners(docker, script, expected):
    assert docker.output(IMAGE, "sh", "-c", script) == expected
