"""docker run: what goes in, what comes out, how it ends."""
import re

import pytest

from brigtest import brig_only, settings
from docker_client import IMAGE, resize_until


def test_info_lists_the_runtime(info):
    assert "brig" in info["Runtimes"]


def test_the_runtime_in_use_is_the_one_under_test(docker):
    container = docker.detached(IMAGE, "sleep", "100")
    assert docker.ok("inspect", "-f", "{{.HostConfig.Runtime}}", container) == "brig"


def test_output_streams_are_apart(docker):
    result = docker.run(IMAGE, "sh", "-c", "echo to-out; echo to-err >&2")
    assert (result.returncode, result.stdout, result.stderr) == (0, "to-out\n", "to-err\n")


def test_input_reaches_the_container(docker):
    assert docker.output("-i", IMAGE, "sh", "-c", "tr a-z A-Z", stdin="shout\n") == "SHOUT"


def test_large_output_is_complete(docker):
    assert len(docker.output(IMAGE, "probe", "flood", "3000000")) == 3_000_000


@pytest.mark.parametrize("command, code", [
    (["true"], 0), (["sh", "-c", "exit 7"], 7), (["sh", "-c", "kill -TERM 1; exit 3"], 3),
    (["/no/such/program"], 127), (["no-such-program"], 127), (["/etc/not-executable"], 126), (["/etc"], 126),
])
def test_exit_codes(docker, command, code):
    assert docker.run(IMAGE, *command).returncode == code


def test_exit_code_125_is_the_engine_s_own(docker):
    assert docker("run", "--rm", "--runtime=no-such-runtime", IMAGE, "true").returncode == 125


@pytest.mark.parametrize("command, code, words", [
    ("/no/such/program", 127, "no such file or directory"),
    ("no-such-program", 127, "executable file not found in"),
    ("/etc/not-executable", 126, "permission denied"),
])
def test_a_failed_start_is_told_and_kept(docker, command, code, words):
    result = docker("run", "--name=failed", "--runtime=brig", "--network=none", IMAGE, command)
    assert words in result.stderr, result.stderr
    state = docker.inspect("failed")
    assert state["ExitCode"] == code and words in state["Error"] and state["Status"] == "created"


def test_exit_code_in_inspect(docker):
    container = docker.detached(IMAGE, "sh", "-c", "exit 42")
    state = docker.wait_for(container, Status="exited")
    assert state["ExitCode"] == 42 and not state["OOMKilled"] and state["Pid"] == 0


@pytest.mark.skipif(settings.CGROUP_DRIVER == "systemd",
                    reason="systemd removes the cgroup before containerd 1.6 has read its events; with runc it is the same")
def test_out_of_memory_is_told(docker):
    docker("run", "--name=greedy", "--runtime=brig", "--network=none", "--memory=32m", IMAGE, "probe", "allocate", "200")
    state = docker.inspect("greedy")
    assert (state["ExitCode"], state["OOMKilled"]) == (137, True)


def test_memory_within_the_limit_is_given(docker):
    assert docker.probe("allocate", "40", options=["--memory=64m"])["errno"] is None


def test_logs(docker):
    container = docker.detached(IMAGE, "sh", "-c", "for i in 1 2 3; do echo line $i; done; echo bad >&2")
    docker.wait_for(container, Status="exited")
    result = docker("logs", container)
    assert (result.stdout, result.stderr) == ("line 1\nline 2\nline 3\n", "bad\n")


def test_last_line_of_the_logs(docker):
    container = docker.detached(IMAGE, "sh", "-c", "for i in 1 2 3; do echo line $i; done")
    docker.wait_for(container, Status="exited")
    assert docker.ok("logs", "--tail=1", container) == "line 3"


@pytest.mark.parametrize("user, uid, gid", [("1000", 1000, 1000), ("1000:1234", 1000, 1234), ("sandbox", 1000, 1000),
                                            ("nobody:sandbox", 65534, 1000), ("0", 0, 0)])
