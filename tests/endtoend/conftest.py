"""Real engines with the runtime under test, each of them private to this run."""
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from brigtest import settings

sys.path.insert(0, str(settings.CHECKOUT / "tools"))
sys.path.insert(0, str(Path(__file__).parent))
import private_engine  # noqa: E402  tools/ has to be on the path first
from docker_client import Docker, wait_until  # noqa: E402

IMAGE = "box"


@pytest.fixture(scope="session")
def box(contained_session, tmp_path_factory):
    """A small image to attack from: busybox, the probe, and the probe as a setuid-root program."""
    folder = tmp_path_factory.mktemp("images")
    folder.chmod(0o755)
    for parent in folder.parents[:2]:
        parent.chmod(0o755)
    subprocess.run([settings.CHECKOUT / "images" / "build", "busybox", folder], check=True, capture_output=True)
    rootfs = folder / "busybox" / "rootfs"
    shutil.copy2(settings.probe_path(), rootfs / "bin/probe")
    shutil.copy2(settings.probe_path(), rootfs / "bin/probe-setuid")
    (rootfs / "bin/probe-setuid").chmod(0o4755)
    for name in ("workspace", "artifacts"):
        (rootfs / name).mkdir()
    (rootfs / "etc/not-executable").write_text("#!/bin/sh\n")
    subprocess.run(["tar", "--numeric-owner", "-C", rootfs, "-cf", folder / "box.tar", "."], check=True)
    return folder


@pytest.fixture(scope="session")
def engine(box):
    """dockerd and containerd with the runtime under test as "brig"."""
    reason = private_engine.obstacle()
    if reason:
        pytest.skip(reason)
    engine = private_engine.PrivateEngine(settings.runtime_binary(), cgroup_driver=settings.CGROUP_DRIVER,
                                          policies=() if settings.is_reference() else ("strict", "kuro-pro"),
                                          extra_settings=json.loads(os.environ.get("BRIG_ENGINE_SETTINGS", "{}")))
    with engine:
        engine.import_image(str(box / "box.tar"), IMAGE, str(box / "busybox" / "image.json"))
        # The daemon makes some mounts at the first use of a network: they are not a test's.
        engine.docker("run", "--rm", "--network=host", IMAGE, "true")
        engine.docker("run", "--rm", "--network=none", IMAGE, "true")
        yield engine
        assert engine.docker("ps", "-aq") == "", "a test left a container behind"
    assert not engine.cgroups(), "cgroups outlive the engine"
    assert not os.path.exists(engine.folder), "the engine's folder cannot be removed"


@pytest.fixture
def docker(leak_check, engine):
    """The engine for one test: its containers are removed afterwards, and whatever the runtime left is a failure."""
    client = Docker(engine)
    cgroups_before = set(engine.cgroups())
    yield client
    client.close()
    wait_until(lambda: state_of(engine) == [], f"the runtime's state to go: {state_of(engine)}", seconds=10)
    left = set(engine.cgroups()) - cgroups_before - {path for path in engine.cgroups() if
                                                     path.endswith(engine.cgroup_parent)}
    assert not left, f"cgroups left behind: {sorted(left)}"


def state_of(engine):
    folder = os.path.join(engine.folder, "exec", "runtime-runc", "moby")
    # Compiled filters are kept for the next container.
    return sorted(set(os.listdir(folder)) - {".filters"}) if os.path.isdir(folder) else []


@pytest.fixture
def info(engine):
    return json.loads(engine.docker("info", "--format", "{{json .}}"))
