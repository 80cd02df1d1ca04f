"""images/build: what it makes, when it makes it again, what it refuses."""
import json
import os
import shutil
import subprocess
import tarfile
import time

import pytest

from brigtest import requires, settings
from brigtest.images import Image

pytestmark = requires("root")


@pytest.fixture
def recipes(tmp_path):
    """A copy of the recipes that a test may change."""
    shutil.copytree(settings.CHECKOUT / "images", tmp_path / "images")
    return tmp_path / "images"


def build(recipes, *arguments, seconds=60):
    return subprocess.run([recipes / "build", *arguments], capture_output=True, text=True, timeout=seconds, check=False)


def test_busybox_image(recipes, tmp_path):
    result = build(recipes, "busybox", tmp_path / "out")
    assert result.returncode == 0 and "is ready" in result.stdout, result.stderr
    rootfs = tmp_path / "out/busybox/rootfs"
    assert subprocess.run(["chroot", rootfs, "sh", "-c", "echo works"], capture_output=True, text=True,
                          check=True).stdout == "works\n"
    [layer] = Image("busybox", tmp_path / "out").manifest["layers"]
    with tarfile.open(Image("busybox", tmp_path / "out").blob(layer)) as tar:
        assert {"bin/busybox", "etc/passwd"} <= set(tar.getnames())
        assert tar.getmember("home/sandbox").uid == 1000
    assert json.loads((tmp_path / "out/busybox/image.json").read_text())["Cmd"] == ["sh"]


def test_made_again_only_when_the_recipe_changes(recipes, tmp_path):
    def inode():
        return os.stat(tmp_path / "out/busybox/rootfs").st_ino

    build(recipes, "busybox", tmp_path / "out")
    first = inode()
    assert "is up to date" in build(recipes, "busybox", tmp_path / "out").stdout and inode() == first
    with open(recipes / "busybox/make", "a", encoding="utf-8") as file:
        file.write('echo changed >"$root/etc/motd"\n')
    assert "is ready" in build(recipes, "busybox", tmp_path / "out").stdout
    assert (tmp_path / "out/busybox/rootfs/etc/motd").read_text() == "changed\n"


def test_same_files_give_the_same_digest(recipes, tmp_path):
    """In other folders, with another umask, another locale and time zone, and folders that inherit a group."""
    outputs = [tmp_path / "one", tmp_path / "two" / "deeper"]
    outputs[1].mkdir(parents=True)
    outputs[1].chmod(0o2775)
    for output, environment, umask in zip(outputs, [{}, {"TZ": "Asia/Tokyo", "LC_ALL": "en_US.UTF-8"}], [0o022, 0o077]):
        subprocess.run([recipes / "build", "busybox", output], check=True, capture_output=True, umask=umask,
                       env={**os.environ, **environment})
        time.sleep(1.1)
    one, two = (Image("busybox", output) for output in outputs)
    assert one.digest == two.digest and one.archive.read_bytes() == two.archive.read_bytes()
    busybox = os.stat(shutil.which("busybox")).st_mtime
    assert one.config["created"] == time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(busybox))


def test_one_changed_byte_is_another_digest(recipes, tmp_path):
    build(recipes, "busybox", tmp_path / "one")
    with open(recipes / "busybox/make", "a", encoding="utf-8") as file:
        file.write('echo >>"$root/etc/passwd"\n')
    build(recipes, "busybox", tmp_path / "two")
    assert Image("busybox", tmp_path / "one").digest != Image("busybox", tmp_path / "two").digest


def test_date_from_outside(recipes, tmp_path):
    result = subprocess.run([recipes / "build", "busybox", tmp_path], capture_output=True, text=True, check=False,
                            env={**os.environ, "SOURCE_DATE_EPOCH": "1000000000"})
    assert result.returncode == 0, result.stderr
    image = Image("busybox", tmp_path)
    assert image.config["created"] == "2001-09-09T01:46:40Z"
    with tarfile.open(image.blob(image.manifest["layers"][0])) as tar:
        assert {entry.mtime for entry in tar} == {1000000000}


