"""sd_notify: $NOTIFY_SOCKET of create, start and run."""
import os
import socket
import threading

import pytest

from brigtest import brig_only, wait_until

pytestmark = brig_only("runc 1.1 sends READY and MAINPID apart, follows a link in the socket's place and waits for ever for an end without READY")

INSIDE = "/run/notify/notify.sock"
SLEEP = "exec /bin/probe sleep"


class Manager:
    """A service manager's end.  Receiving without room for descriptors closes them, which answers a barrier."""

    def __init__(self, address):
        self.address = str(address)
        self.messages = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + self.address[1:] if self.address.startswith("@") else self.address)
        self._thread = threading.Thread(target=self._receive)
        self._thread.start()

    def _receive(self):
        while (message := self._socket.recv(65536).decode()) != "end":
            self.messages.append(message)

    @property
    def environment(self):
        return {**os.environ, "NOTIFY_SOCKET": self.address}

    @property
    def told(self):
        return [message for message in self.messages if message != "BARRIER=1"]

    def close(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"end", self._socket.getsockname())
        self._thread.join()
        self._socket.close()


@pytest.fixture
def manager(workdir):
    made = Manager(workdir / "manager.sock")
    yield made
    made.close()


def shell(bundle, text):
    return bundle.args("sh", "-c", text)


def ready(container):
    return [f"READY=1\nMAINPID={container.pid}"]


def test_detached_run_waits_and_tells_the_main_pid(runtime, bundle, manager):
    shell(bundle, f"sleep 0.3; echo late; /bin/probe notify READY=1; {SLEEP}")
    container = runtime.running(bundle, env=manager.environment)
    assert container.out == "late\n"
    assert manager.told == ready(container)


def test_start_waits(runtime, bundle, manager):
    shell(bundle, f"sleep 0.3; echo late; /bin/probe notify READY=1; {SLEEP}")
    container = runtime.create(bundle, env=manager.environment)
    assert not manager.messages
    container.verb("start", env=manager.environment)
    assert container.out == "late\n"
    assert manager.told == ready(container)


def test_attached_run_forwards(runtime, bundle, manager):
    shell(bundle, "/bin/probe notify STATUS=x READY=1; /bin/probe notify READY=1; exit 7")
    runtime.run(bundle, code=7, env=manager.environment)
    wait_until(lambda: manager.told, "the message")
    assert len(manager.told) == 1 and manager.told[0].startswith("READY=1\nMAINPID=")


def test_abstract_socket(runtime, bundle, workdir):
    manager = Manager(f"@brig-test-{os.getpid()}")
    try:
        container = runtime.running(shell(bundle, f"/bin/probe notify READY=1; {SLEEP}"), env=manager.environment)
        assert manager.told == ready(container)
    finally:
        manager.close()


@pytest.mark.parametrize("code", [0, 3])
def test_end_without_ready(runtime, bundle, manager, code):
    bundle.args("/bin/probe", "exit", str(code))
    runtime.run(bundle, code=code, env=manager.environment)
    runtime.running(bundle, env=manager.environment).wait_for("stopped")
    created = runtime.create(bundle, env=manager.environment)
    created.verb("start", env=manager.environment)
    assert not manager.messages


def test_container_that_is_never_ready_can_be_deleted(runtime, bundle, manager):
    container = runtime.create(bundle.args("/bin/probe", "sleep"), env=manager.environment)
    start = runtime.spawn("start", container.id, env=manager.environment)
    container.wait_for("running")
    assert start.poll() is None
    container.delete("--force")
    assert start.wait(20) == 0
    assert not manager.messages


def test_any_user_may_send(runtime, bundle, manager):
    bundle.set("process.user", {"uid": 1000, "gid": 1000}).capabilities()
    container = runtime.running(shell(bundle, f"/bin/probe notify READY=1 && {SLEEP}"), env=manager.environment,
                                preexec_fn=lambda: os.umask(0o077))
    assert manager.told == ready(container)


@pytest.mark.parametrize("user", [0, 1000])
def test_user_namespace(runtime, bundle, manager, user):
    bundle.in_user_namespace().set("process.user", {"uid": user, "gid": user})
    (bundle.rootfs / "run/notify").mkdir()  # the root file system is not the namespace's
    container = runtime.running(shell(bundle, f"/bin/probe notify READY=1 && {SLEEP}"), env=manager.environment)
    assert manager.told == ready(container)


def test_environment_and_mount(runtime, bundle, manager):
    bundle.process["env"].append("NOTIFY_SOCKET=/another")
    container = runtime.create(bundle.args("sh", "-c", f"echo $NOTIFY_SOCKET; grep /run/notify /proc/self/mountinfo; {SLEEP}"),
                               env=manager.environment)
    container.start()
    out = container.wait_for_output("/run/notify ")
    assert out.startswith(INSIDE + "\n")
    assert set(out.split(" /run/notify ")[1].split()[0].split(",")) >= {"ro", "nosuid", "nodev", "noexec"}
    assert "NOTIFY_SOCKET" not in container.exec("/bin/probe", "read", "/proc/self/environ").out.replace("NOTIFY_SOCKET=/another", "")


