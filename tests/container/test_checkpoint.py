"""checkpoint and restore: processes saved to files and brought back by CRIU."""
import contextlib
import json
import os
import signal
import socket
import subprocess
import time

import pytest

from brigtest import ConsoleSocket, HookRecorder, brig_only, requires, wait_until
from brigtest.requirements import criu_program, missing

pytestmark = requires("root", "criu")

# Counts in memory that only a checkpoint brings back, and answers where it is.
COUNTER = "i=0; while :; do i=$((i+1)); echo $i > /run/count; sleep 0.05; done"


@pytest.fixture(autouse=True)
def criu_in_path(monkeypatch):
    """Runtimes look for CRIU in $PATH; the tests' own stands first."""
    monkeypatch.setenv("PATH", os.path.dirname(criu_program()) + ":" + os.environ["PATH"])


@pytest.fixture
def images(workdir):
    return workdir / "images"


@pytest.fixture
def counting(bundle):
    """A bundle whose program counts; /run is a tmpfs of the container."""
    return bundle.args("sh", "-c", COUNTER).mount("/run", "tmpfs", "tmpfs", ["nosuid", "nodev"])


def count(container):
    # The program has perhaps not begun to count.
    text = container.exec("sh", "-c", "cat /run/count 2>/dev/null; true", stdin=subprocess.DEVNULL).out.strip()
    return int(text) if text else 0


def wait_for_count(container, least=1):
    return wait_until(lambda: count(container) >= least and count(container), f"the count {least}")


def pids(container):
    return container.runtime.ok("ps", "-f", "json", container.id).json()


QUIET = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def start(runtime, bundle, *flags, **options):
    return runtime.running(bundle, *flags, **{**QUIET, **options})


def checkpoint(runtime, container, images, *flags, **options):
    return runtime.ok("checkpoint", "--image-path", images, *flags, container.id, **options)


def restore(runtime, container, images, *flags, **options):
    runtime.ok("restore", "--detach", "--bundle", container.bundle.path, "--image-path", images, *flags, container.id,
               **{**QUIET, **options})
    return container


# ---- there and back

def test_round_trip(runtime, counting, images, workdir):
    container = start(runtime, counting)
    before = wait_for_count(container, 3)
    checkpoint(runtime, container, images)
    assert not container.exists, "a checkpoint deletes the container, as runc's does"
    restore(runtime, container, images, "--pid-file", workdir / "pid")
    assert container.status == "running"
    assert int((workdir / "pid").read_text()) == container.pid
    assert wait_for_count(container, before) >= before
    assert pids(container)


def test_restored_container_obeys_all_verbs(runtime, counting, images):
    container = start(runtime, counting)
    wait_for_count(container)
    checkpoint(runtime, container, images)
    restore(runtime, container, images)
    assert container.exec("probe", "hostname", **{"stdin": subprocess.DEVNULL}).json() == {"hostname": "contained"}
    stats = runtime.ok("events", "--stats", container.id).json()
    assert stats["data"]["pids"]["current"] >= 1
    container.verb("pause")
    assert container.status == "paused"
    container.verb("resume")
    assert container.status == "running"
    runtime.ok("update", "--pids-limit", "50", container.id)
    container.stop()
    container.delete()
    runtime.fails("state", container.id, text="does not exist")


def test_leave_running(runtime, counting, images):
    container = start(runtime, counting)
    wait_for_count(container)
    pid = container.pid
    checkpoint(runtime, container, images, "--leave-running")
    assert (container.status, container.pid) == ("running", pid)
    wait_for_count(container, count(container) + 1)


def test_copy_beside_the_original(runtime, make_bundle, counting, images):
    """Another ID: another cgroup, and the same memory."""
    original = start(runtime, counting)
    wait_for_count(original)
    checkpoint(runtime, original, images, "--leave-running")
    runtime.ids.append("copy-" + original.id)
    copy = type(original)(runtime, "copy-" + original.id, counting, None)
    restore(runtime, copy, images)
    assert copy.status == original.status == "running"
    assert copy.cgroup("pids") != original.cgroup("pids")
    assert copy.id in str(copy.cgroup("pids"))
    assert copy.cgroup("memory") != original.cgroup("memory")


