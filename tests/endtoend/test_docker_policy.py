"""docker run --runtime=brig-strict with no other flag: what the policy alone confines, attacked from inside.

The control is the same command with --runtime=brig."""
import json

import pytest

from docker_client import IMAGE

pytestmark = pytest.mark.brig_only("other runtimes have no policies")

STRICT, OPEN = "brig-strict", "brig"
FLAGS = ["--privileged", "--security-opt=seccomp=unconfined", "--cap-add=ALL", "--security-opt=systempaths=unconfined"]

# what is tried, what the policy makes of it, what it is without the policy
ATTACKS = {
    "write to the root": (["write-file", "/new", "x"], "EROFS", None),
    "give a file away": (["chown", "/tmp", "5", "5"], "EPERM", None),
    "become another user": (["setuid", "5"], "EPERM", None),
    "a raw socket": (["socket", "2", "3", "1"], "EPERM", None),
    "chroot": (["chroot", "/tmp"], "EPERM", None),
    "make a device": (["mknod", "/tmp/disk", "b", "8", "0"], "EPERM", None),
    "a set of keys": (["syscall", "add_key", "0", "0", "0", "0", "0"], "EPERM", "EPERM"),
}


@pytest.fixture
def run(docker):
    def run(runtime, *command, flags=()):
        return docker("run", "--rm", f"--runtime={runtime}", *flags, IMAGE, *command)

    return run


@pytest.mark.parametrize("name", ATTACKS)
def test_attack(run, name):
    words, under_policy, without = ATTACKS[name]
    assert json.loads(run(STRICT, "probe", *words).stdout)["errno"] == under_policy
    assert json.loads(run(OPEN, "probe", *words).stdout)["errno"] == without


def test_flags_cannot_widen_it(run):
    """Whoever may call docker with every flag gets no more than the policy keeps."""
    said = json.loads(run(STRICT, "probe", "caps", "no_new_privileges", "status", flags=FLAGS).stdout)
    assert not any(said["caps"].values()) and said["no_new_privileges"]
    assert "Seccomp:\t2" in said["status"]
    open_caps = json.loads(run(OPEN, "probe", "caps", flags=FLAGS).stdout)["caps"]
    assert "CAP_SYS_ADMIN" in json.dumps(open_caps)
    for words in (["mount", "none", "/tmp", "tmpfs"], ["open", "/proc/sys/kernel/core_pattern", "w"], ["mknod", "/tmp/d", "b", "8", "0"]):
        assert json.loads(run(STRICT, "probe", *words, flags=FLAGS).stdout)["errno"] in ("EPERM", "EROFS", "EACCES")
        assert json.loads(run(OPEN, "probe", *words, flags=FLAGS).stdout)["errno"] is None


def test_exec_privileged_does_not_escape(docker):
    container = docker.ok("run", "-d", f"--runtime={STRICT}", IMAGE, "probe", "sleep")
    try:
        said = json.loads(docker.ok("exec", "--privileged", container, "probe", "caps", "no_new_privileges", "status"))
        assert not any(said["caps"].values()) and said["no_new_privileges"]
        assert "Seccomp:\t2" in said["status"]
    finally:
        docker.ok("rm", "-f", container)
    control = docker.ok("run", "-d", f"--runtime={OPEN}", IMAGE, "probe", "sleep")
    try:
        assert "CAP_SYS_ADMIN" in docker.ok("exec", "--privileged", control, "probe", "caps")
    finally:
        docker.ok("rm", "-f", control)


def test_memory(run):
    assert run(STRICT, "probe", "allocate", "600").returncode == 137
    assert run(OPEN, "probe", "allocate", "600").returncode == 0


def test_processes(run):
    assert json.loads(run(STRICT, "probe", "fork-bomb", "300").stdout)["made"] < 128
    assert json.loads(run(OPEN, "probe", "fork-bomb", "300").stdout)["made"] == 300


def test_tmp_is_bounded(run):
    fill = ["sh", "-c", "dd if=/dev/zero of=/tmp/big bs=1M count=100 2>&1; stat -c %s /tmp/big"]
    assert run(STRICT, *fill).stdout.split()[-1] == str(64 << 20)
    assert run(OPEN, *fill).stdout.split()[-1] == str(100 << 20)


def test_no_network(run):
    links = ["sh", "-c", "ls /sys/class/net"]
    assert run(STRICT, *links).stdout.split() == ["lo"]
    assert "eth0" in run(OPEN, *links).stdout.split()


def test_a_namespace_of_the_host_or_of_another_is_not_joined(run, docker):
    """Docker names both by their paths, so both are refused; the host's pid namespace it leaves out, and gets a new one."""
    result = run(STRICT, "true", flags=["--network=host"])
    assert result.returncode != 0 and "policy strict" in result.stderr
    processes = ["sh", "-c", "echo /proc/[0-9]*"]
    assert len(run(STRICT, *processes, flags=["--pid=host"]).stdout.split()) < 5
    assert len(run(OPEN, *processes, flags=["--pid=host"]).stdout.split()) > 10
    other = docker.ok("run", "-d", f"--runtime={OPEN}", IMAGE, "probe", "sleep")
    try:
        result = run(STRICT, "true", flags=[f"--network=container:{other}"])
        assert result.returncode != 0 and "policy strict" in result.stderr
        assert run(OPEN, "true", flags=[f"--network=container:{other}"]).returncode == 0
    finally:
        docker.ok("rm", "-f", other)


def test_volumes_are_read_only(run, workdir):
    (workdir / "data").mkdir()
    volume = [f"--volume={workdir}/data:/data"]
    assert json.loads(run(STRICT, "probe", "write-file", "/data/x", "x", flags=volume).stdout)["errno"] == "EROFS"
    assert json.loads(run(OPEN, "probe", "write-file", "/data/x", "x", flags=volume).stdout)["errno"] is None
