"""images/build: what it makes, when it makes it again, what it refuses."""
import json
import os
import shutil
import stat
import subprocess
import tarfile

import pytest

from brigtest import requires, settings

pytestmark = requires("root")


@pytest.fixture
def recipes(tmp_path):
    """A copy of the recipes that a test may change."""
    shutil.copytree(settings.CHECKOUT / "images", tmp_path / "images")
    return tmp_path / "images"


def build(recipes, *arguments):
    return subprocess.run([recipes / "build", *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_busybox_image(recipes, tmp_path):
    result = build(recipes, "busybox", tmp_path / "out")
    assert result.returncode == 0 and "is ready" in result.stdout, result.stderr
    rootfs = tmp_path / "out/busybox/rootfs"
    assert subprocess.run(["chroot", rootfs, "sh", "-c", "echo works"], capture_output=True, text=True,
                          check=True).stdout == "works\n"
    with tarfile.open(tmp_path / "out/busybox.tar") as tar:
        names = tar.getnames()
        assert {"./bin/busybox", "./etc/passwd"} <= set(names)
        assert tar.getmember("./home/sandbox").uid == 1000
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


@pytest.mark.parametrize("line, words", [
    ('chmod u+s "$root/bin/busybox"', "setuid or setgid files"),
    ('mknod "$root/etc/disk" b 8 0', "device nodes"),
    ('touch "$root/usr/bin/dpkg"', "package manager"),
    ("false", ""),
])
def test_an_open_image_is_refused(recipes, tmp_path, line, words):
    with open(recipes / "busybox/make", "a", encoding="utf-8") as file:
        file.write(line + "\n")
    result = build(recipes, "busybox", tmp_path / "out")
    assert result.returncode != 0 and words in result.stderr
    assert not (tmp_path / "out/busybox").exists() and not (tmp_path / "out/busybox.tar").exists()
    assert not (tmp_path / "out/.busybox.partial").exists()


def test_unknown_recipe_lists_the_known(recipes, tmp_path):
    result = build(recipes, "no-such-recipe", tmp_path / "out")
    assert result.returncode == 1 and "busybox python" in result.stderr


@requires("program:mmdebstrap")
def test_python_image(contained_session):
    """Uses the image of the checkout: making it takes half a minute."""
    folder = settings.CHECKOUT / "build" / "images"
    result = subprocess.run([settings.CHECKOUT / "images" / "build", "python", folder], capture_output=True, text=True,
                            timeout=280, check=False)
    assert result.returncode == 0, result.stderr
    rootfs = folder / "python" / "rootfs"
    script = "import numpy, pandas, matplotlib, PIL, sqlite3, ssl, zoneinfo; print(zoneinfo.ZoneInfo('Europe/Berlin'))"
    words = subprocess.run(["chroot", "--userspec=1000:1000", rootfs, "python3", "-B", "-c", script], capture_output=True,
                           text=True, check=False)
    assert words.stdout == "Europe/Berlin\n", words.stderr
    for name in ("apt-get", "dpkg", "pip", "pip3", "perl", "gcc", "su", "mount", "sudo"):
        assert shutil.which(name, path=":".join(str(rootfs / part) for part in ("usr/bin", "usr/sbin"))) is None, name
    modes = [os.lstat(os.path.join(top, name)).st_mode for top, _, names in os.walk(rootfs) for name in names]
    assert not any(stat.S_ISREG(mode) and mode & 0o6000 for mode in modes)
    assert (rootfs / "home/sandbox").stat().st_uid == 1000
