"""Podman of an ordinary user: it calls the runtime as root of a user namespace of its own, through conmon."""
import contextlib
import json
import os
import shutil
import signal
import subprocess

import pytest

from brigtest import cgroups, requires
from brigtest.ordinary_user import FIRST_SUBORDINATE, OrdinaryUser
from docker_client import wait_until

IMAGE = "localhost/box"
pytestmark = requires("root", "program:podman", "program:conmon", "program:newuidmap", "program:setpriv")


class RootlessPodman:
    def __init__(self, user, folder):
        self.user = user
        for name in ("home", "run", "storage", "tmp", "conf"):
            (folder / name).mkdir()
        conf = folder / "conf" / "containers.conf"
        conf.write_text("[containers]\n"
                        'default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]\n'
                        "[engine]\n"
                        f'runtime = "brig"\nruntimes = {{ brig = ["{user.program()}"] }}\n'
                        'cgroup_manager = "cgroupfs"\nevents_logger = "file"\n')
        policy = folder / "home" / ".config" / "containers" / "policy.json"
        policy.parent.mkdir(parents=True)
        policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
        user.own(folder)
        (folder / "run").chmod(0o700)
        self.folder = folder
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(folder / "home"), "USER": user.name,
                            "XDG_RUNTIME_DIR": str(folder / "run"), "TMPDIR": str(folder / "tmp"),
                            "CONTAINERS_CONF": str(conf)}
        self.always = ["podman", "--root", str(folder / "storage"), "--runroot", str(folder / "run" / "containers"),
                       "--storage-driver", "vfs"]

    def __call__(self, *arguments, timeout=120, stdin=""):
        return self.user.run(*self.always, *arguments, env=self.environment, cwd="/", timeout=timeout, input=stdin)

    def ok(self, *arguments, **options):
        result = self(*arguments, **options)
        assert result.returncode == 0, f"podman {arguments}: {result.returncode}\n{result.stdout}{result.stderr}"
        return result.stdout.rstrip("\n")

    def run(self, *arguments, **options):
        return self("run", "--rm", "--network=none", *arguments, **options)

    def detached(self, *arguments):
        return self.ok("run", "-d", "--network=none", *arguments)

    def monitors(self):
        """conmon processes: each ends when Podman, called by it, has cleaned up."""
        found = subprocess.run(["pgrep", "-f", f"^/usr/bin/conmon .*{self.folder}"], capture_output=True, text=True, check=False)
        return found.stdout.split()

    def close(self):
        """The process that holds Podman's user namespace ends, too."""
        self("rm", "-a", "-f", "-t", "0")
        wait_until(lambda: not self.monitors(), "Podman's monitors to end", seconds=60)
        self("unshare", "rm", "-rf", self.folder / "storage")
        for file in (self.folder / "run").rglob("pause.pid"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(file.read_text()), signal.SIGKILL)


@pytest.fixture
def podman(leak_check, workdir, box):
    user = OrdinaryUser(workdir / "user")
    user.give_ids()
    folder = workdir / "podman"
    folder.mkdir()
    podman = RootlessPodman(user, folder)
    try:
        archive = folder / "box.tar"
        shutil.copy(box / "box.tar", archive)
        archive.chmod(0o644)
        podman.ok("import", archive, IMAGE)
        yield podman
    finally:
        podman.close()
        user.close()