def test_without_the_variable_nothing_is_there(runtime, bundle):
    environment = {name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"}
    result = runtime.run(bundle.args("sh", "-c", "env; cat /proc/self/mountinfo"), env=environment)
    assert "notify" not in result.out.lower()


def test_start_of_a_container_that_was_created_without_it(runtime, bundle, manager):
    container = runtime.create(bundle.args("/bin/probe", "sleep"))
    result = container.verb("start", env=manager.environment)
    assert any("created without it" in entry["msg"] for entry in result.log)
    assert container.status == "running"


@pytest.mark.parametrize("address", ["/nowhere/socket", "relative", "vsock:2:1", "@"])
def test_manager_that_is_not_there(runtime, bundle, address):
    runtime.run(bundle.args("true"), code=1, text="NOTIFY_SOCKET", env={**os.environ, "NOTIFY_SOCKET": address})
    assert not (runtime.root / runtime.ids[-1]).exists()


HOSTILE = ["MAINPID=1", "RELOADING=1", "FDSTORE=1\nFDNAME=x", "STOPPING=1", "WATCHDOG=1", "ERRNO=5", "XREADY=1",
           "READY=10", "READY=0", " READY=1", "x" * 4095 + "\nREADY=1"]


def test_only_ready_is_passed_on(runtime, bundle, manager):
    bundle.args("/bin/probe", "notify", *HOSTILE)
    runtime.run(bundle, env=manager.environment)
    assert not manager.messages
    bundle.args("/bin/probe", "notify", *HOSTILE, "MAINPID=1\nREADY=1\nFDSTORE=1")
    runtime.run(bundle, env=manager.environment)
    wait_until(lambda: manager.told, "the message")
    assert len(manager.told) == 1 and "MAINPID=1\n" not in manager.told[0] + "\n"
    assert "FDSTORE" not in manager.told[0]


@pytest.mark.parametrize("count", [1, 200])
@pytest.mark.parametrize("attached", [False, True])
def test_descriptors_are_closed(runtime, bundle, manager, count, attached):
    """A barrier's sender goes on, before and after READY=1."""
    script = (f"/bin/probe notify-with-fds {count} BARRIER=1 && "
              f"/bin/probe notify-with-fds {count} READY=1 BARRIER=1 && echo through")
    if attached:
        assert runtime.run(shell(bundle, script), env=manager.environment).out == "through\n"
    else:
        container = runtime.running(shell(bundle, f"{script}; {SLEEP}"), env=manager.environment)
        container.wait_for_output("through")


@pytest.mark.parametrize("attached", [False, True])
def test_flood(runtime, bundle, manager, attached):
    shell(bundle, "/bin/probe notify-flood STATUS=x & sleep 0.3; exit 5")
    if attached:
        runtime.run(bundle, code=5, env=manager.environment)
    else:
        runtime.running(bundle, env=manager.environment).wait_for("stopped")
    assert not manager.messages


def test_link_instead_of_the_socket(runtime, bundle, manager, workdir):
    """What lies in the directory is not followed: the socket is made in it, or start fails."""
    container = runtime.create(shell(bundle, f"/bin/probe notify READY=1; {SLEEP}"), env=manager.environment)
    (runtime.root / container.id / "notify/container/notify.sock").symlink_to(workdir / "elsewhere")
    container.verb("start", env=manager.environment)
    assert not (workdir / "elsewhere").exists()
    assert manager.told == ready(container)


def test_container_cannot_write_there(runtime, bundle, manager):
    bundle.all_capabilities()
    assert runtime.probe(bundle, "write-file", "/run/notify/file", "x", env=manager.environment)["errno"] == "EROFS"


def test_other_users_of_the_host_cannot_send(runtime, bundle, manager):
    container = runtime.running(shell(bundle, f"/bin/probe notify READY=1; {SLEEP}"), env=manager.environment)
    outer = runtime.root / container.id / "notify"
    assert outer.stat().st_mode & 0o777 == 0o700


def test_checkpoint_is_refused(runtime, bundle, manager, workdir):
    container = runtime.running(shell(bundle, f"/bin/probe notify READY=1; {SLEEP}"), env=manager.environment)
    container.fails("checkpoint", "--image-path", workdir / "images", text="notifies a service manager")


def test_nothing_is_left(runtime, bundle, manager):
    container = runtime.running(shell(bundle, f"/bin/probe notify READY=1; {SLEEP}"), env=manager.environment)
    container.delete("--force")
    assert not (runtime.root / container.id).exists()
