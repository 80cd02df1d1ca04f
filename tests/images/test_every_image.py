"""What every image promises: an ordinary user, nothing that gives rights, a layout that says what it is, the same files in it."""
import hashlib
import json
import os
import shutil
import stat
import subprocess
import tarfile

import pytest

from brigtest import requires, settings
from brigtest.images import ALL

pytestmark = requires("root", "program:dpkg-deb", "program:apt-get")

FOR_USERS = [name for name in ALL if name != "busybox"]
LANGUAGE_INSTALLERS = {"python-pip": {"pip", "pip3"}, "node-npm": {"npm", "npx"}}
NEVER = {"apt", "apt-get", "dpkg", "dpkg-deb", "rpm", "perl", "gcc", "su", "sudo", "mount", "newuidmap", "pip", "pip3", "npm",
         "npx"}


def every_image(names):
    return pytest.mark.parametrize("image", names, indirect=True)


def paths_of(root):
    return [os.path.join(top, name) for top, folders, files in os.walk(root) for name in folders + files]


@every_image(ALL)
def test_nothing_gives_rights(image):
    for path in paths_of(image.rootfs):
        mode = os.lstat(path).st_mode
        assert stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode), path
        assert stat.S_ISLNK(mode) or not mode & 0o6000, path
        assert "security.capability" not in os.listxattr(path, follow_symlinks=False), path
        assert not stat.S_ISREG(mode) or not mode & 0o022, f"{path} can be written by others"
        assert not stat.S_ISDIR(mode) or not mode & 0o002 or mode & stat.S_ISVTX, f"{path} can be written by others"


@every_image(FOR_USERS)
def test_no_package_manager(image):
    folders = ":".join(str(image.rootfs / part) for part in ("usr/bin", "usr/sbin", "usr/local/bin"))
    for name in NEVER - LANGUAGE_INSTALLERS.get(image.name, set()):
        assert shutil.which(name, path=folders) is None, name
    for name in LANGUAGE_INSTALLERS.get(image.name, ()):
        assert shutil.which(name, path=folders), name
    for name in ("var/lib/dpkg", "var/lib/apt", "etc/apt"):
        assert not (image.rootfs / name).exists()


@every_image(FOR_USERS)
def test_no_trace_of_the_machine_that_built_it(image):
    assert (image.rootfs / "etc/hostname").read_text() == "" == (image.rootfs / "etc/resolv.conf").read_text()
    for name in ("etc/machine-id", "var/cache/ldconfig", "var/log/apt"):
        assert not (image.rootfs / name).exists()
    assert list((image.rootfs / "tmp").iterdir()) == [] == list((image.rootfs / "var/log").iterdir())


@every_image(FOR_USERS)
def test_user_and_folders(sandbox):
    script = ('id -u; id -un; pwd; for folder in / /usr /etc "$HOME"; do touch $folder/x 2>/dev/null && echo $folder; done; '
              'touch /workspace/x /tmp/x && getent hosts localhost && test -s /etc/ssl/certs/ca-certificates.crt && echo end')
    words = sandbox.run("bash", "-c", script).split("\n")
    assert words[:3] == ["1000", "sandbox", "/workspace"] and "localhost" in words[3] and words[4] == "end", words


@every_image(ALL)
def test_layout_describes_itself(image):
    assert json.loads((image.layout / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    [entry] = image.index["manifests"]
    assert entry["annotations"] == {"org.opencontainers.image.ref.name": "latest"}
    assert entry["digest"] == image.digest
    [layer] = image.manifest["layers"]
    blobs = {path.name: path for path in (image.layout / "blobs/sha256").iterdir()}
    assert {f"sha256:{name}" for name in blobs} == {entry["digest"], image.manifest["config"]["digest"], layer["digest"]}
    for descriptor in (entry, image.manifest["config"], layer):
        data = image.blob(descriptor).read_bytes()
        assert (len(data), f"sha256:{hashlib.sha256(data).hexdigest()}") == (descriptor["size"], descriptor["digest"])
    config = image.config
    recipe = json.loads((settings.CHECKOUT / "images" / image.name / "image.json").read_text())
    assert {name: config["config"][name] for name in ("User", "WorkingDir", "Env", "Cmd")} == {
        name: recipe[name] for name in ("User", "WorkingDir", "Env", "Cmd")}
    labels = config["config"]["Labels"]
    assert labels["org.opencontainers.image.title"] == image.name
    assert labels["org.opencontainers.image.created"] == config["created"]
    assert not any("://" in word for word in labels.values())
    unpacked = subprocess.run(["gzip", "-dc", image.blob(layer)], capture_output=True, check=True).stdout
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(unpacked).hexdigest()}"]


@every_image(ALL)
def test_layer_is_the_root_file_system(image):
    [layer] = image.manifest["layers"]
    with tarfile.open(image.blob(layer)) as tar:
        entries = {entry.name: entry for entry in tar}
    names = [os.path.relpath(path, image.rootfs) for path in paths_of(image.rootfs)]
    assert list(entries) == sorted(names, key=os.fsencode)
    assert len({entry.mtime for entry in entries.values()}) == 1
    for name, entry in entries.items():
        status = os.lstat(image.rootfs / name)
        assert (entry.uid, entry.gid, entry.uname, entry.gname) == (status.st_uid, status.st_gid, "", ""), name
        assert entry.issym() or entry.mode == stat.S_IMODE(status.st_mode), name
        assert not entry.isreg() or entry.size == status.st_size, name
        assert not entry.issym() or entry.linkname == os.readlink(image.rootfs / name), name
