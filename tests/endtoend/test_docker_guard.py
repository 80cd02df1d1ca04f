"""docker run --runtime=brig-NAME with no other flag: the policy's wall time, its reason in the log, and its names."""
import shutil
import time

import pytest

from brigtest import settings
from brigtest.leaks import processes_named
from brigtest.policies import Installed
from docker_client import IMAGE, Docker, wait_until
import private_engine

pytestmark = pytest.mark.brig_only("other runtimes have no policies")

REASON = "brig: the policy brief ends this container: it ran for 1 s (limits.timeout)"


@pytest.fixture(scope="module")
def guarded_engine(box, tmp_path_factory):
    """An engine whose runtime finds the policies of this file."""
    reason = private_engine.obstacle()
    if reason:
        pytest.skip(reason)
    prefix = tmp_path_factory.mktemp("prefix")
    installed = Installed(prefix)
    installed.write("brief", limits={"timeout": "1s", "grace": "500ms"}, hooks="removed", network={"mode": "none"})
    installed.write("names", hooks="removed", network={"mode": "allow", "allow": ["pypi.org"]})
    engine = private_engine.PrivateEngine(str(installed.binary), cgroup_driver=settings.CGROUP_DRIVER, policies=("brief", "names"))
    with engine:
        engine.import_image(str(box / "box.tar"), IMAGE, str(box / "busybox" / "image.json"))
        yield engine
        assert engine.docker("ps", "-aq") == "", "a test left a container behind"
    shutil.rmtree(prefix)


@pytest.fixture
def docker(guarded_engine):
    client = Docker(guarded_engine)
    yield client
    client.close()
    wait_until(lambda: not guards(), f"guards {guards()} to end", seconds=5)


def guards():
    return processes_named("brig-guard", "brig-watcher", "brig-egress")


def test_a_run_ends_in_time_and_says_why(docker):
    begun = time.monotonic()
    result = docker("run", "--rm", "--runtime=brig-brief", IMAGE, "sleep", "30")
    assert result.returncode == 137 and result.stderr.count(REASON) == 1, result
    assert time.monotonic() - begun < 15


def test_control_without_the_policy(docker):
    result = docker("run", "--rm", "--network=none", "--runtime=brig", IMAGE, "sh", "-c", "sleep 3; echo through")
    assert result.returncode == 0 and result.stdout == "through\n", result


def test_the_reason_is_in_the_log_of_a_detached_one(docker):
    container = docker.ok("run", "-d", "--runtime=brig-brief", IMAGE, "sh", "-c", "trap 'exit 3' TERM; while true; do sleep 0.05; done")
    assert docker.ok("wait", container) == "3"
    assert REASON in docker("logs", container).stderr
    docker.ok("rm", container)


def test_the_reason_shows_on_a_terminal(docker):
    container = docker.ok("run", "-d", "-t", "--runtime=brig-brief", IMAGE, "sleep", "30")
    assert docker.ok("wait", container) == "137"
    assert REASON in docker.ok("logs", container)
    docker.ok("rm", container)


def test_a_short_program_is_not_held_up(docker):
    begun = time.monotonic()
    result = docker("run", "--rm", "--runtime=brig-brief", IMAGE, "echo", "done")
    assert result.returncode == 0 and result.stdout == "done\n" and REASON not in result.stderr
    assert time.monotonic() - begun < 10


def test_names_are_asked_of_the_broker(docker):
    """Docker's own resolv.conf is covered; what the policy does not name does not exist."""
    script = "cat /etc/resolv.conf; nslookup -type=a elsewhere.example; echo x > /etc/resolv.conf"
    result = docker("run", "--rm", "--runtime=brig-names", IMAGE, "sh", "-c", script)
    assert "nameserver 127.0.0.1" in result.stdout and "NXDOMAIN" in result.stdout, result
    assert "Read-only file system" in result.stderr or "Permission denied" in result.stderr, result
