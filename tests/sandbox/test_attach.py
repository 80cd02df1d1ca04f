"""A terminal in a sandbox: echo, resize, ^C, detach and attach again."""
import signal
import time

from brigtest.waiting import wait_until


def attach(sandbox, *words, rows=24, columns=80, flags=()):
    """(process, Pty), once the shell has asked for a command: until then the caller's own terminal shows what is typed."""
    process, pty = sandbox.sandboxes.runtime.spawn_on_terminal("sandbox", "attach", *flags, sandbox.id, *words, rows=rows, columns=columns)
    pty.read_until("$ ")
    return process, pty


def test_shell(sandboxes):
    sandbox = sandboxes.create()
    process, pty = attach(sandbox, rows=31, columns=97)
    with pty:
        pty.write("stty size; tty; echo $TERM\n")
        seen = pty.read_until("xterm")
        assert "31 97" in seen and "/dev/pts/" in seen
        pty.write("exit 4\n")
        pty.read_all()
    assert process.wait(20) == 4


def test_resize_and_interrupt(sandboxes):
    sandbox = sandboxes.create()
    process, pty = attach(sandbox, "sh")
    with pty:
        pty.write("echo ready\n")
        pty.read_until("ready\r\n")
        pty.resize(40, 100)
        process.send_signal(signal.SIGWINCH)
        wait_until(lambda: (pty.write("stty size\n"), "40 100" in pty.read_until("\r\n"))[1] or "40 100" in pty.seen, "the size")
        pty.write("sleep 100\n")
        pty.read_until("sleep 100\r\n")
        time.sleep(0.3)
        pty.write("\x03")
        pty.read_until("$ ")
        pty.write("echo after\n")
        pty.read_until("after\r\n")
        pty.write("exit\n")
        pty.read_all()
    process.wait(20)


def test_detach_and_attach_again(sandboxes):
    sandbox = sandboxes.create()
    process, pty = attach(sandbox)
    with pty:
        pty.write("X=kept; echo before\n")
        pty.read_until("before\r\n")
        pty.write("\x10\x11")
        pty.read_until("detached")
        assert process.wait(20) == 0
    process, pty = attach(sandbox)
    with pty:
        wait_until(lambda: pty._read_some(1) and "before" in pty.seen, "what it showed before")
        pty.write("echo $X-$X\n")
        pty.read_until("kept-kept")
        pty.write("exit\n")
        pty.read_all()
    assert process.wait(20) == 0
    assert sandbox.shell("echo alive")["stdout"] == "alive\n"


def test_other_detach_keys(sandboxes):
    sandbox = sandboxes.create()
    process, pty = attach(sandbox, flags=["--detach-keys", "ctrl-a,d"])
    with pty:
        pty.write("echo ready\n")
        pty.read_until("ready\r\n")
        pty.write("\x01d")
        pty.read_until("detached")
        assert process.wait(20) == 0


def test_the_terminal_survives_its_client(sandboxes):
    sandbox = sandboxes.create()
    process, pty = attach(sandbox)
    with pty:
        pty.write("echo one\n")
        pty.read_until("one\r\n")
        process.kill()
        process.wait()
    process, pty = attach(sandbox)
    with pty:
        wait_until(lambda: pty._read_some(1) and "one" in pty.seen, "what it showed before")
        pty.write("exit 3\n")
        pty.read_all()
    assert process.wait(20) == 3


def test_the_later_client_takes_over(sandboxes):
    sandbox = sandboxes.create()
    first, first_pty = attach(sandbox)
    with first_pty:
        first_pty.write("echo one\n")
        first_pty.read_until("one\r\n")
        second, second_pty = attach(sandbox)
        with second_pty:
            wait_until(lambda: second_pty._read_some(1) and "one" in second_pty.seen, "what it showed before")
            assert first.wait(20) == 0
            second_pty.write("exit\n")
            second_pty.read_all()
        assert second.wait(20) == 0


def test_idle_terminal_ends(sandboxes):
    sandbox = sandboxes.create("--idle", "1")
    process, pty = attach(sandbox)
    with pty:
        for _ in range(4):
            pty.write("echo key\n")
            pty.read_until("key\r\n")
            time.sleep(0.4)
        sandbox.wait_until_gone()
        pty.read_all()
    process.wait(20)
