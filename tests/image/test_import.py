"""What can be imported, under which names, and what the verbs of the store say."""
import contextlib
import json
import os
import re
import subprocess
import tarfile
from pathlib import Path

import pytest

from brigtest import brig_only, requires
from brigtest.handmade_images import Image, Layer, busybox_layer, compress, sha256

pytestmark = [requires("root"), brig_only("runc has no images")]


def two_layers():
    lower = Layer().folder("a").file("a/kept", "lower").file("a/gone", "lower").folder("b").file("b/hidden", "lower").tar()
    upper = Layer().folder("a").file("a/.wh.gone").folder("b").file("b/.wh..wh..opq").file("b/shown", "upper").tar()
    return lower, upper


@pytest.mark.parametrize("how", ["none", "gzip", "zstd"])
@pytest.mark.parametrize("form", ["folder", "tar", "tar.gz", "tar.zst", "stdin"])
def test_layouts(store, workdir, how, form):
    layout = Image(*two_layers(), how=how).layout(workdir / "layout")
    if form == "folder":
        store.ok("import", "--name", "x", layout)
    else:
        tar = subprocess.run(["tar", "-C", layout, "-cf", "-", "."], capture_output=True, check=True).stdout
        tar, _ = compress(tar, {"tar.gz": "gzip", "tar.zst": "zstd"}.get(form, "none"))
        if form == "stdin":
            store.ok("import", "--name", "x", "-", input=tar)
        else:
            (workdir / f"archive.{form}").write_bytes(tar)
            store.ok("import", "--name", "x", workdir / f"archive.{form}")
    lower, upper = store.layers("x")
    assert (lower / "a/kept").read_text() == "lower" and (upper / "b/shown").read_text() == "upper"
    gone = (upper / "a/gone").stat()
    assert gone.st_rdev == 0 and gone.st_mode & 0o170000 == 0o020000
    store.is_sound()


def test_docker_archive(store, workdir):
    image = Image(*two_layers(), Env=["A=b"])
    assert store.json("import", image.docker_archive(workdir / "saved.tar", "registry.example/tool:1"))[0]["newLayers"] == 2
    assert store.names() == ["registry.example/tool:1"]
    # What is there is not unpacked again, also from the other form.
    assert store.json("import", workdir / "saved.tar")[0]["newLayers"] == 0
    assert store.json("import", "--name", "again", image.layout(workdir / "layout"))[0]["newLayers"] == 0
    store.is_sound()


def test_docker_archive_with_links(store, workdir):
    """Older Dockers have a layer that is there twice as a link."""
    image = Image(two_layers()[0])
    config = json.dumps(image.config).encode()
    (workdir / "files/1").mkdir(parents=True)
    (workdir / "files/2").mkdir()
    (workdir / "files/1/layer.tar").write_bytes(image.tars[0])
    (workdir / "files/2/layer.tar").symlink_to("../1/layer.tar")
    (workdir / "files/config.json").write_bytes(config)
    (workdir / "files/manifest.json").write_text(json.dumps([{"Config": "config.json", "RepoTags": None, "Layers": ["2/layer.tar"]}]))
    subprocess.run(["tar", "-C", workdir / "files", "-cf", workdir / "saved.tar", "."], check=True)
    store.ok("import", "--name", "x", workdir / "saved.tar")
    assert (store.layers("x")[0] / "a/kept").exists()


@pytest.mark.parametrize("how", ["none", "gzip", "zstd"])
def test_plain_tar(store, workdir, how):
    tar, _ = compress(busybox_layer(), how)
    (workdir / "box.tar").write_bytes(tar)
    store.ok("import", workdir / "box.tar")
    assert store.names() == ["box"]
    assert (store.layers("box")[0] / "bin/busybox").stat().st_mode & 0o777 == 0o755
    store.is_sound()


def test_folder(store, bundle, workdir):
    (bundle.rootfs / "hard").hardlink_to(bundle.rootfs / "bin/busybox")
    first = store.json("import", "--name", "box", bundle.rootfs)[0]["digest"]
    assert (store.layers("box")[0] / "hard").stat().st_nlink == 2
    # The same files are the same image.
    assert store.json("import", "--name", "again", bundle.rootfs)[0]["digest"] == first
    store.is_sound()