def test_links_and_long_names_are_packed(recipes, tmp_path):
    with open(recipes / "busybox/make", "a", encoding="utf-8") as file:
        file.write('ln "$root/etc/passwd" "$root/etc/twin"; long=$(printf "%0120d" 0); mkdir "$root/$long"\n'
                   'echo deep >"$root/$long/$long"; echo name >"$root/\u00e9$(printf "\\xff")"\n')
    result = build(recipes, "busybox", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    image = Image("busybox", tmp_path / "out")
    (tmp_path / "unpacked").mkdir()
    subprocess.run(["tar", "-C", tmp_path / "unpacked", "-xzf", image.blob(image.manifest["layers"][0])], check=True)
    assert subprocess.run(["diff", "-r", "--no-dereference", image.rootfs, tmp_path / "unpacked"], capture_output=True,
                          check=False).stdout == b""
    assert os.stat(tmp_path / "unpacked/etc/twin").st_ino == os.stat(tmp_path / "unpacked/etc/passwd").st_ino


@pytest.mark.parametrize("line, words", [
    ('chmod u+s "$root/bin/busybox"', "/bin/busybox is setuid or setgid"),
    ('setcap cap_net_raw+ep "$root/bin/busybox"', "/bin/busybox has file capabilities"),
    ('mknod "$root/etc/disk" b 8 0', "/etc/disk is neither a file nor a folder nor a link"),
    ('mkfifo "$root/run/pipe"', "/run/pipe is neither a file nor a folder nor a link"),
    ('touch "$root/usr/bin/dpkg"', "package manager"),
    ('touch "$root/usr/bin/pip3"', "package manager"),
    ("false", ""),
])
def test_an_open_image_is_refused(recipes, tmp_path, line, words):
    with open(recipes / "busybox/make", "a", encoding="utf-8") as file:
        file.write(line + "\n")
    result = build(recipes, "busybox", tmp_path / "out")
    assert result.returncode != 0 and words in result.stderr
    assert not (tmp_path / "out/busybox").exists() and not (tmp_path / "out/busybox.tar").exists()
    assert not (tmp_path / "out/.busybox.partial").exists()


def share_packages(out):
    """What was downloaded for the checkout's images is used for those of `out`, too."""
    cache = settings.CHECKOUT / "build/images/.cache"
    cache.mkdir(parents=True, exist_ok=True)
    out.mkdir(parents=True)
    (out / ".cache").symlink_to(cache)


@requires("program:dpkg-deb", "program:apt-get")
@pytest.mark.parametrize("image", ["python-pip"])
def test_same_packages_give_the_same_digest(image, tmp_path):
    """From two checkouts, of other times and by users of another umask; with compiled modules and files of the recipe's own."""
    digests = []
    for name, mode in (("one", 0o600), ("two", 0o664)):
        shutil.copytree(settings.CHECKOUT / "images", tmp_path / name / "images", copy_function=shutil.copy)
        for path in (tmp_path / name / "images" / image / "files").rglob("*"):
            path.chmod(mode | (0o100 if path.is_dir() else 0))
        share_packages(tmp_path / name / "out")
        result = build(tmp_path / name / "images", image, tmp_path / name / "out", seconds=280)
        assert result.returncode == 0, result.stderr
        digests.append(Image(image, tmp_path / name / "out").digest)
    assert digests[0] == digests[1]


@requires("program:dpkg-deb", "program:apt-get")
def test_unknown_package_is_named(recipes, tmp_path):
    share_packages(tmp_path / "out")
    (recipes / "shell/packages").write_text("no-such-package\n")
    result = build(recipes, "shell", tmp_path / "out")
    assert result.returncode == 1 and "Unable to locate package no-such-package" in result.stderr
    assert not (tmp_path / "out/shell").exists() and not (tmp_path / "out/.shell.partial").exists()


def test_unknown_recipe_lists_the_known(recipes, tmp_path):
    result = build(recipes, "no-such-recipe", tmp_path / "out")
    assert result.returncode == 1 and "busybox " in result.stderr and " python " in result.stderr
