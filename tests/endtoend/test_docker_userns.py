"""A Docker engine that puts every container into a user namespace (userns-remap)."""
import json
import os
import subprocess

import pytest

import private_engine
from brigtest import requires, settings
from docker_client import IMAGE, Docker

FIRST, COUNT = 231072, 65536
pytestmark = requires("root")


@pytest.fixture(scope="module")
def remapped(box, tmp_path_factory):
    """The engine reads the ranges from /etc: in the tests' own mount namespace other files lie over them."""
    folder = tmp_path_factory.mktemp("subids")
    covered = []
    (folder / "ranges").write_text(f"nobody:{FIRST}:{COUNT}\nnogroup:{FIRST}:{COUNT}\n")
    try:
        for name in ("/etc/subuid", "/etc/subgid"):
            subprocess.run(["mount", "--bind", folder / "ranges", name], check=True)
            covered.append(name)
        extra = json.loads(os.environ.get("BRIG_ENGINE_SETTINGS", "{}"))
        with private_engine.PrivateEngine(settings.runtime_binary(),
                                          extra_settings={**extra, "userns-remap": "nobody:nogroup"}) as engine:
            engine.import_image(str(box / "box.tar"), IMAGE, str(box / "busybox" / "image.json"))
            engine.docker("run", "--rm", "--network=none", IMAGE, "true")
            yield engine
    finally:
        for name in covered:
            subprocess.run(["umount", name], check=True)


@pytest.fixture
def docker(leak_check, remapped):
    client = Docker(remapped)
    yield client
    client.close()


def test_root_is_somebody_else_outside(docker):
    container = docker.detached(IMAGE, "sleep", "100")
    assert docker.ok("exec", container, "cat", "/proc/self/uid_map").split() == ["0", str(FIRST), str(COUNT)]
    assert docker.ok("exec", container, "id", "-u") == "0"
    with open(f"/proc/{docker.inspect(container)['Pid']}/status", encoding="utf-8") as file:
        owner = next(line.split()[1:] for line in file if line.startswith("Uid:"))
    assert owner == [str(FIRST)] * 4


def test_files_of_the_image_belong_to_the_container_s_root(docker):
    assert docker.output(IMAGE, "stat", "-c", "%u:%g", "/bin/busybox") == "0:0"
    assert docker.probe("write-file", "/etc/mine", "x")["errno"] is None


def test_the_host_s_files_stay_closed(docker, workdir):
    (workdir / "secret").write_text("for root alone")
    (workdir / "secret").chmod(0o600)
    assert docker.probe("open", "/host/secret", "r", options=[f"-v={workdir}:/host"])["errno"] == "EACCES"
    assert docker.probe("open", "/host/secret", "r", options=[f"-v={workdir}:/host", "--userns=host"])["errno"] is None


def test_limits_and_terminal(docker):
    assert docker.probe("fork-bomb", "100", options=["--pids-limit=20"])["made"] < 20
    process, pty = docker.terminal("run", "-it", "--rm", "--runtime=brig", "--network=none", IMAGE, "sh", "-c",
                                   "tty; echo on-tty > /dev/tty; exit 6")
    pty.read_until("on-tty")
    assert "/dev/pts/0" in pty.seen and process.wait(timeout=20) == 6
