"""run: exit codes, standard streams, -d, --keep, --pid-file."""
import os
import signal
import subprocess

import pytest

from brigtest import ConsoleSocket, brig_only, wait_until


@pytest.mark.parametrize("code", [0, 1, 2, 42, 125, 126, 127, 128, 200, 255])
def test_exit_code_is_the_process_own(runtime, bundle, code):
    runtime.run(bundle.args("/bin/probe", "exit", str(code)), code=code)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGABRT, signal.SIGUSR1])
def test_death_by_signal_is_128_plus_number(runtime, bundle, number):
    """Without a pid namespace, for pid 1 of a namespace cannot kill itself."""
    bundle.namespace("pid", remove=True).args("/bin/probe", "signal-self", str(int(number)))
    runtime.run(bundle, code=128 + number)


def test_child_killed_from_outside(runtime, bundle):
    bundle.args("/bin/probe", "sleep").write()
    runtime.ids.append("killed")
    process = runtime.spawn("run", "--bundle", bundle.path, "killed")
    wait_until(lambda: (runtime.root / "killed").exists() and
               runtime.call("state", "killed").out.find("running") > 0, "the container to run")
    runtime.ok("kill", "killed", "KILL")
    assert process.wait(20) == 137


def test_streams_are_kept_apart(runtime, bundle):
    result = runtime.run(bundle.args("sh", "-c", "echo out; echo err >&2"))
    assert (result.out, result.err) == ("out\n", "err\n")


def test_stdin_is_passed_and_ends(runtime, bundle):
    assert runtime.run(bundle.args("cat"), input="line 1\nline 2").out == "line 1\nline 2"


def test_streams_through_pipes(runtime, bundle):
    bundle.args("sh", "-c", "while read line; do echo got $line; done; echo end >&2").write()
    process = runtime.spawn("run", "--bundle", bundle.path, "pipes", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)
    process.stdin.write(b"one\n")
    process.stdin.flush()
    assert process.stdout.readline() == b"got one\n"
    assert process.communicate(b"two\n", timeout=20) == (b"got two\n", b"end\n")


def test_large_output_is_complete(runtime, bundle):
    size = 8 << 20
    bundle.args("/bin/probe", "flood", str(size)).write()
    process = runtime.spawn("run", "--bundle", bundle.path, "flood", stdout=subprocess.PIPE)
    assert len(process.communicate(timeout=60)[0]) == size
    assert process.returncode == 0


def test_empty_stdin(runtime, bundle):
    assert runtime.run(bundle.args("cat"), stdin=subprocess.DEVNULL).out == ""


def test_container_is_deleted_at_its_end(runtime, bundle):
    runtime.run(bundle.args("true"), id="once")
    runtime.fails("state", "once", text="container does not exist")


def test_keep_leaves_a_stopped_container(runtime, bundle):
    runtime.run(bundle.args("/bin/probe", "exit", "7"), "--keep", id="kept", code=7)
    assert runtime.state("kept")["status"] == "stopped"
    runtime.ok("delete", "kept")


def test_detached_run_leaves_a_running_container(runtime, bundle):
    container = runtime.running(bundle.args("/bin/probe", "sleep"))
    assert container.status == "running"


@pytest.mark.parametrize("flag", ["-d", "--detach", "-detach", "--detach=true"])
def test_detach_spellings(runtime, bundle, flag):
    bundle.args("/bin/probe", "sleep").write()
    runtime.ids.append("spelled")
    runtime.ok("run", flag, "--bundle", bundle.path, "spelled")
    assert runtime.state("spelled")["status"] == "running"


def test_detach_false_stays(runtime, bundle):
    assert runtime.run(bundle.args("/bin/probe", "exit", "9"), "--detach=false", code=9)


def test_init_is_adopted_by_the_caller(runtime, bundle):
    """No process of the runtime stays between the container and its shim."""
    container = runtime.running(bundle)
    status = dict(line.split(":\t", 1) for line in open(f"/proc/{container.pid}/status").read().splitlines()
                  if ":\t" in line)
    assert int(status["PPid"]) == os.getpid()


def test_no_helper_process_stays(runtime, bundle):
    container = runtime.running(bundle)
    children = {int(pid) for pid in open(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read().split()}
    assert [pid for pid in children if os.readlink(f"/proc/{pid}/exe").startswith(runtime.binary)] == []
    assert container.pid in children


def test_streams_of_detached_container_close_with_it(runtime, bundle):
    """A shim waits for the end of these pipes: nobody else may hold them."""
    bundle.args("sh", "-c", "echo here; exec probe sleep").write()
    runtime.ids.append("pipes")
    process = runtime.spawn("run", "--detach", "--bundle", bundle.path, "pipes", stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)
    assert process.wait(20) == 0
    assert process.stdout.readline() == b"here\n"
    runtime.ok("kill", "pipes", "KILL")
    assert process.communicate(timeout=20) == (b"", b"")


def test_attached_run_returns_when_the_init_ends(runtime, bundle):
    """A daemon that holds no stream does not keep `run`."""
    bundle.namespace("pid", remove=True).args("sh", "-c", "probe orphan 3600; exit 4")
    runtime.run(bundle, code=4)


def test_pid_one_in_its_namespace(runtime, bundle):
    assert runtime.report(bundle, "process")["pid"] == 1


def test_init_leads_a_session(runtime, bundle):
    process = runtime.report(bundle, "process")
    assert process["sid"] == process["pgid"] == process["pid"]


def test_no_signal_is_blocked_or_ignored(runtime, bundle):
    assert runtime.report(bundle, "signals") == {"blocked": [], "ignored": []}


def test_death_of_the_detaching_cli_does_not_reach_the_container(runtime, bundle):
    """The shim calls with PR_SET_PDEATHSIG; the container's process must not have it."""
    container = runtime.running(bundle)
    assert container.report("parent_death_signal") == 0
    assert runtime.report(bundle, "parent_death_signal") == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGINT])