def test_life_of_containers(podman):
    """One test for many questions: the image of each Podman user has to be unpacked anew."""
    result = podman.run(IMAGE, "sh", "-c", "echo out; echo err >&2; exit 19")
    assert (result.returncode, result.stdout, result.stderr) == (19, "out\n", "err\n")
    assert podman.run(IMAGE, "no-such-program").returncode == 127
    assert podman.run(IMAGE, "/etc/not-executable").returncode == 126
    assert podman.run("-i", IMAGE, "tr", "a-z", "A-Z", stdin="shout").stdout == "SHOUT"

    container = podman.detached(IMAGE, "sleep", "1000")
    told = json.loads(podman.ok("inspect", container))[0]
    assert told["OCIRuntime"] == "brig"
    status = dict(line.split(":", 1) for line in open(f"/proc/{told['State']['Pid']}/status") if ":" in line)
    assert status["Uid"].split()[0] == str(podman.user.uid)
    result = podman("exec", "--user=1000", "--workdir=/tmp", "--env=A=b", container, "sh", "-c", "id -u; pwd; echo $A; exit 5")
    assert (result.returncode, result.stdout.split()) == (5, ["1000", "/tmp", "b"])
    assert "sleep 1000" in podman.ok("top", container, "args")
    podman.ok("kill", container)
    assert podman.ok("wait", container) == "137"
    podman.ok("start", container)
    assert podman.ok("inspect", "-f", "{{.State.Status}}", container) == "running"
    podman.ok("rm", "-f", "-t", "0", container)


def test_users_and_volumes(podman):
    result = podman.run("--user=1000:1000", IMAGE, "probe", "ids", "uid_map")
    told = json.loads(result.stdout)
    assert told["ids"]["uid"] == 1000
    assert told["uid_map"].split()[3:5] == ["1", str(FIRST_SUBORDINATE)]
    keep = json.loads(podman.run("--userns=keep-id", IMAGE, "probe", "ids").stdout)
    assert keep["ids"]["uid"] == podman.user.uid
    folder = podman.folder / "tmp" / "volume"
    folder.mkdir()
    podman.user.own(folder)
    podman.ok("run", "--rm", "--network=none", "-v", f"{folder}:/data", IMAGE, "sh", "-c", "echo kept > /data/file")
    status = os.stat(folder / "file")
    assert (status.st_uid, (folder / "file").read_text()) == (podman.user.uid, "kept\n")
    privileged = json.loads(podman.run("--privileged", IMAGE, "probe", "caps").stdout)
    assert "CAP_SYS_ADMIN" in privileged["caps"]["effective"]


def test_terminal_and_shared_namespaces(podman):
    result = subprocess.run(["script", "-qec", " ".join(
        [*map(str, podman.user.prefix), *podman.always, "run", "--rm", "-t", "--network=none", IMAGE, "tty"]), "/dev/null"],
        env=podman.environment, cwd="/", capture_output=True, text=True, timeout=120, check=False)
    assert "/dev/pts/0" in result.stdout, result
    first = podman.detached(IMAGE, "sleep", "1000")
    second = podman.ok("run", "-d", f"--network=container:{first}", f"--ipc=container:{first}", f"--pid=container:{first}", IMAGE,
                       "sleep", "1000")
    pids = [podman.ok("inspect", "-f", "{{.State.Pid}}", container) for container in (first, second)]
    for kind in ("net", "ipc", "pid"):
        assert os.readlink(f"/proc/{pids[0]}/ns/{kind}") == os.readlink(f"/proc/{pids[1]}/ns/{kind}"), kind
    for container in (second, first):
        podman.ok("rm", "-f", "-t", "0", container)


def test_stop_runs_to_its_end(podman):
    container = podman.detached("--log-driver=k8s-file", IMAGE, "sh", "-c",
                                "trap 'echo got TERM; exit 3' TERM; echo up; while :; do sleep 0.1; done")
    wait_until(lambda: "up" in podman.ok("logs", container), "the container to be up")
    podman.ok("stop", "-t", "20", container)
    assert podman.ok("inspect", "-f", "{{.State.ExitCode}}", container) == "3"


@pytest.mark.skipif(cgroups.is_pure_v2(), reason="needs cgroup v1 controllers")
def test_pause_is_refused_in_words(podman):
    container = podman.detached(IMAGE, "sleep", "1000")
    result = podman("pause", container)
    assert result.returncode != 0 and "cgroup" in result.stderr
