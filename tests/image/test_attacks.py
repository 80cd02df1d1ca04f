"""Archives that want to leave their layer. Each is refused with the entry's name, and nothing of it is in the store. Where a
naive extraction would have done harm, it is let do so, to see that the attack is one."""
import io
import os
import subprocess
import tarfile

import pytest

from brigtest import brig_only, requires
from brigtest.handmade_images import Image, Layer, sha256

pytestmark = [requires("root"), brig_only("runc has no images")]

VICTIM = "precious"


@pytest.fixture
def victim(workdir):
    """A file beside the place of extraction, which an archive wants to write to."""
    (workdir / "outside").mkdir()
    (workdir / "outside" / VICTIM).write_text("untouched")
    (workdir / "naive").mkdir()
    return workdir / "outside" / VICTIM


def extract_naively(tar, folder):
    """As Python's tarfile did it for twenty years."""
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        for member in archive:
            try:
                archive.extract(member, folder, filter="fully_trusted") if hasattr(tarfile, "fully_trusted_filter") \
                    else archive.extract(member, folder)
            except OSError:
                pass


def harmed(victim):
    return not victim.exists() or victim.read_text() != "untouched" or len(list(victim.parent.iterdir())) > 1 \
        or victim.stat().st_nlink > 1


# name -> (layer for a folder outside, words of the refusal, name of the entry)
ESCAPES = {
    "dot-dot": (lambda out: Layer().file(f"../outside/{VICTIM}", "harm"), r'has a "\.\."', "../outside"),
    "dot-dot inside": (lambda out: Layer().folder("a").file(f"a/../../outside/{VICTIM}", "harm"), r'has a "\.\."', "a/.."),
    "absolute": (lambda out: Layer().file(f"{out}/{VICTIM}", "harm"), "is absolute", VICTIM),
    "through a link": (lambda out: Layer().link("a", str(out)).file(f"a/{VICTIM}", "harm"), "goes through", f"a/{VICTIM}"),
    "through a relative link": (lambda out: Layer().link("a", "../outside").file(f"a/{VICTIM}", "harm"), "goes through", "a/"),
    "through a link in a folder": (lambda out: Layer().folder("a").link("a/b", str(out)).file(f"a/b/{VICTIM}", "harm"),
                                   "goes through", "a/b"),
    "through a chain of links": (lambda out: Layer().link("a", "b").link("b", str(out)).file(f"a/{VICTIM}", "harm"),
                                 "goes through", f"a/{VICTIM}"),
    "through a hard link to a link": (lambda out: Layer().link("a", str(out)).hard_link("b", "a").file(f"b/{VICTIM}", "harm"),
                                      "goes through", f"b/{VICTIM}"),
    "hard link outside": (lambda out: Layer().hard_link("mine", f"../outside/{VICTIM}").file("mine", "harm"),
                          "hard link to", "mine"),
    "hard link to absolute": (lambda out: Layer().hard_link("mine", f"{out}/{VICTIM}").file("mine", "harm"), "hard link to", "mine"),
    "hard link through a link": (lambda out: Layer().link("a", str(out)).hard_link("mine", f"a/{VICTIM}"), "hard link to", "mine"),
    "mode through a link": (lambda out: Layer().link("a", str(out)).folder("a/new"), "goes through", "a/new"),
}


@pytest.mark.parametrize("name", ESCAPES)
def test_escapes(store, workdir, victim, name):
    make, words, entry = ESCAPES[name]
    tar = make(victim.parent).tar()
    Image(tar).layout(workdir / "layout")
    result = store.fails("import", workdir / "layout", text=words)
    assert entry.split("/")[-1] in result.message and "entry" in result.message, result
    assert not harmed(victim)
    assert not any("diff" in path for path in store.content()) and store.names() == []
    # The control: the same archive does what it is for.
    extract_naively(tar, workdir / "naive")
    assert harmed(victim), "the attack does not work at all"


