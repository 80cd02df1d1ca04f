"""config-linux.md "Cgroup ownership": who has a user and a cgroup namespace of his own manages the cgroups below his own."""
import os

import pytest

from brigtest import requires

pytestmark = [requires("root", "cgroup_v2"), requires("controller:pids")]
FIRST = 200000
IDS = [{"containerID": 0, "hostID": FIRST, "size": 65536}]
DELEGATED = ("", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads")


def start(runtime, bundle, user_namespace=True, options=("rw", "nosuid", "noexec", "nodev")):
    bundle.namespace("cgroup").mount("/sys/fs/cgroup", "cgroup", "cgroup", list(options))
    bundle.set("linux.resources.pids", {"limit": 50})
    if user_namespace:
        bundle.namespace("user").set("linux.uidMappings", IDS).set("linux.gidMappings", IDS)
    return runtime.running(bundle.args("/bin/probe", "sleep"))


def owners(container):
    folder = container.cgroup("pids")
    return {name: os.stat(f"{folder}/{name}").st_uid for name in (*DELEGATED, "pids.max")}


def test_delegated_files_are_the_users(runtime, bundle):
    container = start(runtime, bundle)
    assert owners(container) == {**dict.fromkeys(DELEGATED, FIRST), "pids.max": 0}
    assert container.probe("mkdir", "/sys/fs/cgroup/own")["result"] == 0
    assert container.probe("write-file", "/sys/fs/cgroup/pids.max", "max")["errno"] == "EACCES", "its own limit is the host's"
    assert container.probe("rmdir", "/sys/fs/cgroup/own")["result"] == 0


@pytest.mark.parametrize("changes", [{"user_namespace": False}, {"options": ("ro", "nosuid", "noexec", "nodev")}],
                         ids=["no user namespace", "read-only"])
def test_stays_the_hosts(runtime, bundle, changes):
    container = start(runtime, bundle, **changes)
    assert set(owners(container).values()) == {0}
