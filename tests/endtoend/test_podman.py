"""Podman and Buildah, which call the runtime through conmon and by themselves."""
import json
import os
import subprocess
import sys

import pytest

from brigtest import requires, settings
from docker_client import wait_until

IMAGE = "localhost/box"
pytestmark = requires("root", "program:podman", "program:conmon")


class Podman:
    """Podman with storage, state and configuration of its own."""

    def __init__(self, folder):
        self.folder = folder
        # Otherwise the storage's folder is mounted on itself and unmounted again by turns.
        self.storage = ["--root", f"{folder}/storage", "--runroot", f"{folder}/run",
                        "--storage-driver=overlay", "--storage-opt=overlay.skip_mount_home=true"]
        self.always = ["--tmpdir", f"{folder}/tmp", "--cgroup-manager", settings.CGROUP_DRIVER, "--events-backend", "file",
                       "--runtime", "brig"]
        self.environment = {**os.environ, "CONTAINERS_CONF": f"{folder}/conf/brig.conf", "TMPDIR": str(folder),
                            "HOME": str(folder)}

    def __call__(self, *arguments, program="podman", timeout=90, stdin=None):
        always = [*self.storage, *(self.always if program == "podman" else [])]
        # conmon marks the end of a cgroup v1 by a file named oom in its working directory.
        return subprocess.run([program, *always, *map(str, arguments)], capture_output=True, text=True, timeout=timeout,
                              env=self.environment, input=stdin if stdin is not None else "", check=False, cwd=self.folder)

    def ok(self, *arguments, program="podman", **options):
        result = self(*arguments, program=program, **options)
        words = f"{program} {' '.join(map(str, arguments))}: {result.returncode}\n{result.stdout}{result.stderr}"
        assert result.returncode == 0, words
        return result.stdout.rstrip("\n")

    def run(self, *arguments, **options):
        return self("run", "--rm", "--network=none", *arguments, **options)

    def detached(self, *arguments):
        return self.ok("run", "-d", "--network=none", *arguments)

    def close(self):
        self("rm", "-a", "-f", "-t", "0")


@pytest.fixture(scope="session")
def podman_session(contained_session, box, tmp_path_factory):
    folder = tmp_path_factory.mktemp("podman")
    # Storage must be reachable for the container's own user.
    folder.chmod(0o755)
    client = Podman(folder)
    subprocess.run([sys.executable, settings.CHECKOUT / "tools" / "register-podman", "--path", settings.runtime_binary(),
                    "--config", folder / "conf" / "brig.conf"], check=True, capture_output=True)
    # Podman's own default is higher than a host without CAP_SYS_RESOURCE can give.
    with open(folder / "conf" / "brig.conf", "a", encoding="utf-8") as file:
        file.write('[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]\n')
    client.ok("import", box / "box.tar", IMAGE)
    yield client
    client("rmi", "-a", "-f")


@pytest.fixture
def podman(leak_check, podman_session):
    yield podman_session
    podman_session.close()


def test_run(podman):
    result = podman.run(IMAGE, "sh", "-c", "echo out; echo err >&2; exit 19")
    assert (result.returncode, result.stdout, result.stderr) == (19, "out\n", "err\n")


def test_the_runtime_in_use_is_the_one_under_test(podman):
    container = podman.detached(IMAGE, "sleep", "100")
    assert json.loads(podman.ok("inspect", container))[0]["OCIRuntime"] == "brig"
    assert podman.ok("info", "--format", "{{.Host.OCIRuntime.Path}}") == settings.runtime_binary()


@pytest.mark.parametrize("command, code", [("no-such-program", 127), ("/no/such/program", 127),
                                           ("/etc/not-executable", 126)])
def test_exit_code_of_a_failed_start(podman, command, code):
    assert podman.run(IMAGE, command).returncode == code


def test_input(podman):
    assert podman.run("-i", IMAGE, "tr", "a-z", "A-Z", stdin="shout").stdout == "SHOUT"


def test_exec(podman):
    container = podman.detached(IMAGE, "sleep", "100")
    result = podman("exec", "--user=1000", "--workdir=/tmp", "--env=A=b", container, "sh", "-c",
                    "id -u; pwd; echo $A; exit 5")
    assert (result.returncode, result.stdout.split()) == (5, ["1000", "/tmp", "b"])
    assert podman("exec", container, "no-such-program").returncode == 127


def test_stop_and_logs(podman):
    container = podman.detached("--log-driver=k8s-file", IMAGE, "sh", "-c",
                                "trap 'echo got TERM; exit 3' TERM; echo up; while :; do sleep 0.1; done")
    wait_until(lambda: "up" in podman.ok("logs", container), "the container to be up")
    podman.ok("stop", "-t", "20", container)
    assert podman.ok("inspect", "-f", "{{.State.ExitCode}}", container) == "3"
    assert podman.ok("logs", container) == "up\ngot TERM"


def test_kill_and_start_again(podman):
    container = podman.detached(IMAGE, "sleep", "100")
    podman.ok("kill", container)
    assert podman.ok("wait", container) == "137"
    podman.ok("start", container)
    assert podman.ok("inspect", "-f", "{{.State.Status}}", container) == "running"


def test_pause(podman):
    container = podman.detached(IMAGE, "sleep", "100")
    podman.ok("pause", container)
    assert podman.ok("inspect", "-f", "{{.State.Status}}", container) == "paused"
    podman.ok("unpause", container)
    assert podman.ok("inspect", "-f", "{{.State.Status}}", container) == "running"


def test_limits(podman):
    result = podman.run("--memory=32m", IMAGE, "probe", "allocate", "200")
    assert result.returncode == 137
    answer = json.loads(podman.run("--pids-limit=20", "--read-only", IMAGE, "probe", "fork-bomb", "100").stdout)
    assert answer["made"] < 20
    assert json.loads(podman.run("--read-only", IMAGE, "probe", "write-file", "/new", "x").stdout)["errno"] == "EROFS"


def test_user_namespace(podman):
    words = podman.run("--uidmap=0:100000:5000", "--gidmap=0:100000:5000", IMAGE, "cat", "/proc/self/uid_map")
    assert words.returncode == 0, words.stderr
    assert words.stdout.split() == ["0", "100000", "5000"]


def test_top(podman):
    container = podman.detached(IMAGE, "sleep", "4712")
    assert "sleep 4712" in podman.ok("top", container)


@requires("program:buildah")
def test_buildah_run(podman):
    container = podman.ok("from", "--pull-never", IMAGE, program="buildah")
    try:
        options = ["run", "--isolation=oci", "--runtime", settings.runtime_binary(), "--network=none", container, "--"]
        assert podman.ok(*options, "sh", "-c", "echo built > /made; cat /made", program="buildah") == "built"
        assert podman(*options, "sh", "-c", "exit 11", program="buildah").returncode == 11
        assert podman.ok(*options, "cat", "/made", program="buildah") == "built"
    finally:
        podman.ok("rm", container, program="buildah")


@requires("program:buildah")
def test_buildah_run_step(podman):
    recipe = f"FROM {IMAGE}\nRUN echo layered > /layer && id -u\nUSER 1000\nRUN test $(id -u) = 1000\n"
    words = podman.ok("bud", "--isolation=oci", "--runtime", settings.runtime_binary(), "--network=none", "--pull-never",
                      "--tag=localhost/built", "-f", "-", program="buildah", stdin=recipe)
    assert "Successfully tagged" in words or "COMMIT" in words
    assert podman.run("localhost/built", "sh", "-c", "cat /layer; id -u").stdout.split() == ["layered", "1000"]
