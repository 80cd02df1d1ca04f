"""Images of an ordinary user: owners as far as he has ids, in a store of his own, and containers of them."""
import os
import tarfile

import pytest

from brigtest import brig_only, requires
from brigtest.handmade_images import Image, ImageStore, Layer, busybox_layer, run_image
from brigtest.ordinary_user import FIRST_SUBORDINATE, OrdinaryUser

pytestmark = [requires("root", "program:setpriv", "program:newuidmap"), brig_only("runc has no images")]


@pytest.fixture
def user(leak_check, workdir):
    user = OrdinaryUser(workdir / "user")
    yield user
    user.close()


@pytest.fixture
def own_store(make_runtime, user, workdir):
    """The store as the user calls it, whose home folder is his own."""
    runtime = make_runtime("runtime")
    runtime.call_as(user)
    user.own(user.folder)
    return ImageStore(runtime, user.folder / "store")


def two_layers():
    upper = Layer().folder("etc").file("etc/owned", "x", uid=1000, gid=1001).folder("opaque").file("opaque/.wh..wh..opq")
    upper.file("bin/.wh.cat").file("opaque/new", "n").add("fifo", tarfile.FIFOTYPE)
    lower = Layer().folder("opaque").file("opaque/old", "o").tar()
    return busybox_layer(), lower, upper.tar()


def test_owners_and_whiteouts(own_store, user, workdir):
    user.give_ids()
    Image(*two_layers(), Cmd=["sh", "-c", "stat -c %u:%g /etc/owned; ls /opaque; ls /bin/cat; echo x >/written"]).layout(workdir / "layout")
    own_store.ok("import", "--name", "x", workdir / "layout")
    status = (own_store.layers("x")[2] / "etc/owned").stat()
    assert (status.st_uid, status.st_gid) == (FIRST_SUBORDINATE + 999, FIRST_SUBORDINATE + 1000)
    assert (own_store.layers("x")[0] / "bin/busybox").stat().st_uid == user.uid
    result = run_image(own_store, "--image", "x", timeout=60)
    assert result.out == "1000:1001\nnew\n" and "/bin/cat" in result.err, result
    assert own_store.json("verify") == []
    own_store.ok("unpack", "x", user.folder / "unpacked")
    assert sorted(os.listdir(user.folder / "unpacked/rootfs/opaque")) == ["new"]
    own_store.ok("remove", "x")
    assert not any("diff" in path for path in own_store.content())


def test_without_subordinate_ids(own_store, user, workdir):
    Image(*two_layers()).layout(workdir / "layout")
    own_store.fails("import", "--name", "x", workdir / "layout", text="entry .*etc/owned.*/etc/subuid")
    Image(busybox_layer(), Cmd=["echo", "works"]).layout(workdir / "box")
    own_store.ok("import", "--name", "box", workdir / "box")
    assert run_image(own_store, "--image", "box").out == "works\n"


def test_default_place(own_store, user):
    own_store.runtime.ok("image", "list", env={**os.environ, "HOME": str(user.folder), "XDG_DATA_HOME": ""})
    result = own_store.runtime.call("image", "tag", "a", "b", env={"PATH": os.environ["PATH"], "HOME": str(user.folder)})
    assert "does not exist" in result.message
    assert (user.folder / ".local/share/brig/format.json").exists()
    assert own_store.runtime.call("image", "list", env={"PATH": os.environ["PATH"]}).code == 1
