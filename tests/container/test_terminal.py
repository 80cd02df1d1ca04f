"""process.terminal: the console socket, and a terminal in the foreground."""
import os
import signal
import stat
import termios

import pytest

from brigtest import ConsoleSocket


@pytest.fixture
def console(workdir):
    with ConsoleSocket(workdir / "console.sock") as receiver:
        yield receiver


def with_terminal(bundle, *argv, size=None):
    bundle.set("process.terminal", True).args(*argv)
    if size:
        bundle.set("process.consoleSize", {"height": size[0], "width": size[1]})
    return bundle


@pytest.mark.parametrize("verb", ["create", "run"])
def test_console_socket_receives_the_master(runtime, bundle, console, verb):
    with_terminal(bundle, "sh", "-c", "probe tty; read line; echo you said $line")
    make = runtime.create if verb == "create" else runtime.running
    container = make(bundle, "--console-socket", console.path)
    with console.receive() as pty:
        assert os.isatty(pty.fd)
        assert stat.S_ISCHR(os.fstat(pty.fd).st_mode)
        if verb == "create":
            container.start()
        shown = pty.read_until("}")
        assert '"stdin": true, "stdout": true, "stderr": true' in shown
        assert '"controlling": true' in shown
        assert "/dev/pts/" in shown or "/dev/console" in shown
        pty.write("hello\n")
        pty.read_until("you said hello")


def test_console_size(runtime, bundle, console):
    with_terminal(bundle, "/bin/probe", "tty", size=(41, 123))
    runtime.running(bundle, "--console-socket", console.path)
    with console.receive() as pty:
        assert '"rows": 41, "columns": 123' in pty.read_until("}")


def test_resize_reaches_the_process(runtime, bundle, console):
    with_terminal(bundle, "/bin/probe", "catch-signals")
    container = runtime.running(bundle, "--console-socket", console.path)
    with console.receive() as pty:
        pty.read_until("ready")
        pty.resize(50, 150)
        pty.read_until("size 50 150")
        container.kill("TERM")


def test_interrupt_character(runtime, bundle, console):
    with_terminal(bundle, "/bin/probe", "catch-signals")
    container = runtime.running(bundle, "--console-socket", console.path)
    with console.receive() as pty:
        pty.read_until("ready")
        pty.write("\x03")
        pty.read_until("signal 2")
        container.kill("TERM")


def test_job_control(runtime, bundle, console):
    """The shell is leader of the session of the terminal: ^C ends the command, not the shell."""
    with_terminal(bundle, "sh", "-i")
    runtime.running(bundle, "--console-socket", console.path)
    with console.receive() as pty:
        pty.write("sh -c 'echo be\"\"fore; exec probe sleep'\n")
        pty.read_until("before")
        pty.write("\x03")
        pty.write("echo af''ter\n")
        pty.read_until("after")
        pty.write("exit\n")


def test_console_device(runtime, bundle, console):
    """/dev/console is the terminal, owned by the user."""
    with_terminal(bundle, "/bin/probe", "stat", "/dev/console")
    bundle.set("process.user", {"uid": 1000, "gid": 1000})
    runtime.running(bundle, "--console-socket", console.path)
    with console.receive() as pty:
        shown = pty.read_until("}}")
    assert '"type": "character device"' in shown and '"major": 136' in shown
    assert '"uid": 1000' in shown


def test_without_terminal_there_is_no_console(runtime, bundle):
    told = runtime.probe(bundle, "stat", "/dev/console")
    assert told["/dev/console"] == {"errno": "ENOENT"}
    assert runtime.report(bundle, "tty")["controlling"] is False


def test_terminal_modes_are_the_kernel_defaults(runtime, bundle, console):
    """Clearing ONLCR is the receiver's business."""
    with_terminal(bundle, "sh", "-c", "echo one; echo two")
    runtime.running(bundle, "--console-socket", console.path)
    with console.receive() as pty:
        assert pty.read_all() == "one\r\ntwo\r\n"


def test_master_sees_the_end(runtime, bundle, console):
    with_terminal(bundle, "echo", "bye")
    container = runtime.running(bundle, "--console-socket", console.path)
    with console.receive() as pty:
        assert pty.read_all() == "bye\r\n"
    container.wait_for("stopped")


@pytest.mark.parametrize("verb,flags", [("create", []), ("run", ["--detach"])])
def test_terminal_without_console_socket_is_refused(runtime, bundle, verb, flags):
    with_terminal(bundle, "true").write()
    runtime.fails(verb, *flags, "--bundle", bundle.path, "none", text="console socket|console-socket")
    assert not (runtime.root / "none").exists()