def test_neither(store, workdir):
    (workdir / "text").write_text("no archive")
    store.fails("import", workdir / "text", text="not a tar archive")
    store.fails("import", workdir / "missing", text="(?i)no such file")
    store.fails("import", "/dev/null", text="neither a file nor a folder")
    (workdir / "x.tar.xz").write_bytes(b"\xfd7zXZ\0\0\0\0")
    store.fails("import", workdir / "x.tar.xz", text="xz or bzip2.*decompress it first")


def test_index_for_several_platforms(store, workdir):
    own = Image(Layer().file("own").tar())
    other = Image(Layer().file("other").tar(), architecture="mips64le")
    layout = other.layout(workdir / "layout", others=[own])
    store.ok("import", "--name", "x", layout)
    assert (store.layers("x")[0] / "own").exists()
    store.ok("import", "--name", "y", "--platform", "linux/mips64le", layout)
    assert (store.layers("y")[0] / "other").exists()
    store.fails("import", "--platform", "linux/arm", layout, text="no image for linux/arm.*there are: linux/")
    result = store.ok("import", "--name", "x", layout)
    assert any("chose linux/" in entry["msg"] for entry in result.log)


def test_image_for_another_machine(store, workdir):
    archive = Image(Layer().file("a").tar(), architecture="mips64le").docker_archive(workdir / "saved.tar")
    store.fails("import", archive, text="is for linux/mips64le, not for linux/.*--platform")


def test_several_images(store, workdir):
    layout = Image(Layer().file("one").tar()).layout(workdir / "layout", name="one")
    second = Image(Layer().file("two").tar()).layout(workdir / "second", name="two")
    for blob in (second / "blobs/sha256").iterdir():
        blob.rename(layout / "blobs/sha256" / blob.name)
    index = json.loads((layout / "index.json").read_text())
    index["manifests"] += json.loads((second / "index.json").read_text())["manifests"]
    (layout / "index.json").write_text(json.dumps(index))
    store.fails("import", "--name", "x", layout, text="--ref: layout:one, layout:two")
    store.ok("import", "--name", "x", "--ref", "two", layout)
    assert (store.layers("x")[0] / "two").exists()
    store.fails("import", "--ref", "three", layout, text="no image .*three.*there are: one, two")
    store.ok("import", layout)
    assert store.names() == ["layout:one", "layout:two", "x"]


@pytest.mark.parametrize("name", ["", "../x", "a b", "a\nb", "/x", "x/", "-x", "x" * 300])
def test_bad_names(store, workdir, name):
    store.fails("import", f"--name={name}", "-", text="not a name of an image")
    assert not (workdir / "store").exists() or store.names() == []


def test_names(store, workdir):
    archive = Image(Layer().file("a").tar()).docker_archive(workdir / "saved.tar", "tools/a:latest")
    digest = store.json("import", archive)[0]["digest"]
    store.ok("tag", "tools/a", "b")
    store.ok("tag", "b", "..c")
    assert store.names() == ["..c", "b", "tools/a:latest"]
    for reference in ("tools/a", "tools/a:latest", "b", digest, digest[7:], digest[7:15]):
        assert store.json("inspect", reference)["digest"] == digest
    for reference in ("c", "tools", digest[7:11], "0" * 64):
        store.fails("inspect", reference, text="does not exist")
    store.ok("remove", "tools/a")
    assert store.names() == ["..c", "b"]
    store.ok("remove", digest[7:19])
    assert store.names() == []
    assert not any("diff" in path for path in store.content()) and not list((store.path / "blobs/sha256").iterdir())


def test_layers_are_shared(store, workdir):
    lower, upper = two_layers()
    store.ok("import", "--name", "one", Image(lower).layout(workdir / "1"))
    assert store.json("import", "--name", "two", Image(lower, upper).layout(workdir / "2"))[0]["newLayers"] == 1
    store.ok("remove", "one")
    assert len(store.layers("two")) == 2 and store.layers("two")[0].is_dir()
    store.is_sound()
    store.ok("remove", "two")
    assert not any("diff" in path for path in store.content())


def test_image_that_lost_its_name(store, workdir):
    store.ok("import", "--name", "x", Image(Layer().file("old").tar()).layout(workdir / "1"))
    store.ok("import", "--name", "x", Image(Layer().file("new").tar()).layout(workdir / "2"))
    assert len(store.json("list", "--all")) == 2 and len(store.json("list")) == 1
    assert store.json("prune", "--dry-run")["layers"] == 1
    assert len(store.json("list", "--all")) == 2
    pruned = store.json("prune")
    assert pruned["layers"] == 1 and pruned["bytes"] > 0 and len(store.json("list", "--all")) == 1
    store.is_sound()


