"""Abstract unix sockets belong to the network namespace: CVE-2020-15257 reached a shim of the host through one."""
import os
import socket

import pytest

from brigtest import brig_only


@pytest.fixture
def abstract_listener(workdir):
    name = f"{workdir.name}-abstract"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(f"\0{name}")
        listener.listen(16)
        yield name


def test_abstract_socket_of_the_host(runtime, attack_bundle, abstract_listener):
    """Out of reach with a network namespace; in reach with the host's (the control)."""
    bundle = attack_bundle("connect_abstract").args("/bin/connect_abstract", abstract_listener)
    assert runtime.run(bundle).out.strip() == "ECONNREFUSED"
    assert runtime.run(bundle.namespace("network", remove=True)).out.strip() == "connected"


def abstract_sockets():
    with open("/proc/net/unix", encoding="utf-8", errors="replace") as table:
        return {line.split()[-1] for line in table if line.split()[-1].startswith("@")}


def test_runtime_opens_none(runtime, attack_bundle, abstract_listener):
    """Neither while a container waits for its start nor while it runs: a start by anybody on the host would be the CVE."""
    before = abstract_sockets()
    assert f"@{abstract_listener}" in before
    container = runtime.create(attack_bundle().args("/bin/probe", "sleep"))
    created = abstract_sockets() - before
    container.start()
    running = abstract_sockets() - before
    assert not [name for name in created | running if container.id in name or "brig" in name]


@brig_only("runc 1.1 has a start channel that everybody may write to")
def test_state_is_closed_to_others(runtime, attack_bundle):
    """What the runtime keeps about a container can be changed, and the container be started, by its owner alone."""
    container = runtime.create(attack_bundle().args("/bin/probe", "sleep"))
    found = [os.path.join(top, name) for top, folders, files in os.walk(runtime.root) for name in folders + files]
    assert found
    for path in found:
        status = os.lstat(path)
        assert status.st_uid == os.geteuid(), path
        assert os.path.islink(path) or not status.st_mode & 0o022, f"{path}: {status.st_mode:o}"
    container.delete("--force")