@pytest.mark.parametrize("verb,flags", [("create", []), ("run", ["--detach"])])
def test_console_socket_without_terminal_is_refused(runtime, bundle, console, verb, flags):
    bundle.args("true").write()
    runtime.fails(verb, *flags, "--console-socket", console.path, "--bundle", bundle.path, "none",
                  text="console socket|console-socket")
    assert not (runtime.root / "none").exists()


@pytest.mark.parametrize("path,words", [
    ("/no/such/socket", "no such file or directory"), ("/etc/passwd", "connection refused|not a socket"),
])
def test_bad_console_socket(runtime, bundle, path, words):
    with_terminal(bundle, "true")
    runtime.create_fails(bundle, "--console-socket", path, text=words)


def test_terminal_multiplexer_in_rootfs_is_the_container_own(runtime, bundle):
    """/dev/ptmx leads to the devpts of the container."""
    told = runtime.probe(bundle, "stat", "/dev/ptmx")
    assert told["/dev/ptmx"]["target"] == "pts/ptmx"


# ---- in the foreground

def test_foreground_terminal(runtime, bundle):
    with_terminal(bundle, "sh", "-c", "probe tty; read line; echo you said $line; exit 6").write()
    runtime.ids.append("front")
    process, pty = runtime.spawn_on_terminal("run", "--bundle", bundle.path, "front", rows=31, columns=77)
    with pty:
        shown = pty.read_until("}")
        assert '"rows": 31, "columns": 77' in shown and '"controlling": true' in shown
        pty.write("hello\r")
        pty.read_until("you said hello")
        pty.read_all()
    assert process.wait(20) == 6


def test_foreground_resize(runtime, bundle):
    with_terminal(bundle, "/bin/probe", "catch-signals").write()
    runtime.ids.append("front")
    process, pty = runtime.spawn_on_terminal("run", "--bundle", bundle.path, "front")
    with pty:
        pty.read_until("ready")
        pty.resize(44, 144)
        process.send_signal(signal.SIGWINCH)
        pty.read_until("size 44 144")
        runtime.ok("kill", "front", "TERM")
        assert process.wait(20) == 0


def test_foreground_interrupt_goes_to_the_container(runtime, bundle):
    with_terminal(bundle, "/bin/probe", "catch-signals").write()
    runtime.ids.append("front")
    process, pty = runtime.spawn_on_terminal("run", "--bundle", bundle.path, "front")
    with pty:
        pty.read_until("ready")
        pty.write("\x03")
        pty.read_until("signal 2")
        assert process.poll() is None
        runtime.ok("kill", "front", "TERM")
        assert process.wait(20) == 0


def test_foreground_restores_the_terminal(runtime, bundle):
    with_terminal(bundle, "true").write()
    runtime.ids.append("front")
    process, pty = runtime.spawn_on_terminal("run", "--bundle", bundle.path, "front")
    with pty:
        keep = os.open(pty.name, os.O_RDWR | os.O_NOCTTY)
        assert process.wait(20) == 0
        mode = termios.tcgetattr(keep)
        os.close(keep)
    assert mode[3] & termios.ECHO and mode[3] & termios.ICANON


def test_foreground_exec(runtime, bundle):
    container = runtime.running(bundle)
    process, pty = runtime.spawn_on_terminal("exec", "--tty", container.id, "sh", "-c", "probe tty; exit 9",
                                             rows=20, columns=60)
    with pty:
        assert '"rows": 20, "columns": 60' in pty.read_until("}")
        pty.read_all()
    assert process.wait(20) == 9


def test_streams_that_are_a_terminal_stay_one_without_process_terminal(runtime, bundle):
    """terminal: false with a terminal as stdio is a pass-through for a detached container."""
    bundle.args("/bin/probe", "tty").write()
    runtime.ids.append("plain")
    process, pty = runtime.spawn_on_terminal("run", "--detach", "--bundle", bundle.path, "plain")
    with pty:
        shown = pty.read_until("}")
        assert process.wait(20) == 0
    assert '"stdin": true' in shown and '"controlling": false' in shown


@pytest.mark.brig_only("runc opens whatever lies at /dev/pts/ptmx")
def test_a_mount_over_the_multiplexer_is_not_opened(runtime, bundle, console):
    """What a container's root put there; a terminal of its own making would see what is typed."""
    bundle.capabilities(**{name: ["CAP_SYS_ADMIN"] for name in ("bounding", "effective", "permitted")})
    container = runtime.running(bundle)
    arguments = ("exec", "--tty", "--detach", "--console-socket", console.path, container.id, "true")
    runtime.ok(*arguments)
    with console.receive():
        pass
    container.exec("/bin/busybox", "mount", "--bind", "/dev/null", "/dev/pts/ptmx")
    runtime.fails(*arguments, code=255, text="ptmx")