def test_user(docker, user, uid, gid):
    ids = docker.probe("ids", options=[f"--user={user}"])["ids"]
    assert (ids["uid"], ids["euid"], ids["gid"], ids["egid"]) == (uid, uid, gid, gid)


def test_additional_groups(docker):
    assert "4242" in docker.output("--group-add=4242", IMAGE, "id", "-G").split()


def test_ulimit(docker):
    words = docker.output("--ulimit=nofile=512:600", "--ulimit=core=0", IMAGE, "sh", "-c",
                          "ulimit -Sn; ulimit -Hn; ulimit -c")
    assert words.split() == ["512", "600", "0"]


def test_sysctl(docker):
    words = docker.output("--sysctl=net.ipv4.ip_unprivileged_port_start=77", "--sysctl=kernel.shmmni=99", IMAGE, "cat",
                          "/proc/sys/net/ipv4/ip_unprivileged_port_start", "/proc/sys/kernel/shmmni")
    assert words.split() == ["77", "99"]


def test_environment_workdir_and_hostname(docker):
    words = docker.output("--env=COLOUR=deep blue", "--workdir=/tmp/made/here", "--hostname=moored", IMAGE, "sh", "-c",
                          'echo "$COLOUR"; pwd; hostname; echo $HOME')
    assert words.split("\n") == ["deep blue", "/tmp/made/here", "moored", "/root"]


def test_device(docker):
    # Docker lets every container use /dev/zero and the like, but not the kernel's log.
    open_both = "ls -l /dev/log; probe open /dev/log w; probe open /dev/log r"
    words = docker.output("--device=/dev/kmsg:/dev/log:w", IMAGE, "sh", "-c", open_both).split("\n")
    assert re.search(r"^crw.* 1, +11 ", words[0])
    assert '"errno": null' in words[1] and '"errno": "EPERM"' in words[2]


def test_a_node_of_one_s_own_opens_no_device(docker):
    script = "probe mknod /tmp/null c 1 3; probe open /tmp/null r; probe mknod /tmp/log c 1 11; probe open /tmp/log w"
    words = docker.output("--cap-add=MKNOD", IMAGE, "sh", "-c", script).split("\n")
    assert ["null" in line or "EPERM" in line for line in words] == [True] * 4
    assert '"errno": "EPERM"' in words[3] and '"errno": null' in words[1]


def test_volumes(docker, workdir):
    (workdir / "in").mkdir()
    (workdir / "out").mkdir()
    (workdir / "in/data").write_text("cargo")
    words = docker.output(f"-v={workdir}/in:/in:ro", f"-v={workdir}/out:/out", IMAGE, "sh", "-c",
                          "cat /in/data; cp /in/data /out/copy")
    assert words == "cargo"
    assert (workdir / "out/copy").read_text() == "cargo"


def test_read_only_volume_refuses(docker, workdir):
    assert docker.probe("write-file", "/in/new", "x", options=[f"-v={workdir}:/in:ro"])["errno"] == "EROFS"
    assert docker.probe("write-file", "/in/new", "x", options=[f"-v={workdir}:/in"])["errno"] is None


def test_named_volume_keeps_data(docker):
    try:
        docker.output("-v=brig-cargo:/data", IMAGE, "sh", "-c", "echo kept > /data/file")
        assert docker.output("-v=brig-cargo:/data", IMAGE, "cat", "/data/file") == "kept"
    finally:
        docker("volume", "rm", "-f", "brig-cargo")


def test_tmpfs(docker):
    words = docker.output("--tmpfs=/scratch:size=1m,mode=1777,noexec", IMAGE, "sh", "-c",
                          "grep ' /scratch ' /proc/mounts; dd if=/dev/zero of=/scratch/big bs=64k count=64 2>&1 | tail -1;"
                          "ls -l /scratch/big")
    assert re.search(r"^tmpfs /scratch tmpfs .*noexec.*size=1024k", words), words
    assert " 1048576 " in words.split("\n")[-1], words


def test_read_only_root(docker):
    assert docker.probe("write-file", "/new", "x", options=["--read-only"])["errno"] == "EROFS"
    assert docker.probe("write-file", "/new", "x")["errno"] is None


