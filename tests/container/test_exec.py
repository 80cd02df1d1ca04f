"""exec: a second process in a running container."""
import json
import os
import subprocess

import pytest

from brigtest import ConsoleSocket, brig_only, cgroups, wait_until


@pytest.fixture
def container(runtime, bundle):
    bundle.set("root.readonly", False)
    return runtime.running(bundle)


def process_file(workdir, **changes):
    process = {"args": ["/bin/probe", "ids"], "cwd": "/", "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0}}
    process.update(changes)
    path = workdir / "process.json"
    path.write_text(json.dumps({key: value for key, value in process.items() if value is not None}))
    return path


# ---- results

@pytest.mark.parametrize("code", [0, 1, 42, 255])
def test_exit_code(container, code):
    container.exec("/bin/probe", "exit", str(code), code=code)


@pytest.mark.parametrize("number", [9, 15, 11])
def test_death_by_signal(container, number):
    container.exec("/bin/probe", "signal-self", str(number), code=128 + number)


def test_streams(container):
    result = container.exec("sh", "-c", "cat; echo err >&2", input="in")
    assert (result.out, result.err, result.log) == ("in", "err\n", [])


def test_in_the_namespaces_of_the_container(container):
    inside = container.report("namespaces")
    for kind in ("ipc", "mnt", "net", "pid", "uts", "user", "cgroup"):
        assert inside[kind] == os.stat(f"/proc/{container.pid}/ns/{kind}").st_ino, kind


def test_in_the_cgroups_of_the_container(container):
    container.exec("/bin/probe", "sleep", flags=["-d", "--pid-file", container.runtime.folder / "pid"])
    pid = (container.runtime.folder / "pid").read_text().strip()
    assert open(f"/proc/{pid}/cgroup").read() == open(f"/proc/{container.pid}/cgroup").read()


@pytest.mark.parametrize("argv,words", [
    (["/no/such"], "no such file or directory"),
    (["no-such"], "executable file not found in \\$PATH"),
    (["/etc/passwd"], "permission denied"),
    (["/etc"], "is a directory|permission denied"),
])
def test_program_that_cannot_run_is_255(container, argv, words):
    container.exec_fails(*argv, text=words)


def test_failed_exec_leaves_the_container_alone(container):
    container.exec_fails("/no/such", text="no such file")
    assert container.status == "running"
    assert container.exec("echo", "still").out == "still\n"


def test_without_a_command(container):
    assert container.runtime.call("exec", container.id).code != 0


# ---- flags

def test_flags_end_at_the_container_id(container):
    assert container.exec("echo", "-n", "--user", "x").out == "--user x"


def test_cwd(container):
    assert container.report("cwd", flags=["--cwd", "/home/tester"]) == "/home/tester"


def test_missing_cwd_is_made_or_refused(container):
    result = container.runtime.call("exec", "--cwd", "/not/there", container.id, "/bin/probe", "cwd")
    assert result.code in (0, 255)
    if result.code == 0:
        assert result.json()["cwd"] == "/not/there"


@pytest.mark.parametrize("value", ["relative", "../up"])
def test_relative_cwd_is_refused(container, value):
    container.exec_fails("true", flags=["--cwd", value], text="[Cc]wd.*absolute")


@pytest.mark.parametrize("flag", ["-e", "--env"])
def test_env_is_added_to_the_container_own(container, flag):
    env = container.report("env", flags=[flag, "A=1", flag, "B=two words", flag, "EMPTY="])
    assert {"A=1", "B=two words", "EMPTY="} <= set(env)
    assert any(entry.startswith("PATH=") for entry in env)


def test_env_of_the_flag_wins(container):
    env = container.report("env", flags=["-e", "TERM=dumb"])
    assert [entry for entry in env if entry.startswith("TERM=")] == ["TERM=dumb"]


# flag value, uid and gid it must give, or the words of the error
USERS = [
    ("0", 0, 0, None),
    ("1", 1, 0, None),
    ("1:2", 1, 2, None),
    ("1000:1000", 1000, 1000, None),
    ("2147483647:0", 2147483647, 0, None),
    ("x", None, None, "user|uid|[Uu]id"),
    ("1:x", None, None, "gid|group|syntax"),
    ("", 0, 0, None),
    brig_only("runc 1.1.5 takes an empty half as 0", ":2", None, None, "user|uid"),
    brig_only("runc 1.1.5 takes an empty half as 0", "1:", None, None, "group|gid|user"),
    brig_only("runc 1.1.5 truncates to 0, that is root", "4294967296", None, None, "user|uid|range"),
    brig_only("runc 1.1.5 truncates to 0, that is root", "0:4294967296", None, None, "user|gid|group|range"),
    brig_only("the kernel's \"no change\" value; runc 1.1.5 says invalid argument", "4294967295", None, None,
              "user|uid|range"),
    brig_only("runc 1.1.5 truncates", "18446744073709551616", None, None, "user|uid|range"),
    brig_only("runc 1.1.5 wraps around", "-1", None, None, "user|uid|range"),
    brig_only("runc 1.1.5 reads 0x10", "0x10", None, None, "user|uid|syntax"),
    brig_only("runc 1.1.5 ignores the third part", "1:2:3", None, None, "user|uid|gid|syntax"),
    brig_only("runc 1.1.5 says nothing of the space", " 1", None, None, "user|uid|syntax"),
]


@pytest.mark.parametrize("value,uid,gid,words", USERS)
@pytest.mark.parametrize("flag", ["--user"])
def test_user(container, flag, value, uid, gid, words):
    if words:
        container.exec_fails("true", flags=[f"{flag}={value}"], text=words)
    else:
        ids = container.report("ids", flags=[f"{flag}={value}"])
        assert (ids["uid"], ids["euid"], ids["suid"], ids["fsuid"]) == (uid,) * 4
        assert (ids["gid"], ids["egid"], ids["sgid"], ids["fsgid"]) == (gid,) * 4


def test_short_user_flag(container):
    assert container.report("ids", flags=["-u", "7:8"])["uid"] == 7


def test_default_user_is_the_container_own(runtime, bundle):
    bundle.set("process.user", {"uid": 1000, "gid": 1000, "additionalGids": [2000]})
    ids = runtime.running(bundle).report("ids")
    assert (ids["uid"], ids["gid"]) == (1000, 1000)


@pytest.mark.parametrize("flags", [["-g", "2000", "-g", "3000"], ["--additional-gids=2000", "--additional-gids=3000"]])
def test_additional_gids(container, flags):
    assert {2000, 3000} <= set(container.report("ids", flags=flags)["groups"])


@pytest.mark.parametrize("value", ["x", brig_only("runc 1.1.5 wraps around", "-1"),
                                   brig_only("runc 1.1.5 truncates to 0", "4294967296")])
def test_additional_gids_refuses(container, value):
    assert container.runtime.call("exec", "-g", value, container.id, "true").code != 0


def test_home_follows_the_user(container):
    env = container.report("env", flags=["-u", "1000:1000"])
    assert "HOME=/home/tester" in env


def test_cap_adds_to_the_sets_and_not_to_inheritable(container):
    """CVE-2022-29162: inheritable stays empty."""
    caps = container.report("caps", flags=["--cap", "CAP_NET_ADMIN"])
    for name in ("bounding", "effective", "permitted"):
        assert "CAP_NET_ADMIN" in caps[name]
    assert caps["inheritable"] == []


def test_without_cap_the_container_own(container):
    caps = container.report("caps")
    assert caps["effective"] == ["CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_AUDIT_WRITE"]
    assert caps["inheritable"] == caps["ambient"] == []


@brig_only("runc 1.1.5 warns and goes on")
def test_unknown_cap_is_refused(container):
    container.exec_fails("true", flags=["--cap", "CAP_NOPE"], text="CAP_NOPE")


@pytest.mark.parametrize("of_container,flags,expected", [
    (False, [], False), (False, ["--no-new-privs"], True), (True, [], True),
])
def test_no_new_privs(runtime, bundle, of_container, flags, expected):
    bundle.set("process.noNewPrivileges", of_container)
    assert runtime.running(bundle).report("no_new_privileges", flags=flags) is expected


def test_detached(container, workdir):
    pid_file = workdir / "exec.pid"
    container.exec("/bin/probe", "sleep", flags=["--detach", "--pid-file", pid_file])
    pid = int(pid_file.read_text())
    assert pid != container.pid
    assert pid in container.runtime.ok("ps", "--format", "json", container.id).json()


def test_detached_process_is_adopted_by_the_caller(container, workdir):
    container.exec("/bin/probe", "sleep", flags=["-d", "--pid-file", workdir / "exec.pid"])
    pid = int((workdir / "exec.pid").read_text())
    status = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
    assert int(status[1]) == os.getpid()


def test_pid_file_of_attached_exec(container, workdir):
    container.exec("true", flags=["--pid-file", workdir / "exec.pid"])
    assert int((workdir / "exec.pid").read_text()) > 1


# ---- --process

@pytest.mark.parametrize("flag", ["-p", "--process"])
def test_process_file(container, workdir, flag):
    path = process_file(workdir, user={"uid": 5, "gid": 6, "additionalGids": [7]})
    ids = json.loads(container.exec(flags=[flag, path]).out)["ids"]
    assert (ids["uid"], ids["gid"], ids["groups"]) == (5, 6, [7])


def test_process_file_decides_everything(container, workdir):
    path = process_file(workdir, args=["/bin/probe", "env", "cwd", "caps", "rlimits", "no_new_privileges"],
                        cwd="/tmp", env=["ONLY=this", "HOME=/h"], noNewPrivileges=True,
                        capabilities={name: ["CAP_CHOWN"] for name in ("bounding", "effective", "permitted")},
                        rlimits=[{"type": "RLIMIT_MEMLOCK", "soft": 100, "hard": 200}])
    told = json.loads(container.exec(flags=["--process", path]).out)
    assert told["env"] == ["ONLY=this", "HOME=/h"]
    assert told["cwd"] == "/tmp"
    assert told["caps"]["effective"] == ["CAP_CHOWN"]
    assert told["rlimits"]["RLIMIT_MEMLOCK"] == {"soft": 100, "hard": 200}
    assert told["no_new_privileges"] is True


@brig_only("runc 1.1.5 takes the umask of the container only")
def test_umask_of_process_file(container, workdir):
    path = process_file(workdir, args=["/bin/probe", "umask"], user={"uid": 0, "gid": 0, "umask": 0o27})
    assert json.loads(container.exec(flags=["--process", path]).out)["umask"] == 0o27


def test_process_file_without_capabilities_has_none(container, workdir):
    """As a process of a spec without capabilities."""
    path = process_file(workdir, args=["/bin/probe", "caps"], capabilities={})
    caps = json.loads(container.exec(flags=["--process", path]).out)["caps"]
    assert all(caps[name] == [] for name in caps)


@pytest.mark.parametrize("content,words", [
    ("", "EOF|JSON|json|parse|empty"),
    ("{", "EOF|JSON|json|parse"),
    ("[]", "array|object|type"),
    (json.dumps({"args": "sh", "cwd": "/"}), "args"),
    (json.dumps({"args": [], "cwd": "/"}), "args"),
    (json.dumps({"args": ["true"]}), "[Cc]wd"),
    (json.dumps({"args": ["true"], "cwd": "relative"}), "[Cc]wd"),
    (json.dumps({"args": ["true"], "cwd": "/", "user": "root"}), "user"),
])
def test_bad_process_file(container, workdir, content, words):
    path = workdir / "process.json"
    path.write_text(content)
    container.exec_fails(flags=["--process", path], text=words)


def test_missing_process_file(container, workdir):
    container.exec_fails(flags=["--process", workdir / "nowhere"], text="no such file or directory")


# ---- terminal

def test_console_socket(container, workdir):
    with ConsoleSocket(workdir / "console.sock") as console:
        container.exec("sh", "-c", "tty; probe tty; read x; echo got $x",
                       flags=["--tty", "--detach", "--console-socket", console.path])
        with console.receive() as pty:
            shown = pty.read_until("}")
            assert "/dev/pts/" in shown and '"stdin": true, "stdout": true, "stderr": true' in shown
            pty.write("word\n")
            pty.read_until("got word")


def test_tty_of_process_file(container, workdir):
    path = process_file(workdir, args=["/bin/probe", "tty"], terminal=True, consoleSize={"height": 33, "width": 99})
    with ConsoleSocket(workdir / "console.sock") as console:
        container.exec(flags=["--process", path, "--detach", "--console-socket", console.path])
        with console.receive() as pty:
            shown = pty.read_until("}")
    assert '"rows": 33, "columns": 99, "controlling": true' in shown


def test_detached_tty_needs_a_console_socket(container):
    container.exec_fails("true", flags=["--tty", "--detach"], text="console socket|console-socket")


def test_console_socket_without_tty_is_refused(container, workdir):
    with ConsoleSocket(workdir / "console.sock") as console:
        container.exec_fails("true", flags=["--detach", "--console-socket", console.path],
                             text="console socket|console-socket")


# ---- file descriptors

def test_only_the_standard_streams_are_open(container):
    assert set(container.report("fds")) == {"0", "1", "2"}


def test_inherited_fds_do_not_enter(container):
    read, write = os.pipe()
    try:
        assert set(container.report("fds", pass_fds=[read, write])) == {"0", "1", "2"}
    finally:
        os.close(read)
        os.close(write)


def test_preserve_fds(container):
    fds = [os.open("/etc/hostname", os.O_RDONLY) for _ in range(2)]
    try:
        seen = container.report("fds", flags=["--preserve-fds", "2"], preexec_fn=lambda: place_at_three(fds),
                                close_fds=False)
    finally:
        for fd in fds:
            os.close(fd)
    assert set(seen) == {"0", "1", "2", "3", "4"}


def place_at_three(fds):
    copies = [os.dup2(fd, 100 + index) for index, fd in enumerate(fds)]
    for index, fd in enumerate(copies):
        os.dup2(fd, 3 + index)
    os.closerange(3 + len(fds), 1024)


# ---- many at once

def test_many_at_the_same_time(container):
    processes = [container.runtime.spawn("exec", container.id, "echo", str(number), stdout=subprocess.PIPE)
                 for number in range(10)]
    told = [process.communicate(timeout=60)[0].decode().strip() for process in processes]
    assert told == [str(number) for number in range(10)]


def test_one_after_another(container):
    for number in range(20):
        assert container.exec("echo", str(number)).out == f"{number}\n"


def test_end_of_container_ends_exec(runtime, bundle):
    container = runtime.running(bundle)
    process = runtime.spawn("exec", container.id, "/bin/probe", "catch-signals", stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    container.kill("KILL")
    assert process.wait(20) == 137
    container.wait_for("stopped")


@pytest.mark.parametrize("value", ["sub", "/sub"])
@pytest.mark.requires("host_root")
def test_exec_in_a_sub_cgroup(container, value):
    """v1: in one hierarchy, v2: below the container's."""
    version = cgroups.hierarchies()["pids"].version
    sub = container.cgroup("pids") / "sub"
    sub.mkdir()
    flag = f"pids:{value}" if version == 1 else value
    container.exec("/bin/probe", "sleep", flags=["--cgroup", flag, "-d", "--pid-file", container.runtime.folder / "p"])
    pid = int((container.runtime.folder / "p").read_text())
    assert cgroups.of_process(pid)["pids"] == sub
    os.kill(pid, 9)
    wait_until(lambda: (sub / "cgroup.procs").read_text() == "", "the sub-cgroup to be empty")
    sub.rmdir()


def test_exec_in_a_missing_sub_cgroup_is_refused(container):
    container.exec_fails("true", flags=["--cgroup", "nowhere"], text="cgroup")


@brig_only("runc 1.1.5 has no --pidfd-socket")
def test_pidfd_socket(container, workdir):
    with ConsoleSocket(workdir / "pidfd.sock") as receiver:
        container.exec("/bin/probe", "sleep", flags=["-d", "--pid-file", workdir / "p", "--pidfd-socket",
                                                     receiver.path])
        with receiver.receive() as received:
            info = open(f"/proc/self/fdinfo/{received.fd}").read()
    assert f"Pid:\t{(workdir / 'p').read_text().strip()}\n" in info
