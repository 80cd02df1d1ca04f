"""Containers of the sandbox images under the runtime.  A test names its images: `parametrize("image", [...], indirect=True)`."""
import json
import os
import shutil

import pytest

from brigtest import settings
from brigtest.images import WANTED, make_image


def pytest_collection_modifyitems(config, items):
    def is_dropped(item):
        name = item.callspec.params.get("image") if hasattr(item, "callspec") else None
        return name is not None and name not in WANTED

    dropped = [item for item in items if is_dropped(item)]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = [item for item in items if item not in dropped]


@pytest.fixture
def image(contained_session, request):
    return make_image(request.param)


class Sandbox:
    """A container of an image as its configuration wants it, with a workspace in memory and a folder of the host."""

    def __init__(self, runtime, bundle, image, artifacts):
        self.runtime = runtime
        self.bundle = bundle
        self.artifacts = artifacts
        config = image.config["config"]
        uid, gid = map(int, config["User"].split(":"))
        artifacts.mkdir()
        os.chown(artifacts, uid, gid)
        bundle.set("root.path", str(image.rootfs)).set("process.user", {"uid": uid, "gid": gid})
        bundle.set("process.env", config["Env"]).set("process.cwd", config["WorkingDir"]).capabilities()
        bundle.set("linux.seccomp", json.loads((settings.CHECKOUT / "policies/seccomp/default.json").read_text()))
        bundle.mount("/tmp", "tmpfs", "tmpfs", ["nosuid", "nodev", "noexec", "mode=1777", "size=64m"])
        bundle.mount("/workspace", "tmpfs", "tmpfs", ["nosuid", "nodev", f"uid={uid}", f"gid={gid}", "mode=755", "size=64m"])
        bundle.mount("/artifacts", "bind", artifacts, ["bind", "nosuid", "nodev", "noexec"])

    def file(self, name, content):
        """A file of the host that the container sees as /artifacts/NAME."""
        path = self.artifacts / name
        path.write_bytes(content) if isinstance(content, bytes) else path.write_text(content)
        path.chmod(0o644)

    def run(self, *command, code=0):
        """What the command printed."""
        result = self.runtime.run(self.bundle.args(*command), code=code, timeout=180)
        return result.out + (result.err if code else "")


@pytest.fixture
def sandbox(runtime, bundle, image, workdir):
    yield Sandbox(runtime, bundle, image, workdir / "artifacts")
    shutil.rmtree(workdir / "artifacts")