def test_folder_replaced_by_a_link(store, workdir, victim):
    """The link is put where a folder was, and the next file goes through it."""
    tar = Layer().folder("a").file("a/first").link("a", str(victim.parent)).file(f"a/{VICTIM}", "harm").tar()
    Image(tar).layout(workdir / "layout")
    store.fails("import", workdir / "layout", text="another entry of this name|goes through")
    assert not harmed(victim)
    # Tools that replace a folder by a link fall for it; Python's only does for an empty one.
    tar = Layer().folder("a").tar()
    extract_naively(tar, workdir / "naive")
    (workdir / "naive/a").rmdir()
    extract_naively(Layer().link("a", str(victim.parent)).file(f"a/{VICTIM}", "harm").tar(), workdir / "naive")
    assert harmed(victim)


def test_through_a_link_of_an_earlier_layer(store, workdir, victim):
    lower = Layer().link("a", str(victim.parent)).tar()
    upper = Layer().file(f"a/{VICTIM}", "harm").tar()
    Image(lower, upper).layout(workdir / "layout")
    store.fails("import", workdir / "layout", text="no directory there")
    assert not harmed(victim)
    extract_naively(lower, workdir / "naive")
    extract_naively(upper, workdir / "naive")
    assert harmed(victim)


def pax(name, **headers):
    """An entry whose PAX headers say something else than its own header."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        entry = tarfile.TarInfo(name)
        entry.pax_headers = headers
        tar.addfile(entry)
    return stream.getvalue()


REFUSED = {
    "character device": (lambda: Layer().add("disk", tarfile.CHRTYPE, devmajor=1, devminor=3), "device node.*--allow-devices"),
    "block device": (lambda: Layer().add("disk", tarfile.BLKTYPE, devmajor=254, devminor=0), "device node"),
    "second file": (lambda: Layer().file("a", "1").file("a", "2"), "another entry of this name"),
    "file after folder": (lambda: Layer().folder("a").file("a", "2"), "another entry of this name"),
    "folder after file": (lambda: Layer().file("a").folder("a"), "another entry of this name"),
    "below a file": (lambda: Layer().file("a").file("a/b"), "which is no directory"),
    "whiteout of the root": (lambda: Layer().file(".wh..wh..opq"), "hide the whole root"),
    "whiteout of nothing": (lambda: Layer().folder("a").file("a/.wh."), "whiteout of no name"),
    "whiteout of dot": (lambda: Layer().folder("a").file("a/.wh.."), "whiteout of no name"),
    "whiteout of dot-dot": (lambda: Layer().folder("a").file("a/.wh..."), "whiteout of no name"),
    "folder named as a whiteout": (lambda: Layer().folder("a").file("a/.wh.b/c"), "no directory can have"),
    "root as a file": (lambda: Layer().file("."), "root can only be a directory"),
    "root as a link": (lambda: Layer().link("./", "/etc"), "root can only be a directory"),
    "long name": (lambda: Layer().file("n" * 300), "longer than 255"),
    "long path": (lambda: Layer().file("n/" * 2500 + "n"), "longer than a path"),
    "hard link to nothing": (lambda: Layer().hard_link("a", "missing"), "does not have"),
    "hard link to a folder": (lambda: Layer().folder("a").hard_link("b", "a"), "directory"),
    "hard link to the root": (lambda: Layer().hard_link("b", "."), "outside the layer"),
    "hard link to a whiteout": (lambda: Layer().file(".wh.a").hard_link("b", "a"), "does not have"),
    "owner beyond 32 bits": (lambda: Layer().file("a", uid=1 << 33), "no user id"),
    "no owner": (lambda: Layer().file("a", uid=0xFFFFFFFF), "no user id"),
    "redirect": (lambda: pax("a", **{"SCHILY.xattr.trusted.overlay.redirect": "/etc"}), "trusted.overlay.redirect"),
    "user redirect": (lambda: pax("a", **{"SCHILY.xattr.user.overlay.opaque": "y"}), "user.overlay.opaque"),
    "PAX absolute": (lambda: pax("a", path="/etc/passwd"), "is absolute"),
    "PAX dot-dot": (lambda: pax("a", path="a/../../b"), r"\.\."),
    "NUL in a name": (lambda: pax("a", path="a\0/../b"), "NUL"),
    "NUL in a link": (lambda: pax("a", linkpath="a\0b"), "NUL"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(store, workdir, name):
    make, words = REFUSED[name]
    layer = make()
    Image(layer if isinstance(layer, bytes) else layer.tar()).layout(workdir / "layout")
    result = store.fails("import", workdir / "layout", text=words)
    assert "entry" in result.message
    assert not any("diff" in path for path in store.content()) and store.names() == []


# What the same archives do where they are extracted as they are: what a container would find of it.
HARM = {
    "character device": lambda root: (root / "disk").is_char_device(),
    "block device": lambda root: (root / "disk").is_block_device(),
    "second file": lambda root: (root / "a").read_text() == "2",
    "hard link to a whiteout": lambda root: (root / ".wh.a").exists(),
    "whiteout of the root": lambda root: (root / ".wh..wh..opq").exists(),
    "whiteout of dot-dot": lambda root: (root / "a/.wh...").exists(),
    "folder named as a whiteout": lambda root: (root / "a/.wh.b/c").exists(),
    "redirect": lambda root: os.getxattr(root / "a", "trusted.overlay.redirect") == b"/etc",
}


@pytest.mark.parametrize("name", HARM)
def test_refused_would_do_harm(workdir, name):
    layer = REFUSED[name][0]()
    (workdir / "layer.tar").write_bytes(layer if isinstance(layer, bytes) else layer.tar())
    (workdir / "root").mkdir()
    subprocess.run(["tar", "--extract", "--xattrs", "--xattrs-include=*", "-f", workdir / "layer.tar", "-C", workdir / "root"],
                   capture_output=True, check=False)
    assert HARM[name](workdir / "root")


def test_hard_link_to_an_earlier_layer(store, workdir):
    Image(Layer().file("a").tar(), Layer().hard_link("b", "a").tar()).layout(workdir / "layout")
    store.fails("import", workdir / "layout", text="which the layer does not have")


def test_devices_when_they_are_wanted(store, workdir):
    Image(Layer().add("null", tarfile.CHRTYPE, devmajor=1, devminor=3).tar()).layout(workdir / "layout")
    store.ok("import", "--allow-devices", "--name", "devices", workdir / "layout")
    assert (store.layers("devices")[0] / "null").is_char_device()


def test_whiteout_device_is_never_taken(store, workdir):
    Image(Layer().add("hidden", tarfile.CHRTYPE, devmajor=0, devminor=0).tar()).layout(workdir / "layout")
    store.fails("import", "--allow-devices", workdir / "layout", text="device 0:0")


# ---- what the documents say -------------------------------------------------------------------------------------------------

def flip(data):
    return data[:-1] + bytes([data[-1] ^ 1])


def spoil_layer(manifest, blobs):
    digest = manifest["layers"][0]["digest"]
    blobs[digest] = flip(blobs[digest])


def spoil_config(manifest, blobs):
    digest = manifest["config"]["digest"]
    blobs[digest] = blobs[digest].replace(b"linux", b"linuy")


def other_diff_id(manifest, blobs):
    digest = manifest["config"].pop("digest")
    text = blobs.pop(digest).replace(b"sha256:", b"sha256:0")
    text = text.replace(text[text.index(b"sha256:0") + 8:][:64], text[text.index(b"sha256:0") + 8:][:63])
    blobs[sha256(text)] = text
    manifest["config"].update(digest=sha256(text), size=len(text))


def wrong_size(manifest, _blobs):
    manifest["layers"][0]["size"] += 1


def missing_layer(manifest, blobs):
    del blobs[manifest["layers"][0]["digest"]]


def no_digest(manifest, _blobs):
    manifest["layers"][0]["digest"] = "sha256:../../../../etc/passwd"


def both_kinds(manifest, _blobs):
    manifest["manifests"] = []


@pytest.mark.parametrize("change, words", [
    (spoil_layer, "its digest is sha256:"), (spoil_config, "has the digest"), (other_diff_id, "digest of the plain tar"),
    (wrong_size, "its descriptor says"), (missing_layer, "is missing"), (no_digest, "is not a digest"),
    (both_kinds, "something else at once"),
])
@pytest.mark.parametrize("how", ["none", "gzip"])
def test_wrong_documents(store, workdir, change, words, how):
    if change is spoil_layer and how == "gzip":
        words = "digest is sha256|gzip stream"
    if change is other_diff_id and how == "none":
        words = "should be"
    Image(Layer().file("a", "content" * 1000).tar(), how=how).layout(workdir / "layout", change=change)
    store.fails("import", workdir / "layout", text=words)
    assert store.names() == [] and not any("diff" in path for path in store.content())


def test_layout_with_links(store, workdir):
    """A blob that is a link would be a file of the host."""
    layout = Image(Layer().file("a").tar()).layout(workdir / "layout")
    blob = next((layout / "blobs/sha256").iterdir())
    blob.rename(workdir / "elsewhere")
    blob.symlink_to(workdir / "elsewhere")
    store.fails("import", layout, text="openat2.*Too many levels|symbolic link")


# ---- bombs -------------------------------------------------------------------------------------------------------------------

def test_decompression_bomb(store, workdir):
    tar = Layer().file("zeros", b"\0" * (100 << 20)).tar()
    Image(tar, how="zstd").layout(workdir / "layout")
    store.fails("import", workdir / "layout", text="decompresses to more than 200 times its size.*--max-ratio")
    store.ok("import", "--max-ratio", 1000000, workdir / "layout")


def test_limit_of_bytes(store, workdir):
    Image(Layer().file("a", b"x" * (1 << 20)).tar(), Layer().file("b", b"x" * (1 << 20)).tar()).layout(workdir / "layout")
    store.fails("import", "--max-bytes", "1500k", workdir / "layout", text="more than 1536000 bytes.*--max-bytes")
    store.ok("import", "--max-bytes", "3m", workdir / "layout")


def test_limit_of_entries(store, workdir):
    layer = Layer()
    for number in range(20):
        layer.file(f"f{number}")
    Image(layer.tar()).layout(workdir / "layout")
    store.fails("import", "--max-entries", 10, workdir / "layout", text='entry .*f10.*more than 10 entries.*--max-entries')


def sparse_tar(workdir, size):
    (workdir / "sparse").mkdir()
    with open(workdir / "sparse/huge", "wb") as file:
        file.truncate(size)
        file.seek(size - 10)
        file.write(b"the end")
        file.truncate(size)
    return subprocess.run(["tar", "-C", workdir / "sparse", "--sparse", "-cf", "-", "."], capture_output=True, check=True).stdout


def test_sparse_file(store, workdir):
    Image(sparse_tar(workdir, 1 << 30)).layout(workdir / "layout")
    store.ok("import", "--name", "sparse", workdir / "layout")
    huge = store.layers("sparse")[0] / "huge"
    assert huge.stat().st_size == 1 << 30 and huge.stat().st_blocks < 1000
    with open(huge, "rb") as file:
        file.seek(-10, os.SEEK_END)
        assert file.read() == b"the end\0\0\0"


def test_sparse_bomb(store, workdir):
    Image(sparse_tar(workdir, 1 << 40)).layout(workdir / "layout")
    store.fails("import", workdir / "layout", text="its size is 1099511627776 bytes.*--max-bytes")


@pytest.mark.parametrize("how", ["none", "gzip", "zstd"])
def test_truncated(store, workdir, how):
    """At every eighth of the layer; digest and size are those of the truncated bytes."""
    tar = Layer().file("a", os.urandom(50_000)).file("b", os.urandom(50_000)).tar()
    image = Image(tar, how=how)

    def cut(part):
        def change(manifest, blobs):
            digest = manifest["layers"][0]["digest"]
            data = blobs.pop(digest)
            data = data[:len(data) * part // 8]
            blobs[sha256(data)] = data
            manifest["layers"][0].update(digest=sha256(data), size=len(data))
        return change

    for part in range(8):
        image.layout(workdir / f"layout{part}", change=cut(part))
        store.fails("import", workdir / f"layout{part}")
        assert store.names() == [] and not any("diff" in path for path in store.content()), part
