"""Policies whose limits a guard keeps, in a container that comes back from a checkpoint."""
import time

import pytest

from brigtest import requires, wait_until
from test_checkpoint import checkpoint, counting, criu_in_path, images, restore, start, wait_for_count  # noqa: F401

pytestmark = [requires("root", "criu"), pytest.mark.brig_only("other runtimes have no policies")]


@pytest.mark.parametrize("policy, ends", [("long", True), ("none", False)])
def test_a_restored_container_has_its_whole_time_again(installed, counting, images, policy, ends):
    installed.write("long", limits={"timeout": "4s", "grace": "200ms"})
    installed.write("none", hooks="allowed")
    runtime = installed.under(policy)
    container = start(runtime, counting)
    wait_for_count(container, 3)
    checkpoint(runtime, container, images)
    time.sleep(4)
    restore(runtime, container, images)
    restored = time.monotonic()
    assert container.status == "running"
    if ends:
        wait_until(lambda: container.status == "stopped", "the time to be over")
        assert time.monotonic() - restored > 3
    else:
        time.sleep(5)
        assert container.status == "running"


def test_names_are_not_restored(installed, counting, images):
    """Its connections are the broker's, which has ended."""
    plain = installed.under()
    container = start(plain, counting)
    wait_for_count(container, 3)
    checkpoint(plain, container, images)
    installed.write("names", network={"mode": "allow", "allow": ["pypi.org"]})
    installed.under("names").fails("restore", "--detach", "--bundle", counting.path, "--image-path", images, container.id,
                                   text="cannot be restored.*begin it anew")
    assert not container.exists