def test_signals_to_the_cli_are_forwarded(runtime, bundle, number):
    bundle.args("/bin/probe", "catch-signals").write()
    runtime.ids.append("forward")
    process = runtime.spawn("run", "--bundle", bundle.path, "forward", stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(number)
    while (line := process.stdout.readline()) == b"signal 23\n":
        pass  # SIGURG, which Go's threads send each other and runc forwards
    assert line == b"signal %d\n" % number
    if number != signal.SIGTERM:
        process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


@pytest.mark.parametrize("argv,words", [
    (["/no/such/program"], "no such file or directory"),
    (["no-such-program"], "executable file not found in \\$PATH"),
    (["/etc/passwd"], "permission denied"),
    (["/etc"], "is a directory|permission denied"),
    (["passwd"], "executable file not found in \\$PATH"),
    (["/etc/passwd/below"], "not a directory"),
    ([""], "executable file not found|no such file or directory|exec: \"\""),
])
def test_program_that_is_not_there(runtime, bundle, argv, words):
    """Docker chooses 126 or 127 by these words."""
    runtime.run(bundle.args(*argv), code=1, text=words)


# The head of an executable ELF of a 64-bit big-endian s390
FOREIGN_ELF = b"\x7fELF\x02\x02\x01" + bytes(9) + b"\x00\x02\x00\x16" + bytes(44)


@pytest.mark.parametrize("content,words", [
    (b"#!/no/such/interpreter\n", "no such file or directory"),
    (b"\x01\x02\x03\x04" * 64, "exec format error"),
    (b"", "exec format error"),
    (FOREIGN_ELF, "exec format error"),
], ids=["interpreter", "garbage", "empty", "foreign"])
def test_program_that_the_kernel_refuses(runtime, bundle, content, words):
    """Known only to execve, after `start`: told on the container's stderr."""
    bundle.file("/bin/broken", "", 0o755).write_bytes(content)
    bundle.args("/bin/broken").write()
    result = runtime.call("run", "--bundle", bundle.path, "refused")
    assert result.code != 0
    assert words in result.err.lower()


@pytest.mark.parametrize("argv", [["/no/such/program"], ["no-such-program"]])
def test_missing_program_is_told_by_create(runtime, bundle, argv):
    """An engine must know before `start`."""
    runtime.create_fails(bundle.args(*argv), text="not found|no such file")


def test_path_comes_from_the_container_environment(runtime, bundle):
    bundle.file("/opt/tool", "#!/bin/sh\necho mine\n", 0o755)
    bundle.process["env"] = ["PATH=/opt"]
    assert runtime.run(bundle.args("tool")).out == "mine\n"


@pytest.mark.parametrize("args", [None, []])
def test_args_may_not_be_empty(runtime, bundle, args):
    bundle.process["args"] = args
    runtime.run(bundle, code=1, text="args")


def test_create_without_process_start_fails(runtime, bundle):
    del bundle.spec["process"]
    runtime.run(bundle, code=1, text="process")


def test_output_before_the_runtime_ends_is_not_mixed(runtime, bundle):
    """Nothing of the runtime itself on stdout or stderr of a good run."""
    result = runtime.run(bundle.args("true"))
    assert (result.out, result.err, result.log) == ("", "", [])


@pytest.mark.parametrize("verb,flags", [("create", []), ("create", ["--no-new-keyring"]), ("run", ["-d"])])
def test_session_keyring(runtime, bundle, verb, flags):
    """A keyring of the container's own, unless --no-new-keyring."""
    bundle.args("/bin/probe", "keyring")
    host = subprocess.run([str(bundle.rootfs / "bin/probe"), "keyring"], capture_output=True, text=True, check=True)
    name = f"keyring-{verb}-{len(flags)}"
    runtime.ids.append(name)
    bundle.write()
    with open(runtime.folder / "out", "w+") as out:
        runtime.ok(verb, *flags, "--bundle", bundle.path, name, stdout=out)
        if verb == "create":
            runtime.ok("start", name)
        wait_until(lambda: runtime.state(name)["status"] == "stopped", "the end")
    text = (runtime.folder / "out").read_text()
    assert (text == host.stdout) == ("--no-new-keyring" in flags)
    if "--no-new-keyring" not in flags:
        assert name in text


@brig_only("runc 1.1.5 has no --pidfd-socket")
@pytest.mark.parametrize("verb", ["create", "run"])
def test_pidfd_socket_receives_a_pidfd(runtime, bundle, workdir, verb):
    with ConsoleSocket(workdir / "pidfd.sock") as receiver:
        make = runtime.create if verb == "create" else runtime.running
        container = make(bundle.args("/bin/probe", "sleep"), "--pidfd-socket", receiver.path)
        with receiver.receive() as received:
            info = open(f"/proc/self/fdinfo/{received.fd}").read()
        assert f"Pid:\t{container.pid}\n" in info


def test_no_pivot(runtime, bundle):
    assert runtime.run(bundle.args("echo", "moved"), "--no-pivot").out == "moved\n"


def test_no_subreaper(runtime, bundle):
    assert runtime.run(bundle.args("echo", "alone"), "--no-subreaper").out == "alone\n"