@pytest.mark.parametrize("form", ["folder", "file.tar", "-"])
def test_export(store, make_runtime, workdir, form):
    image = Image(*two_layers(), how="gzip", Cmd=["sh"])
    digest = store.json("import", "--name", "x:1", image.layout(workdir / "layout"))[0]["digest"]
    if form == "-":
        (workdir / "out.tar").write_bytes(subprocess.run(
            store.runtime.command("image", "export", "--store", store.path, "x:1", "-"), capture_output=True, check=True).stdout)
        path = workdir / "out.tar"
    else:
        path = workdir / form
        store.ok("export", "x:1", path)
        store.fails("export", "x:1", path, text="(?i)file exists")
    other = type(store)(make_runtime("other"), workdir / "other-store")
    assert other.json("import", path)[0]["digest"] == digest
    assert other.names() == ["x:1"]


def test_inspect(store, workdir):
    config = {"User": "app", "Env": ["A=b"], "Entrypoint": ["/bin/e"], "Cmd": ["c"], "WorkingDir": "/w", "Volumes": {"/v": {}},
              "ExposedPorts": {"80/tcp": {}}, "StopSignal": "SIGQUIT", "Labels": {"l": "m"}}
    image = Image(*two_layers(), **config)
    store.ok("import", "--name", "x", image.layout(workdir / "layout"))
    document = store.json("inspect", "x")
    assert document["process"] == {"user": "app", "entrypoint": ["/bin/e"], "cmd": ["c"], "env": ["A=b"], "workingDir": "/w",
                                   "volumes": ["/v"], "exposedPorts": ["80/tcp"], "stopSignal": "SIGQUIT", "labels": {"l": "m"}}
    assert [layer["diffId"] for layer in document["layers"]] == [sha256(tar) for tar in image.tars]
    assert json.loads(store.ok("inspect", "--raw", "config", "x").out) == image.config
    assert sha256(store.ok("inspect", "--raw", "manifest", "x").out.encode()) == document["digest"]
    assert "SIGQUIT" in store.ok("inspect", "x").out


# ---- verify ----------------------------------------------------------------------------------------------------------------

def add_file(layer):
    (layer / "a/new").write_text("")


def change_mode(layer):
    (layer / "a/kept").chmod(0o600)


def change_content(layer):
    path = layer / "a/kept"
    status = path.stat()
    path.write_text("LOWER")
    import os
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def remove_file(layer):
    (layer / "a/kept").unlink()


@pytest.mark.parametrize("change", [add_file, change_mode, change_content, remove_file])
def test_verify_finds_changed_layers(store, workdir, change):
    store.ok("import", "--name", "x", Image(*two_layers()).layout(workdir / "layout"))
    change(store.layers("x")[0])
    problems = json.loads(store.runtime.call("image", "verify", "--json", "--store", store.path).out)
    assert len(problems) == 1 and store.layers("x")[0].parent.name in problems[0]["where"]


def test_verify_finds_changed_blobs(store, workdir):
    store.ok("import", "--name", "x", Image(*two_layers()).layout(workdir / "layout"))
    blob = store.path / "blobs/sha256" / store.json("inspect", "x")["layers"][0]["digest"][7:]
    blob.write_bytes(blob.read_bytes()[:-1] + b"x")
    assert store.runtime.call("image", "verify", "--digests-only", "--store", store.path).code == 1


# ---- what tars have ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_tar_formats(store, workdir, format):
    """Long names where the format has them, names that are not UTF-8, odd characters."""
    long_part = "d" * 90
    names = ["sp ace", "new\nline", "quote\"s", f"{long_part}/file"]
    if format != tarfile.USTAR_FORMAT:
        names += [f"{long_part}/{'n' * 200}", "/".join([long_part] * 20), "ümläut-日本"]
    layer = Layer(format)
    for name in names:
        layer.file(name, name, mode=0o4711, uid=1234, gid=5678)
    layer.link("link", names[-1]).add("fifo", tarfile.FIFOTYPE)
    store.ok("import", "--name", "x", Image(layer.tar()).layout(workdir / "layout"))
    root = store.layers("x")[0]
    for name in names:
        status = (root / name).stat()
        assert (root / name).read_text() == name
        assert (status.st_mode & 0o7777, status.st_uid, status.st_gid, status.st_mtime) == (0o4711, 1234, 5678, 1_700_000_000)
    assert (root / "fifo").is_fifo() and (root / "link").readlink().name == names[-1].split("/")[-1]


