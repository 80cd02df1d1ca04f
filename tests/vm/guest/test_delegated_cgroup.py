"""An ordinary user with a delegated cgroup v2: limits, pause and update work without root."""
import os
import subprocess

import pytest

from brigtest import requires, settings, wait_until
from brigtest.ordinary_user import OrdinaryUser

pytestmark = [requires("root", "cgroup_v2", "program:setpriv", "program:newuidmap"),
              requires("controller:memory", "controller:pids", "controller:cpu")]
ROOT = "/sys/fs/cgroup"


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


class Delegation:
    """A cgroup of the user's with the runtime in a child of it, as `systemd-run --user --scope -p Delegate=yes` makes one."""

    def __init__(self, user):
        self.path = f"{ROOT}/{settings.TAG}-delegated"
        write(f"{ROOT}/cgroup.subtree_control", "+memory +pids +cpu")
        for path in (self.path, f"{self.path}/own"):
            os.mkdir(path)
            for name in ("", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"):
                os.chown(f"{path}/{name}", user.uid, user.gid)
        self.prefix = ("sh", "-c", f'echo $$ > {self.path}/own/cgroup.procs; exec "$@"', "sh", *user.prefix)

    def close(self):
        for path in (f"{self.path}/own", self.path):
            wait_until(lambda: "populated 0" in open(f"{path}/cgroup.events").read(), f"{path} to be empty")
            os.rmdir(path)


@pytest.fixture
def user(leak_check, workdir):
    user = OrdinaryUser(workdir / "user")
    user.give_ids()
    yield user
    user.close()


@pytest.fixture
def delegation(user):
    delegation = Delegation(user)
    yield delegation
    delegation.close()


@pytest.fixture
def rootless(delegation, make_runtime, user):
    runtime = make_runtime("runtime")
    runtime.call_as(user)
    runtime.prefix = delegation.prefix
    return runtime


@pytest.fixture
def bundle(make_bundle, user):
    bundle = make_bundle("bundle")
    user.own(bundle.path)
    return bundle


def test_limits(rootless, bundle, delegation):
    bundle.set("linux.resources.memory", {"limit": 64 << 20}).set("linux.resources.pids", {"limit": 20})
    bundle.set("linux.resources.cpu", {"quota": 50000, "period": 100000})
    container = rootless.running(bundle)
    folder = f"{delegation.path}/{container.id}"
    assert open(f"{folder}/memory.max").read().strip() == str(64 << 20)
    assert open(f"{folder}/pids.max").read().strip() == "20"
    assert open(f"{folder}/cpu.max").read().split() == ["50000", "100000"]
    rootless.ok("update", "--pids-limit", "30", container.id)
    assert open(f"{folder}/pids.max").read().strip() == "30"
    assert container.exec("cat", "/proc/self/cgroup").out == "0::/\n"
    container.delete("--force")
    assert not os.path.exists(folder)


def test_memory_limit_ends_a_process(rootless, bundle):
    bundle.set("linux.resources.memory", {"limit": 32 << 20, "swap": 32 << 20})
    rootless.run(bundle.args("/bin/probe", "allocate", "200"), code=137)


def test_pause_ps_events(rootless, bundle):
    container = rootless.running(bundle)
    rootless.ok("pause", container.id)
    assert container.status == "paused"
    rootless.ok("resume", container.id)
    assert rootless.ok("ps", "--format", "json", container.id).json() == [container.pid]
    assert rootless.ok("events", "--stats", container.id).json()["data"]["pids"]["current"] == 1
    container.kill("KILL", "--all")
    container.wait_for("stopped")


def test_own_cgroup_is_shown_and_may_be_used(rootless, bundle):
    """In a cgroup namespace a writable mount is the container's own, as systemd in a container wants it."""
    bundle.spec["mounts"][-1]["options"] = ["nosuid", "noexec", "nodev", "rw"]
    bundle.set("linux.cgroupsPath", "made").namespace("cgroup")
    out = rootless.run(bundle.args("sh", "-c", "mkdir /sys/fs/cgroup/below && cat /sys/fs/cgroup/cgroup.type; id -u")).out
    assert out.split() == ["domain", "0"]


def test_path_outside_of_the_delegation(rootless, bundle, delegation):
    bundle.set("linux.cgroupsPath", "/system.slice/mine").set("linux.resources.pids", {"limit": 20})
    rootless.create_fails(bundle, text=f"leads to /system.slice/mine, which is not below {delegation.path.removeprefix(ROOT)}")


def test_without_delegation(make_runtime, bundle, user):
    runtime = make_runtime("plain")
    runtime.call_as(user)
    bundle.set("linux.resources.pids", {"limit": 20})
    runtime.create_fails(bundle, text="not delegated to this user.*systemd-run --user --scope")
    bundle.drop("linux.resources.pids")
    assert runtime.report(bundle, "ids")["uid"] == 0


def test_exec_joins_the_cgroup(rootless, bundle, delegation):
    container = rootless.running(bundle)
    rootless.ok("exec", "--detach", container.id, "/bin/probe", "sleep")
    pids = subprocess.run(["cat", f"{delegation.path}/{container.id}/cgroup.procs"], capture_output=True, text=True, check=True)
    assert len(pids.stdout.split()) == 2
