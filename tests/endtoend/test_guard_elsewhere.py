"""The wall time and the names of a policy under containerd's own client and under Podman, with no other flag than the runtime."""
import time

import pytest

from brigtest import requires
from brigtest.leaks import processes_named
from brigtest.policies import Installed
from docker_client import wait_until
from test_containerd import ctr  # noqa: F401  a fixture
from test_podman import IMAGE, podman, podman_session  # noqa: F401  fixtures

pytestmark = pytest.mark.brig_only("other runtimes have no policies")

REASON = "the policy brief ends this container: it ran for 1 s (limits.timeout)"
LOOK_UP = "cat /etc/resolv.conf; nslookup -type=a elsewhere.example"


@pytest.fixture
def prefix(workdir):
    """brig-brief and brig-names, for both engines."""
    installed = Installed(workdir / "prefix")
    installed.write("brief", limits={"timeout": "1s", "grace": "500ms"}, hooks="removed", network={"mode": "none"})
    installed.write("names", hooks="removed", network={"mode": "allow", "allow": ["pypi.org"]})
    for name in ("brief", "names"):
        installed.under(name)
    yield installed.binary.parent
    wait_until(lambda: not processes_named("brig-guard", "brig-watcher", "brig-egress"), "the guards to end", seconds=5)


def test_containerd_keeps_the_time(ctr, prefix):  # noqa: F811
    begun = time.monotonic()
    result = ctr.run("timed", "sleep", "30", options=["--rm"], runtime=prefix / "brig-brief")
    assert result.returncode == 137 and REASON in result.stderr, result
    assert time.monotonic() - begun < 15


def test_containerd_control(ctr, prefix):  # noqa: F811
    result = ctr.run("untimed", "sh", "-c", "sleep 3; echo through", options=["--rm"], runtime=prefix / "brig")
    assert (result.returncode, result.stdout) == (0, "through\n"), result


def test_containerd_asks_the_broker_for_names(ctr, prefix):  # noqa: F811
    result = ctr.run("named", "sh", "-c", LOOK_UP, options=["--rm"], runtime=prefix / "brig-names")
    assert "nameserver 127.0.0.1" in result.stdout and "NXDOMAIN" in result.stdout, result


@pytest.fixture
def podman_with(podman, prefix):  # noqa: F811
    """run(policy, ...): a client of the same storage whose runtime is called as the policy's name."""
    always = list(podman.always)

    def run(policy, *arguments):
        podman.always = [*always[:-1], prefix / f"brig{policy and '-'}{policy}"]
        return podman.run(IMAGE, *arguments)

    yield run
    podman.always = always


@requires("root", "program:podman", "program:conmon")
def test_podman_keeps_the_time(podman_with):
    begun = time.monotonic()
    result = podman_with("brief", "sleep", "30")
    assert result.returncode == 137 and REASON in result.stderr, result
    assert time.monotonic() - begun < 20


@requires("root", "program:podman", "program:conmon")
def test_podman_control(podman_with):
    result = podman_with("", "sh", "-c", "sleep 3; echo through")
    assert (result.returncode, result.stdout) == (0, "through\n"), result


@requires("root", "program:podman", "program:conmon")
def test_podman_asks_the_broker_for_names(podman_with):
    result = podman_with("names", "sh", "-c", LOOK_UP)
    assert "nameserver 127.0.0.1" in result.stdout and "NXDOMAIN" in result.stdout, result