def test_names_that_are_not_utf8(store, workdir):
    layer = Layer(tarfile.GNU_FORMAT)
    layer._tar.encoding = "latin-1"
    layer.file("caf\u00e9", "x")
    store.ok("import", "--name", "x", Image(layer.tar()).layout(workdir / "layout"))
    assert os.listdir(os.fsencode(store.layers("x")[0])) == [b"caf\xe9"]


def test_several_members(store, workdir):
    """pigz and estargz write many gzip members, zstd:chunked many frames, with frames to be skipped between."""
    tar = Layer().file("a", "x" * 100_000).file("b", "y" * 100_000).tar()
    parts = [tar[at:at + 30_000] for at in range(0, len(tar), 30_000)]
    for how in ("gzip", "zstd"):
        data = b"".join(compress(part, how)[0] for part in parts)
        if how == "zstd":
            data = b"\x50\x2a\x4d\x18\x04\0\0\0skip" + data
        (workdir / f"parts.{how}").write_bytes(data)
        store.ok("import", "--name", how, workdir / f"parts.{how}")
        assert (store.layers(how)[0] / "b").read_text() == "y" * 100_000
    store.is_sound()


def test_wide_windows_are_held_one_at_a_time(store, workdir):
    """Layers are unpacked side by side; two windows of 32 MiB would take more memory than an import may."""
    block = os.urandom(1 << 20)
    layers = [Layer().file(f"file{number}", block * 48).tar() for number in range(2)]

    def peak(name, layers):
        path = Image(*layers, how="zstd-wide").layout(workdir / name)
        process = store.runtime.spawn("image", "import", "--store", store.path, "--quiet", "--name", name, path)
        most = 0
        while process.poll() is None:
            with contextlib.suppress(OSError, AttributeError):  # it has just ended
                status = Path(f"/proc/{process.pid}/status").read_text()
                if "brig-image" in status:  # not its beginnings in this process
                    most = max(most, int(re.search(r"VmHWM:\s+(\d+)", status).group(1)) << 10)
        assert process.returncode == 0
        return most

    one = peak("one", layers[:1])
    both = peak("both", layers)
    assert one > 32 << 20, "the window is wide"
    assert both < 64 << 20 and both - one < 16 << 20


def test_a_wide_archive_of_wide_layers(store, workdir):
    """The archive is read twice, and then its layers: whoever holds a window waits for nobody."""
    layout = Image(Layer().file("a", os.urandom(1 << 20) * 40).tar(), how="zstd-wide").layout(workdir / "layout")
    tar = subprocess.run(["tar", "-C", layout, "-cf", "-", "."], capture_output=True, check=True).stdout
    (workdir / "archive").write_bytes(compress(tar, "zstd-wide")[0])
    store.ok("import", "--name", "x", workdir / "archive")
    assert (store.layers("x")[0] / "a").stat().st_size == 40 << 20


def test_folders_without_entries(store, workdir):
    """They look as in the layers below, where those have them."""
    lower = Layer().folder("./", mode=0o751, uid=7, gid=8).folder("a", mode=0o1770, uid=5, gid=6, mtime=1234).tar()
    upper = Layer().file("a/b/c", "upper").tar()
    store.ok("import", "--name", "x", Image(lower, upper).layout(workdir / "layout"))
    top = store.layers("x")[1]
    for path, mode, uid in ((top / "a", 0o1770, 5), (top, 0o751, 7), (top / "a/b", 0o755, 0)):
        status = path.stat()
        assert (status.st_mode & 0o7777, status.st_uid) == (mode, uid), path
    assert (top / "a").stat().st_mtime == 1234
    store.is_sound()


def test_whited_out_and_there_again(store, workdir):
    """In either order; a folder that comes again hides the one below."""
    lower = Layer().folder("a").file("a/old").folder("b").file("b/old").file("c", "old").tar()
    upper = Layer().file(".wh.a").folder("a").file("a/new").folder("b").file("b/new").file(".wh.b").file(".wh.c").file("c", "new").tar()
    store.ok("import", "--name", "x", Image(lower, upper).layout(workdir / "layout"))
    store.ok("unpack", "x", workdir / "bundle", "--", "true")
    root = workdir / "bundle/rootfs"
    assert sorted(str(path.relative_to(root)) for path in root.rglob("*")) == ["a", "a/new", "b", "b/new", "c"]
    assert (root / "c").read_text() == "new"