def test_twice(runtime, counting, images, workdir):
    container = start(runtime, counting)
    before = wait_for_count(container)
    for folder in (images, workdir / "again"):
        checkpoint(runtime, container, folder)
        restore(runtime, container, folder)
        before = wait_for_count(container, before + 1)


def test_paused_container(runtime, counting, images):
    container = start(runtime, counting)
    wait_for_count(container)
    container.verb("pause")
    checkpoint(runtime, container, images)
    restore(runtime, container, images)
    wait_for_count(container, count(container) + 1)


def test_process_tree(runtime, bundle, images):
    container = start(runtime, bundle.args("sh", "-c", "sleep 1000 & setsid sleep 2000 & wait"))
    wait_until(lambda: len(pids(container)) == 3, "three processes")
    checkpoint(runtime, container, images)
    restore(runtime, container, images)
    assert len(pids(container)) == 3
    names = container.exec("ps", "-o", "args", stdin=subprocess.DEVNULL).out
    assert "sleep 1000" in names and "sleep 2000" in names


def test_default_image_path_is_in_the_current_directory(runtime, counting, workdir):
    container = start(runtime, counting)
    wait_for_count(container)
    checkpoint_in = workdir / "here"
    checkpoint_in.mkdir()
    runtime.ok("checkpoint", container.id, cwd=checkpoint_in)
    assert (checkpoint_in / "checkpoint" / "inventory.img").exists()
    runtime.ok("restore", "-d", "-b", counting.path, container.id, cwd=checkpoint_in, **QUIET)
    assert container.status == "running"


@brig_only("runc 1.1.5 makes the folder without rights for its owner")
def test_images_are_private(runtime, counting, images):
    """They hold the memory of the processes."""
    container = start(runtime, counting)
    wait_for_count(container)
    checkpoint(runtime, container, images, "--leave-running")
    assert images.stat().st_mode & 0o777 == 0o700


def test_work_path_gets_the_log(runtime, counting, images, workdir):
    container = start(runtime, counting)
    wait_for_count(container)
    checkpoint(runtime, container, images, "--work-path", workdir / "work")
    assert "Dumping finished" in (workdir / "work" / "dump.log").read_text()
    restore(runtime, container, images, "--work-path", workdir / "work")
    assert (workdir / "work" / "restore.log").exists()
    assert not (images / "restore.log").exists()


# ---- what is restored with the processes

STATUS_LINES = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Umask")


def status_of(container):
    lines = dict(line.split(":", 1) for line in open(f"/proc/{container.pid}/status"))
    return {name: lines[name].strip() for name in STATUS_LINES}