def test_init_is_pid_1_and_reaps(docker):
    container = docker.detached("--init", IMAGE, "sh", "-c", "(sleep 0.2 &) ; exec sleep 100")
    assert docker.ok("exec", container, "cat", "/proc/1/comm") == "docker-init"
    docker.ok("exec", container, "sh", "-c", "(true &) ; sleep 0.5; ! grep -l '^State:.*Z' /proc/[0-9]*/status")


def test_entrypoint_and_arguments_with_spaces(docker):
    words = docker.output("--entrypoint=/bin/probe", IMAGE, "print", "two words", "", "*", "$HOME")
    assert words == "two words  * $HOME"


def test_many_environment_variables(docker):
    options = [f"--env=V{number}={'x' * 200}" for number in range(300)]
    assert docker.output(*options, IMAGE, "sh", "-c", "env | grep -c '^V'") == "300"


def test_capabilities(docker):
    def effective(*options):
        text = docker.output(*options, IMAGE, "grep", "CapEff", "/proc/self/status")
        return int(text.split()[1], 16)

    assert effective("--cap-drop=ALL") == 0
    assert effective("--cap-drop=ALL", "--cap-add=CHOWN") == 1
    assert effective() == 0xa80425fb


@brig_only("runc refuses a capability that the host itself lacks, so that --privileged does not start inside a sandbox")
def test_privileged(docker):
    assert docker.probe("mount", "none", "/tmp", "tmpfs", options=["--privileged"])["errno"] is None
    assert docker.probe("mount", "none", "/tmp", "tmpfs")["errno"] == "EPERM"


def test_stop_signal_of_the_image_is_used(docker):
    container = docker.detached("--stop-signal=USR1", "--init", IMAGE, "sh", "-c",
                                "trap 'echo usr1; exit 5' USR1; while :; do sleep 0.1; done")
    docker.ok("stop", "-t", "10", container)
    assert docker.inspect(container)["ExitCode"] == 5 and docker.ok("logs", container) == "usr1"


# ---- terminals

def test_terminal_takes_resizes_and_signals(docker):
    script = "until stty size | grep -q 90; do :; done; stty size; exec probe catch-signals"
    process, pty = docker.terminal("run", "-it", "--rm", "--runtime=brig", "--network=none", IMAGE, "sh", "-c", script,
                                   rows=30, columns=90)
    assert "30 90" in pty.read_until("ready")
    resize_until(pty, 40, 100, "size 40 100")
    pty.write("\x03")
    pty.read_until("signal 2")
    pty.write("\x1c")
    pty.read_until("signal 3")
    docker.ok("kill", "-s", "TERM", docker.ok("ps", "-q"))
    assert process.wait(timeout=20) == 0


def test_terminal_runs_a_shell(docker):
    process, pty = docker.terminal("run", "-it", "--rm", "--runtime=brig", "--network=none", IMAGE, "sh")
    pty.read_until("#")
    pty.write("tty; cat\n")
    pty.read_until("/dev/pts/0")
    # cat has the terminal when it repeats a line; a ^C before that would go to the shell.
    pty.write("par''rot\n")
    pty.read_until("par''rot\r\npar''rot")
    pty.write("\x03")
    pty.read_until("#")
    pty.write("echo status=$?; exit 9\n")
    pty.read_until("status=130")
    assert process.wait(timeout=20) == 9


def test_terminal_of_a_non_root_user_is_his(docker):
    process, pty = docker.terminal("run", "-it", "--rm", "--runtime=brig", "--network=none", "--user=1000", IMAGE,
                                   "sh", "-c", "echo hi > /dev/tty && stat -c %u $(tty) && test -c /dev/console && echo end")
    assert "hi" in pty.read_until("end") and "1000" in pty.seen
    assert process.wait(timeout=20) == 0


def test_without_a_terminal_there_is_none(docker):
    assert docker.run(IMAGE, "tty").stdout.strip() == "not a tty"
