"""What brig unpacks is what umoci unpacks, for images of several builders, and what an overlay of the layers shows."""
import os
import random
import shutil
import subprocess
import tarfile

import pytest

from brigtest import brig_only, requires
from brigtest.handmade_images import Image, Layer, busybox_layer, host_command

pytestmark = [requires("root", "program:umoci", "program:skopeo"), brig_only("runc has no images")]


def tree(root, times=True):
    """path -> everything that there is to compare."""
    found = {}
    inodes = {}
    for top, folders, files in os.walk(root):
        for name in sorted(folders + files) + (["."] if top == str(root) else []):
            path = os.path.join(top, name)
            status = os.lstat(path)
            relative = os.path.relpath(path, root)
            kind = status.st_mode & 0o170000
            content = ""
            if kind == 0o120000:
                content = os.readlink(path)
            elif kind == 0o100000:
                with open(path, "rb") as file:
                    content = hash(file.read())
            attributes = {name: os.getxattr(path, name, follow_symlinks=False)
                          for name in os.listxattr(path, follow_symlinks=False) if "overlay" not in name}
            if kind != 0o040000:
                inodes.setdefault(status.st_ino, set()).add(relative)
            found[relative] = [oct(status.st_mode), status.st_uid, status.st_gid, status.st_rdev, content, attributes,
                               status.st_mtime_ns if times and relative != "." else 0]
    for names in inodes.values():
        for name in names:
            found[name].append(names)
    return found


def differences(one, other):
    return [f"{path}: {one.get(path)} | {other.get(path)}" for path in sorted(set(one) | set(other)) if one.get(path) != other.get(path)]


@pytest.fixture
def compare(store, workdir):
    """Imports the layout and compares with umoci's bundle and with the overlay."""
    def check(layout, source=None, times=True):
        layout = workdir / layout
        store.ok("import", "--name", "x", source or layout)
        store.ok("unpack", "x", workdir / "unpacked", "--", "true")
        host_command("umoci", "unpack", "--image", f"{layout}:latest", workdir / "umoci")
        ours = tree(workdir / "unpacked/rootfs", times)
        assert ours, "nothing was unpacked"
        assert differences(ours, tree(workdir / "umoci/rootfs", times)) == []
        lower = ":".join(str(path) for path in reversed(store.layers("x")))
        (workdir / "view").mkdir()
        (workdir / "empty").mkdir()
        host_command("mount", "-t", "overlay", "-o", f"lowerdir={lower}:{workdir}/empty", "overlay", workdir / "view")
        try:
            assert differences(ours, tree(workdir / "view", times)) == []
        finally:
            host_command("umount", workdir / "view")
        store.is_sound()
    return check


def nasty_layers():
    lower = Layer().folder("./", mode=0o755)
    lower.folder("d", mode=0o1777, uid=1, gid=2).file("d/suid", "x", mode=0o6755, uid=3, gid=4).file("d/gone", "lower")
    lower.folder("opaque").file("opaque/hidden", "h").folder("deep").folder("deep/er", mtime=1000).file("deep/er/file", "f")
    lower.hard_link("d/hard", "d/suid").link("d/absolute", "/etc/passwd").link("d/dangling", "../../../../nowhere")
    lower.add("d/fifo", tarfile.FIFOTYPE, mode=0o600).file("becomes-folder", "f").folder("becomes-file").file("becomes-file/x")
    lower.file("attributes", "a", pax_headers={"SCHILY.xattr.user.name": "value",
                                               "SCHILY.xattr.security.capability": "\x01\0\0\x02\0\x04\0\0" + "\0" * 12})
    lower.file("precise", "p", mtime=1_600_000_000.123456789).file("empty").file("big", random.Random(1).randbytes(300_000))
    upper = Layer().folder("d", mode=0o700).file("d/.wh.gone").file("opaque/.wh..wh..opq").file("opaque/shown", "s")
    upper.file(".wh.becomes-folder").folder("becomes-folder").file("becomes-folder/inner", "i")
    upper.file(".wh.becomes-file").file("becomes-file", "now").file("deep/er/new", "n").file(".wh.missing")
    top = Layer().file("d/gone", "back again").file("d/.wh.hard").file(".wh.opaque")
    return [layer.tar() for layer in (lower, upper, top)]