def test_rights_are_the_same(runtime, counting, images):
    """User, capabilities, no_new_privs and the filter; exec's filter as well."""
    # CRIU reads the limits of another user's process only with CAP_SYS_RESOURCE.
    user = 1000 if missing("CAP_SYS_RESOURCE") is None else 0
    counting.set("process.user", {"uid": user, "gid": user, "additionalGids": [2000], "umask": 0o27})
    counting.set("linux.seccomp", {"defaultAction": "SCMP_ACT_ALLOW",
                                   "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]})
    counting.spec["mounts"][-1]["options"].append("mode=1777")
    container = start(runtime, counting)
    wait_for_count(container)
    before = status_of(container)
    assert before["Seccomp"] == "2" and before["NoNewPrivs"] == "1" and before["Groups"] == "2000"
    checkpoint(runtime, container, images)
    restore(runtime, container, images)
    assert status_of(container) == before
    assert container.exec("probe", "mkdir", "/run/new", stdin=subprocess.DEVNULL).json()["errno"] == "EPERM"


def test_namespaces_are_its_own(runtime, counting, images):
    container = start(runtime, counting)
    wait_for_count(container)
    checkpoint(runtime, container, images)
    restore(runtime, container, images)
    for kind in ("mnt", "pid", "net", "ipc", "uts"):
        assert os.readlink(f"/proc/{container.pid}/ns/{kind}") != os.readlink(f"/proc/self/ns/{kind}"), kind
    inside = container.report("namespaces", stdin=subprocess.DEVNULL)
    for kind, name in inside.items():
        if os.path.exists(f"/proc/{container.pid}/ns/{kind}"):
            assert str(os.stat(f"/proc/{container.pid}/ns/{kind}").st_ino) in str(name), f"exec is outside of {kind}"


def mounts_of(container):
    found = set()
    for line in open(f"/proc/{container.pid}/mountinfo"):
        fields = line.split()
        found.add((fields[4], fields[fields.index("-") + 1], fields[5]))
    return found


@brig_only("runc's masks and second read-only binds of a file system come back writable")
def test_mounts_are_the_same(runtime, counting, images, workdir):
    """File systems, masks, read-only paths, binds of folders and files, one by a link, and what came below an rbind."""
    data = workdir / "data"
    (data / "below").mkdir(parents=True)
    (data / "file").write_text("of the host")
    subprocess.run(["mount", "-t", "tmpfs", "below", data / "below"], check=True)
    try:
        (data / "below/deep").write_text("deep")
        (counting.rootfs / "real").mkdir()
        (counting.rootfs / "link").symlink_to("/real")
        counting.set("root.readonly", False)
        counting.mount("/data", "bind", data, ["rbind", "ro"])
        counting.mount("/link/file", "bind", data / "file", ["bind"])
        for number in (1, 2):
            counting.mount(f"/same{number}", "bind", workdir / "data", ["bind", "ro", "nosuid", "nodev", "noexec"])
        container = start(runtime, counting)
        wait_for_count(container)
        before = mounts_of(container)
        assert {"/real/file", "/data/below", "/same2", "/proc/sys"} <= {path for path, *_ in before}
        checkpoint(runtime, container, images)
        restore(runtime, container, images)
        assert mounts_of(container) == before
        assert container.exec("cat", "/real/file", "/data/below/deep", stdin=subprocess.DEVNULL).out == "of the hostdeep"
        assert container.exec("cat", "/proc/timer_list", stdin=subprocess.DEVNULL).out == ""
        assert container.probe("write-file", "/proc/sys/kernel/hostname", "x",
                               stdin=subprocess.DEVNULL)["errno"] in ("EROFS", "EACCES")
        if container.exists:
            container.delete("--force")
    finally:
        subprocess.run(["umount", data / "below"], check=True)


@brig_only("runc 1.1.5 joins the new cgroup too late for some controllers")
def test_limits_of_the_configuration_hold(runtime, counting, images):
    counting.set("linux.resources.pids", {"limit": 33})
    container = start(runtime, counting)
    wait_for_count(container)
    checkpoint(runtime, container, images)
    restore(runtime, container, images)
    assert container.cgroup_file("pids", "pids.max") == "33"
    assert container.id in str(container.cgroup("pids"))


@brig_only("runc leaves the loopback device down")
def test_loopback_is_up(runtime, counting, images):
    container = start(runtime, counting)
    wait_for_count(container)
    checkpoint(runtime, container, images)
    restore(runtime, container, images)
    assert "LOOPBACK,UP" in container.exec("ip", "link", "show", "lo", stdin=subprocess.DEVNULL).out


def test_network_namespace_of_others(runtime, counting, images):
    """A namespace that config.json names by path is joined again, whatever is in it by then."""
    with contextlib.ExitStack() as stack:
        owner = stack.enter_context(subprocess.Popen(["unshare", "--net", "sleep", "1000"]))
        stack.callback(owner.kill)
        wait_until(lambda: os.readlink(f"/proc/{owner.pid}/ns/net") != os.readlink("/proc/self/ns/net"), "the namespace")
        counting.namespace("network", f"/proc/{owner.pid}/ns/net")
        container = start(runtime, counting)
        wait_for_count(container)
        checkpoint(runtime, container, images)
        restore(runtime, container, images)
        assert os.readlink(f"/proc/{container.pid}/ns/net") == os.readlink(f"/proc/{owner.pid}/ns/net")
        container.delete("--force")


@brig_only("runc 1.1.5 with CRIU 4 loses the mappings")
def test_user_namespace(runtime, counting, images):
    counting.namespace("user")
    counting.set("linux.uidMappings", [{"containerID": 0, "hostID": 100000, "size": 65536}])
    counting.set("linux.gidMappings", [{"containerID": 0, "hostID": 100000, "size": 65536}])
    container = start(runtime, counting)
    wait_for_count(container)
    checkpoint(runtime, container, images)
    restore(runtime, container, images)
    assert os.stat(f"/proc/{container.pid}").st_uid == 100000
    wait_for_count(container, count(container) + 1)
    assert container.report("uid_map", stdin=subprocess.DEVNULL)


def join_keyring_with_a_key():
    import ctypes
    libc = ctypes.CDLL(None)
    libc.syscall(250, 1, b"session-of-the-caller")
    libc.syscall(248, b"user", b"key-of-the-caller", b"secret", 6, -3)


@brig_only("runc's restored processes are in the session keyring of runc's caller")
def test_keyring_of_the_caller_stays_outside(runtime, bundle, images):
    """Control: with --no-new-keyring the restored process finds the caller's key."""
    found = {}
    search = "read go < /run/fifo; probe syscall keyctl 10 -3 user key-of-the-caller 0 > /run/found; sleep 1000"
    bundle.args("sh", "-c", f"mkfifo /run/fifo; {search}").mount("/run", "tmpfs", "tmpfs", [])
    (bundle.rootfs / "bin/mkfifo").symlink_to("busybox")
    for flags in ((), ("--no-new-keyring",)):
        container = start(runtime, bundle)
        wait_until(lambda: "fifo" in container.exec("ls", "/run", stdin=subprocess.DEVNULL).out, "the fifo")
        checkpoint(runtime, container, images)
        restore(runtime, container, images, *flags, preexec_fn=join_keyring_with_a_key)
        container.exec("sh", "-c", "echo > /run/fifo", stdin=subprocess.DEVNULL)
        text = wait_until(lambda: container.exec("cat", "/run/found", stdin=subprocess.DEVNULL).out, "the answer")
        found[flags] = json.loads(text)["result"]
        container.delete("--force")
    assert found[()] == -1 and found[("--no-new-keyring",)] > 0


# ---- standard streams and terminals

def test_output_goes_to_the_caller_of_restore(runtime, bundle, images):
    """Pipes of the first caller become those of the second."""
    bundle.args("sh", "-c", "i=0; while read line; do i=$((i+1)); echo $i $line; done")
    reader, writer = os.pipe()
    out, out_writer = os.pipe()
    container = runtime.running(bundle, stdin=reader, stdout=out_writer, stderr=out_writer)
    os.close(out_writer)
    os.write(writer, b"one\n")
    assert os.read(out, 100) == b"1 one\n"
    checkpoint(runtime, container, images)
    for fd in (reader, writer, out):
        os.close(fd)
    reader, writer = os.pipe()
    out, out_writer = os.pipe()
    restore(runtime, container, images, stdin=reader, stdout=out_writer, stderr=out_writer)
    os.close(out_writer)
    os.write(writer, b"two\n")
    assert os.read(out, 100) == b"2 two\n"
    for fd in (reader, writer, out):
        os.close(fd)


@brig_only("runc cannot save a file of the host as standard output")
def test_output_to_a_file_goes_on_in_a_file(runtime, bundle, images, workdir):
    bundle.args("sh", "-c", "echo begin; while read line; do :; done < /run/fifo; echo end; sleep 1000")
    bundle.mount("/run", "tmpfs", "tmpfs", [])
    bundle.args("sh", "-c", "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.05; done")
    with open(workdir / "out", "ab") as out:
        container = start(runtime, bundle, stdout=out)
        wait_until(lambda: "line 2\n" in (workdir / "out").read_text(), "output")
        checkpoint(runtime, container, images)
        lines = len((workdir / "out").read_text().splitlines())
        restore(runtime, container, images, stdout=out)
        wait_until(lambda: len((workdir / "out").read_text().splitlines()) > lines + 1, "more output")
        container.delete("--force")
    numbers = [int(line.split()[1]) for line in (workdir / "out").read_text().splitlines()]
    assert numbers == list(range(1, len(numbers) + 1)), "no line is lost or doubled"


@brig_only("runc cannot save a file of the host as standard output")
def test_output_to_a_file_needs_a_file_again(runtime, counting, images, workdir):
    with open(workdir / "out", "ab") as out:
        container = start(runtime, counting, stdout=out)
    wait_for_count(container)
    checkpoint(runtime, container, images)
    runtime.fails("restore", "-d", "-b", counting.path, "--image-path", images, container.id, stdout=subprocess.PIPE,
                  brig_text="standard stream 1 was a file")


def test_null_device_is_the_containers_own(runtime, bundle):
    """The caller's would be a file on a mount of the host, which no checkpoint can hold."""
    container = start(runtime, bundle)
    mounts = {line.split()[0] for line in open(f"/proc/{container.pid}/mountinfo")}
    for number in (0, 1, 2):
        info = dict(line.split(":", 1) for line in open(f"/proc/{container.pid}/fdinfo/{number}"))
        assert info["mnt_id"].strip() in mounts


@pytest.fixture
def console(workdir):
    with ConsoleSocket(workdir / "console.sock") as receiver:
        yield receiver


def test_terminal(runtime, bundle, images, console):
    """The program keeps its terminal; a new holder gets the master."""
    bundle.set("process.terminal", True).args("sh", "-c", "i=0; while read line; do i=$((i+1)); echo $i said $line; done")
    container = runtime.running(bundle, "--console-socket", console.path)
    with console.receive() as pty:
        pty.write("first\n")
        pty.read_until("1 said first")
        checkpoint(runtime, container, images)
    restore(runtime, container, images, "--console-socket", console.path)
    with console.receive() as pty:
        assert os.isatty(pty.fd)
        pty.write("second\n")
        pty.read_until("2 said second")
        container.delete("--force")


def test_foreground(runtime, bundle, images):
    """Stays, passes signals on, ends with the program's status, leaves nothing."""
    bundle.args("/bin/probe", "catch-signals")
    container = start(runtime, bundle)
    wait_until(lambda: container.status == "running", "the container")
    time.sleep(0.2)
    checkpoint(runtime, container, images)
    process = runtime.spawn("restore", "--bundle", bundle.path, "--image-path", images, container.id, **QUIET)
    wait_until(lambda: container.exists and container.status == "running", "the restored container", 30)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == bundle_exit_code(runtime, bundle)
    assert not container.exists


def bundle_exit_code(runtime, bundle):
    """What the program exits with on SIGTERM when it was never saved."""
    process = runtime.spawn("run", "--bundle", bundle.path, "uninterrupted", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    runtime.ids.append("uninterrupted")
    assert b"ready" in process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    return process.wait(20)


@brig_only("runc 1.1.5 takes no terminal from CRIU in the foreground")
def test_foreground_with_a_terminal(runtime, bundle, images):
    bundle.set("process.terminal", True).args("sh", "-c", "while read line; do echo got $line; done; exit 5")
    bundle.write()
    runtime.ids.append("shell")
    process, pty = runtime.spawn_on_terminal("run", "--bundle", bundle.path, "shell")
    with pty:
        pty.write("one\n")
        pty.read_until("got one")
        runtime.ok("checkpoint", "--image-path", images, "shell")
        process.wait(20)
    process, pty = runtime.spawn_on_terminal("restore", "--bundle", bundle.path, "--image-path", images, "shell")
    with pty:
        pty.write("two\n")
        pty.read_until("got two")
        pty.write("\x04")
        assert process.wait(20) == 5


# ---- what has to be allowed

def is_locked(container):
    return container.probe("try-lock", "/run/lock", stdin=subprocess.DEVNULL)["result"] != 0


def test_file_locks(runtime, bundle, images):
    bundle.args("/bin/probe", "lock", "/run/lock").mount("/run", "tmpfs", "tmpfs", [])
    container = start(runtime, bundle)
    wait_until(lambda: is_locked(container), "the lock")
    runtime.fails("checkpoint", "--image-path", images, container.id, text="criu failed", brig_text="file-locks")
    assert container.status == "running", "a checkpoint that fails leaves the container as it was"
    checkpoint(runtime, container, images, "--file-locks")
    restore(runtime, container, images, "--file-locks")
    assert is_locked(container)


def test_external_unix_socket(runtime, bundle, images, workdir):
    """One end of a connected pair is outside."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    os.set_inheritable(theirs.fileno(), True)
    with ours, theirs:
        bundle.args("/bin/probe", "sleep")
        container = start(runtime, bundle, "--preserve-fds", "1", preexec_fn=lambda: os.dup2(theirs.fileno(), 3),
                          close_fds=False)
        runtime.fails("checkpoint", "--image-path", images, container.id, text="criu failed")
        container.delete("--force")


@pytest.mark.parametrize("flags", [
    ("--tcp-established",), ("--tcp-skip-in-flight",), ("--shell-job",), ("--link-remap",), ("--auto-dedup",),
    ("--manage-cgroups-mode", "soft"), ("--manage-cgroups-mode", "full"), ("--manage-cgroups-mode", "ignore"),
    ("--empty-ns", "network"),
], ids=lambda flags: " ".join(flags))
@brig_only("runc 1.1.5 lacks some of the options")
def test_options_are_handed_through(runtime, counting, images, flags):
    both = [word for word in flags if word not in ("--tcp-skip-in-flight", "--link-remap")]
    container = start(runtime, counting)
    wait_for_count(container)
    checkpoint(runtime, container, images, *flags)
    restore(runtime, container, images, *both)
    wait_for_count(container, count(container) + 1)
    assert container.id in str(container.cgroup("pids")), "the container's own cgroup, whatever the mode"


@pytest.mark.parametrize("flags, text", [
    (("--manage-cgroups-mode", "gentle"), "manage-cgroups-mode"),
    (("--empty-ns", "pid"), "not supported"),
    (("--page-server", "nowhere"), "--page-server ADDRESS:PORT"),
    (("--parent-path", "/absolute"), "--parent-path must be relative"),
    (("--parent-path", "../missing"), "invalid --parent-path"),
])
def test_wrong_options(runtime, counting, images, flags, text):
    container = start(runtime, counting)
    runtime.fails("checkpoint", "--image-path", images, *flags, container.id, text=text)
    assert container.status == "running"


@brig_only("runc 1.1.5 looks at the descriptor for --lazy-pages only")
def test_status_fd_must_be_open(runtime, counting, images):
    container = start(runtime, counting)
    runtime.fails("checkpoint", "--image-path", images, "--status-fd", "77", container.id, text="invalid --status-fd")


# ---- migration

def tracks_memory():
    return subprocess.run([criu_program(), "check", "--feature", "mem_dirty_track"], capture_output=True).returncode == 0


def test_pre_dump(runtime, counting, images, workdir):
    """The memory first, then what has changed: where the kernel tracks changes; else an answer in words."""
    container = start(runtime, counting)
    before = wait_for_count(container)
    if not tracks_memory():
        runtime.fails("checkpoint", "--pre-dump", "--image-path", workdir / "pre", container.id, text="[Mm]em|missing",
                      brig_text="not supported: --pre-dump needs a kernel that tracks changes of memory")
        assert container.status == "running"
        return
    checkpoint(runtime, container, workdir / "pre", "--pre-dump")
    assert container.status == "running"
    checkpoint(runtime, container, images, "--parent-path", "../pre")
    restore(runtime, container, images)
    wait_for_count(container, before + 1)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_page_server(runtime, counting, images):
    """The memory goes to a server, which writes it where the other images are brought to."""
    port = free_port()
    images.mkdir(mode=0o700)
    server = subprocess.Popen([criu_program(), "page-server", "--images-dir", images, "--address", "127.0.0.1", "--port",
                               str(port)], **QUIET)
    try:
        wait_until(lambda: any(f":{port:04X} " in line for line in open("/proc/net/tcp")), "the page server")
        container = start(runtime, counting)
        before = wait_for_count(container)
        checkpoint(runtime, container, images, "--page-server", f"127.0.0.1:{port}")
        assert server.wait(20) == 0
        restore(runtime, container, images)
        wait_for_count(container, before + 1)
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()


@requires("lazy_pages")
def test_lazy_pages(runtime, counting, images):
    """The container goes on before its memory has come: the checkpoint serves it, and says when it is ready to."""
    port = free_port()
    container = start(runtime, counting)
    before = wait_for_count(container)
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    source = runtime.spawn("checkpoint", "--lazy-pages", "--page-server", f"127.0.0.1:{port}", "--status-fd", str(writer),
                           "--image-path", images, container.id, pass_fds=[writer], **QUIET)
    os.close(writer)
    try:
        assert os.read(reader, 1) == b"\0"
    finally:
        os.close(reader)
    daemon = subprocess.Popen([criu_program(), "lazy-pages", "--page-server", "--address", "127.0.0.1", "--port", str(port),
                               "-D", images, "-W", images], **QUIET)
    try:
        wait_until(lambda: (images / "lazy-pages.socket").exists(), "the daemon of lazy pages")
        runtime.ids.append("there-" + container.id)
        there = type(container)(runtime, "there-" + container.id, counting, None)
        restore(runtime, there, images, "--lazy-pages", "--work-path", images)
        wait_for_count(there, before + 1)
        assert daemon.wait(30) == 0 and source.wait(30) == 0
        assert not container.exists
    finally:
        if daemon.poll() is None:
            daemon.kill()
            daemon.wait()


# ---- hooks

@brig_only("runc 1.1.5 has no createRuntime at restore")
def test_hooks_of_restore(runtime, bundle, images, workdir):
    bundle.set("root.readonly", False)
    hooks = HookRecorder(bundle, workdir / "records").add_all()
    container = start(runtime, bundle)
    wait_until(lambda: "poststart" in hooks.order(), "poststart")
    checkpoint(runtime, container, images)
    assert hooks.order()[-1] == "poststop"
    (hooks.folder / "order").unlink()
    restore(runtime, container, images)
    assert hooks.order() == ["prestart", "createRuntime"]
    assert hooks.state("createRuntime")["pid"] == container.pid
    assert hooks.text("createRuntime", "net") == os.readlink("/proc/self/ns/net")
    container.delete("--force")
    assert hooks.order() == ["prestart", "createRuntime", "poststop"]


def test_failing_hook_stops_the_restore(runtime, bundle, images, workdir):
    container = start(runtime, bundle)
    checkpoint(runtime, container, images)
    HookRecorder(bundle, workdir / "records").add("prestart", code=9)
    bundle.write()
    runtime.fails("restore", "-d", "-b", bundle.path, "--image-path", images, container.id, stdin=subprocess.DEVNULL,
                  brig_text="error running prestart hook #0: exit status 9")
    assert not container.exists


# ---- what cannot be

@pytest.mark.parametrize("status", ["created", "stopped"])
def test_states_that_cannot_be_saved(runtime, bundle, images, status):
    container = runtime.create(bundle.args("/bin/probe", "sleep"))
    if status == "stopped":
        container.stop()
    runtime.fails("checkpoint", "--image-path", images, container.id,
                  text=f"(?i)container cannot be checkpointed in {status} state")


def test_unknown_container(runtime, images):
    runtime.fails("checkpoint", "--image-path", images, "nobody", text="does not exist")


def test_taken_id(runtime, counting, images):
    container = start(runtime, counting)
    wait_for_count(container)
    checkpoint(runtime, container, images, "--leave-running")
    runtime.fails("restore", "-d", "-b", counting.path, "--image-path", images, container.id, stdin=subprocess.DEVNULL,
                  text="container with given ID already exists")
    assert container.status == "running"


def test_missing_images(runtime, bundle, images):
    bundle.write()
    runtime.fails("restore", "-d", "-b", bundle.path, "--image-path", images, "missing", stdin=subprocess.DEVNULL, text="no such file",
                  brig_text="open the checkpoint")
    assert not (runtime.root / "missing").exists()


@brig_only("runc 1.1.5 leaves the state directory behind")
@pytest.mark.parametrize("damage", ["inventory.img", "pages-1.img", "core-1.img", "pstree.img"])
def test_cut_or_missing_images_are_found(runtime, counting, images, damage):
    container = start(runtime, counting)
    wait_for_count(container)
    checkpoint(runtime, container, images)
    data = (images / damage).read_bytes()
    command = ["restore", "-d", "-b", counting.path, "--image-path", images, container.id]
    (images / damage).write_bytes(data[:len(data) // 2 - 3])
    runtime.fails(*command, stdin=subprocess.DEVNULL,
                  text=f"the checkpoint is damaged: {damage} has {len(data) // 2 - 3} bytes instead of {len(data)}")
    (images / damage).unlink()
    runtime.fails(*command, stdin=subprocess.DEVNULL, text=f"the checkpoint is damaged: {damage} is missing")
    assert not container.exists
    (images / damage).write_bytes(data)
    restore(runtime, container, images)


@brig_only("runc 1.1.5 leaves the state directory behind")
@pytest.mark.parametrize("damage", ["inventory.img", "core-1.img", "pstree.img"])
def test_damaged_images_leave_nothing(runtime, counting, images, damage):
    """No state, no cgroup, no process, no mount (the leak check looks), and an error with CRIU's own words."""
    container = start(runtime, counting)
    wait_for_count(container)
    checkpoint(runtime, container, images)
    data = (images / damage).read_bytes()
    (images / damage).write_bytes(data[:8] + bytes(255 - byte for byte in data[8:]))
    result = runtime.fails("restore", "-d", "-b", counting.path, "--image-path", images, container.id, stdin=subprocess.DEVNULL,
                           text=r"Error \(criu")
    assert str(images / "restore.log") in result.message
    assert not container.exists


@brig_only("runc 1.1.5 leaves the state directory behind")
def test_mount_that_config_json_lacks(runtime, counting, images, workdir):
    (workdir / "data").mkdir()
    counting.set("root.readonly", False).mount("/data", "bind", workdir / "data", ["bind"])
    container = start(runtime, counting)
    wait_for_count(container)
    checkpoint(runtime, container, images)
    counting.spec["mounts"].pop()
    counting.write()
    runtime.fails("restore", "-d", "-b", counting.path, "--image-path", images, container.id, stdin=subprocess.DEVNULL,
                  text='a mount of the host\'s at "/data"')
    assert not container.exists


def without_criu(*command):
    """Nobody finds CRIU: its places are covered, in a mount namespace of the command."""
    script = "for f in /usr/sbin/criu /usr/bin/criu /usr/local/sbin/criu /usr/local/bin/criu; do " \
             "[ -e $f ] && mount --bind /dev/null $f; done; exec \"$@\""
    return ["unshare", "--mount", "sh", "-c", script, "sh", *command]


@pytest.mark.parametrize("verb", ["checkpoint", "restore"])
def test_without_criu(runtime, counting, images, monkeypatch, verb):
    container = start(runtime, counting)
    monkeypatch.setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
    flags = ("-d", "-b", counting.path) if verb == "restore" else ()
    name = container.id if verb == "checkpoint" else "other"
    if verb == "restore":
        images.mkdir()
    runtime.fails(verb, *flags, "--image-path", images, name, prefix=without_criu(), stdin=subprocess.DEVNULL, text="criu|CRIU",
                  brig_text="not supported: checkpoint needs CRIU; install it with apt-get install criu")
    assert container.status == "running"


@brig_only("--criu is gone from runc 1.2")
def test_named_criu(runtime, counting, images, workdir, monkeypatch):
    """--criu before the verb, as engines give it; one that others may write to is not run."""
    container = start(runtime, counting)
    wait_for_count(container)
    monkeypatch.setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
    flags = ["--root", runtime.root, "--log", runtime.log, "--log-format", "json", "--criu"]
    loose = workdir / "criu"
    loose.write_bytes(open(criu_program(), "rb").read())
    loose.chmod(0o777)
    runtime.fails("checkpoint", "--image-path", images, container.id, flags=[*flags, loose], text="others may write to it")
    runtime.fails("checkpoint", "--image-path", images, container.id, flags=[*flags, workdir / "none"],
                  text="not supported: checkpoint needs CRIU")
    runtime.ok("checkpoint", "--image-path", images, container.id, flags=[*flags, criu_program()])


@brig_only("how a runtime is killed")
def test_killed_restore_can_be_cleaned_up(runtime, counting, images):
    container = start(runtime, counting)
    wait_for_count(container)
    checkpoint(runtime, container, images)
    for milliseconds in (20, 60, 120, 250):
        process = runtime.spawn("restore", "-d", "-b", counting.path, "--image-path", images, container.id, **QUIET)
        time.sleep(milliseconds / 1000)
        process.kill()
        process.wait()
        runtime.ok("delete", "--force", container.id)
        assert not container.exists


@brig_only("the annotation is listed by name")
def test_features_say_so(runtime):
    features = runtime.ok("features").json()
    assert features["annotations"]["brig.checkpoint.enabled"] == "true"
    assert "org.criu.config" in features["potentiallyUnsafeConfigAnnotations"]


@brig_only("annotation and file are runc's and brig's own")
def test_configuration_file_of_criu(runtime, counting, images, workdir):
    """org.criu.config names a file of options; what it says counts."""
    (workdir / "criu.conf").write_text("log-file named-in-the-file.log\n")
    counting.set("annotations", {"org.criu.config": str(workdir / "criu.conf")})
    container = start(runtime, counting)
    wait_for_count(container)
    checkpoint(runtime, container, images, "--leave-running")
    assert (images / "named-in-the-file.log").exists()
