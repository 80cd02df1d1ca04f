"""The images of images/build with the tools that others have: skopeo, Docker, Podman and umoci."""
import json
import subprocess

import pytest

from brigtest import requires
from brigtest.images import make_image
from test_podman import podman, podman_session  # noqa: F401  fixtures

NAME = "localhost/brig/shell:latest"
WORKS = "id -un; pwd; git init -q /tmp/project && cd /tmp/project && git commit -q --allow-empty -m works && git log --format=%s"
SAYS = "sandbox\n/workspace\nworks\n"
pytestmark = requires("root", "program:dpkg-deb", "program:apt-get")


@pytest.fixture
def image(contained_session):
    return make_image("shell")


def ok(*command):
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, f"{command}: {result.stderr}"
    return result.stdout


@requires("program:skopeo")
@pytest.mark.parametrize("kind", ["layout", "archive"])
def test_skopeo_inspects(image, kind):
    source = f"oci:{image.layout}:latest" if kind == "layout" else f"oci-archive:{image.archive}:latest"
    seen = json.loads(ok("skopeo", "inspect", source))
    assert seen["Digest"] == image.digest and seen["Os"] == "linux"
    assert seen["Labels"]["org.opencontainers.image.title"] == "shell"
    assert seen["Created"] == image.config["created"]


@requires("program:skopeo")
def test_skopeo_takes_the_archive_for_docker(image):
    seen = json.loads(ok("skopeo", "inspect", "--config", f"docker-archive:{image.archive}"))
    assert seen["config"] == image.config["config"] and seen["rootfs"] == image.config["rootfs"]


@requires("program:umoci")
def test_umoci_unpacks(image, workdir):
    ok("umoci", "unpack", "--image", f"{image.layout}:latest", workdir / "bundle")
    assert ok("diff", "-r", "--no-dereference", image.rootfs, workdir / "bundle/rootfs") == ""
    process = json.loads((workdir / "bundle/config.json").read_text())["process"]
    assert (process["user"]["uid"], process["user"]["gid"], process["cwd"]) == (1000, 1000, "/workspace")


def check_in_docker(docker, image):
    try:
        seen = json.loads(docker.engine.docker("image", "inspect", NAME))[0]
        assert seen["Id"] == image.manifest["config"]["digest"]
        assert (seen["Config"]["User"], seen["Config"]["WorkingDir"]) == ("1000:1000", "/workspace")
        result = docker.run("--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", NAME, "bash", "-c", WORKS)
        assert (result.returncode, result.stdout) == (0, SAYS), result.stderr
    finally:
        docker.engine.docker("image", "rm", NAME)


@requires("program:docker")
def test_docker_loads_the_archive(docker, image):
    assert NAME in docker.engine.docker("load", "--input", str(image.archive))
    check_in_docker(docker, image)


@requires("program:docker", "program:skopeo")
def test_docker_loads_what_skopeo_makes_of_the_layout(docker, image, tmp_path):
    ok("skopeo", "copy", "--insecure-policy", f"oci:{image.layout}:latest", f"docker-archive:{tmp_path}/shell.tar:{NAME}")
    assert NAME in docker.engine.docker("load", "--input", f"{tmp_path}/shell.tar")
    check_in_docker(docker, image)


@pytest.fixture
def policy(podman_session):  # noqa: F811
    """Podman's, which the distribution's package brings and a host may lack; HOME is the session's."""
    path = podman_session.folder / ".config/containers/policy.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')


@requires("program:podman", "program:conmon")
@pytest.mark.parametrize("how", [("pull", "oci:{layout}:latest"), ("pull", "oci-archive:{archive}"),
                                 ("load", "--input", "{archive}")])
def test_podman_takes_it(podman, policy, image, how):  # noqa: F811
    name = podman.ok(*(word.format(layout=image.layout, archive=image.archive) for word in how)).splitlines()[-1].split()[-1]
    try:
        result = podman.run("--read-only", "--cap-drop=ALL", name, "bash", "-c", WORKS)
        assert (result.returncode, result.stdout) == (0, SAYS), result.stderr
        if how[0] == "pull":
            assert json.loads(podman.ok("image", "inspect", name))[0]["Digest"] == image.digest
    finally:
        podman.ok("rmi", name)