@pytest.mark.parametrize("how", ["none", "gzip", "zstd"])
def test_hand_made(compare, workdir, how):
    # umoci of this distribution does not know zstd: it compares with what is the same uncompressed.
    Image(*nasty_layers(), how="none" if how == "zstd" else how).layout(workdir / "layout")
    source = None
    if how == "zstd":
        source = Image(*nasty_layers(), how="zstd").layout(workdir / "zstd")
    compare("layout", source)


@pytest.mark.parametrize("target", ["oci", "oci-archive", "docker-archive"])
def test_copied_by_skopeo(compare, workdir, target):
    Image(busybox_layer(), *nasty_layers(), how="gzip", Cmd=["sh"]).layout(workdir / "first")
    source = workdir / ("copy" if target == "oci" else "copy.tar")
    suffix = {"oci": ":latest", "oci-archive": ":latest", "docker-archive": ":example:latest"}[target]
    host_command("skopeo", "--insecure-policy", "copy", "-q", f"oci:{workdir}/first:latest", f"{target}:{source}{suffix}")
    shutil.copytree(workdir / "first", workdir / "layout")
    compare("layout", source)


def test_recompressed_with_zstd(compare, workdir):
    Image(busybox_layer(), *nasty_layers(), how="gzip", Cmd=["sh"]).layout(workdir / "layout")
    host_command("skopeo", "--insecure-policy", "copy", "-q", "--dest-compress", "--dest-compress-format", "zstd",
                 f"oci:{workdir}/layout:latest", f"oci:{workdir}/zstd:latest")
    compare("layout", workdir / "zstd")


@requires("program:buildah")
def test_built_by_buildah(compare, workdir):
    """Whiteouts, opaque folders, hard links that a later layer breaks, capabilities, owners: as a builder writes them."""
    Image(busybox_layer(), Cmd=["sh"]).layout(workdir / "base")
    tools = ["--root", workdir / "storage", "--runroot", workdir / "run", "--storage-driver", "vfs"]

    def buildah(*arguments):
        return host_command("buildah", *tools, *arguments).stdout.strip()

    def step(source, change):
        container = buildah("from", source)
        root = buildah("mount", container)
        change(root)
        buildah("umount", container)
        image = buildah("commit", "-q", "--format", "oci", "--timestamp", "1700000000", container)
        buildah("rm", container)
        return image

    def first(root):
        os.makedirs(f"{root}/srv/data/deep")
        for name in ("one", "two", "deep/three"):
            with open(f"{root}/srv/data/{name}", "w", encoding="ascii") as file:
                file.write(name)
        os.link(f"{root}/srv/data/one", f"{root}/srv/data/same")
        os.setxattr(f"{root}/bin/busybox", "security.capability", b"\x01\0\0\x02\0\x04\0\0" + b"\0" * 12)
        os.chown(f"{root}/srv/data/two", 1000, 1001)

    def second(root):
        os.remove(f"{root}/srv/data/two")
        with open(f"{root}/srv/data/same", "a", encoding="ascii") as file:
            file.write("changed")
        shutil.rmtree(f"{root}/srv/data/deep")
        os.mkdir(f"{root}/srv/data/deep")
        with open(f"{root}/srv/data/deep/new", "w", encoding="ascii") as file:
            file.write("new")
        os.symlink("/bin/busybox", f"{root}/srv/link")

    image = step(step(f"oci:{workdir}/base", first), second)
    buildah("push", "-q", image, f"oci:{workdir}/layout:latest")
    compare("layout")


def test_acls(store, workdir):
    """As GNU tar writes them; umoci does not know these."""
    (workdir / "files").mkdir()
    (workdir / "files/f").write_text("x")
    if shutil.which("setfacl") is None:
        pytest.skip("needs the program setfacl")
    host_command("setfacl", "-m", "u:1234:r,g:77:rw", workdir / "files/f")
    host_command("setfacl", "-d", "-m", "u:1234:rwx", workdir / "files")
    tar = subprocess.run(["tar", "--acls", "-C", workdir / "files", "-cf", "-", "."], capture_output=True, check=True).stdout
    (workdir / "acl.tar").write_bytes(tar)
    store.ok("import", workdir / "acl.tar")
    root = store.layers("acl")[0]
    for name in ("f", "."):
        assert host_command("getfacl", "-n", "-c", "-p", root / name).stdout == host_command("getfacl", "-n", "-c", "-p", workdir / "files" / name).stdout
