"""toolkata's terminals by direct invocation: a shell that stays, under its policy. tests/endtoend/test_toolkata.py has the Engine API."""
import os
import signal
import time

import pytest

from brigtest.audit import lines_of
from brigtest.waiting import wait_until


@pytest.fixture
def session(sandboxes, images, workdir):
    """make(**limits): a sandbox of the policy toolkata, with other limits where a test cannot wait for its own."""
    def make(**limits):
        audit = {"sink": f"file:{workdir}/audit.jsonl"}
        sandboxes.installed.write("mine", description="toolkata's, quicker", extends="toolkata", limits=limits, audit=audit)
        return sandboxes.create(*images.options("shell"), "--policy", "mine")

    return make


def attach(sandbox):
    process, pty = sandbox.sandboxes.runtime.spawn_on_terminal("sandbox", "attach", sandbox.id, "bash", "--norc")
    pty.read_until("$ ")
    return process, pty


def test_a_session_on_a_terminal(session):
    sandbox = session()
    process, pty = attach(sandbox)
    with pty:
        pty.resize(33, 99)
        wait_until(lambda: (pty.write("stty size\n"), "33 99" in pty.read_until("$ "))[1], "the size")
        pty.write("sleep 100\n")
        pty.read_until("sleep 100\r\n")
        time.sleep(0.3)
        pty.write("\x03")
        pty.read_until("$ ")
        pty.write("stty raw -echo; stty sane; printf '\\033c'; echo still-he''re; git --version\n")
        pty.read_until("git version")
        pty.write("exit 5\n")
        pty.read_all()
    assert process.wait(20) == 5


@pytest.mark.parametrize("limits, why", [({"idleTimeout": "400ms"}, "idle"), ({"maxLifetime": "1s"}, "lifetime")])
def test_sessions_end_by_themselves(session, workdir, limits, why):
    sandbox = session(**limits)
    process, pty = attach(sandbox)
    with pty:
        sandbox.wait_until_gone()
        pty.read_all()
    process.wait(20)
    assert [line["why"] for line in lines_of(workdir / "audit.jsonl") if line["event"] == "removed"] == [why]


def test_destroy_is_bounded_and_complete(session):
    sandbox = session()
    deaf = "trap '' TERM INT HUP QUIT; for i in 1 2 3 4 5 6 7 8; do (trap '' TERM INT HUP; while :; do sleep 1; done) & done; echo rea''dy\n"
    process, pty = attach(sandbox)
    with pty:
        pty.write(deaf)
        pty.read_until("ready")
        begin = time.monotonic()
        sandbox.ok("rm")
        assert time.monotonic() - begin < 10
        pty.read_all()
    process.wait(20)
    assert sandbox.gone and sandbox.listed() is None


@pytest.mark.parametrize("script, expected", [
    ("cat /proc/net/route | wc -l", "1"),  # the heading
    ("ls -d /home/*", "/home/sandbox"),
    ("cat /proc/1/comm", "brig-init"),
    ("echo x > /etc/x || echo refused", "refused"),
    ("for i in $(seq 100); do sleep 20 & done 2>/dev/null; echo", ""),
    ("ulimit -n", "256"),
    ("grep -E '^(CapBnd|NoNewPrivs|Seccomp):' /proc/self/status | tr -d '\\n\\t'", "CapBnd:0000000000000000NoNewPrivs:1Seccomp:2"),
])
def test_isolation_one_liners(session, script, expected):
    result = session().exec("bash", "-c", script)
    assert result["stdout"].strip() == expected, result


def test_memory(session):
    result = session().exec("bash", "-c", "tail /dev/zero")
    assert result["reason"] == "oom", result


def test_orphans_are_found_and_removed(session, sandboxes):
    """What a server that died leaves is listed, and prune takes what is dead."""
    sandbox = session()
    os.kill(sandbox.listed()["supervisor_pid"], signal.SIGKILL)
    wait_until(lambda: (sandbox.listed() or {}).get("status") == "orphan", "the orphan to be seen")
    assert sandbox.id in sandboxes.call("prune").out
    assert sandbox.gone
