"""A mount with the destination "/": it becomes the container's root."""
import json
import os

import pytest

from brigtest import brig_only, requires
from brigtest.requirements import criu_program

pytestmark = [requires("root"), brig_only("runc hides its other mounts under such a one")]


@pytest.fixture
def layers(bundle, workdir):
    """The bundle's root file system as lower layer, one above it, and an empty root."""
    (workdir / "above").mkdir()
    (workdir / "above/added").write_text("of the layer above")
    lower = workdir / "lower"
    os.rename(bundle.rootfs, lower)
    bundle.rootfs.mkdir()
    return lower, workdir / "above"


def overlay(bundle, lower, *options, **fields):
    names = ":".join(str(path).replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,") for path in lower)
    bundle.spec["mounts"].insert(0, {"destination": "/", "type": "overlay", "source": "overlay",
                                     "options": [f"lowerdir={names}", *options], **fields})
    return bundle


def upper(workdir):
    for name in ("upper", "work"):
        (workdir / name).mkdir()
    return f"upperdir={workdir}/upper", f"workdir={workdir}/work"


def test_overlay_with_upper_directory(runtime, bundle, layers, workdir):
    overlay(bundle, reversed(layers), *upper(workdir)).set("root.readonly", False)
    result = runtime.run(bundle.args("sh", "-c", "cat /added; echo x >/written; mount"))
    assert "of the layer above" in result.out and "overlay on / type overlay" in result.out
    assert (workdir / "upper/written").read_text() == "x\n" and not os.listdir(bundle.rootfs)
    with open("/proc/self/mountinfo", encoding="utf-8") as table:
        assert str(workdir / "lower") not in table.read()


def test_root_read_only(runtime, bundle, layers, workdir):
    """Mount points that the layers lack are made before."""
    os.rmdir(layers[0] / "sys")
    overlay(bundle, reversed(layers), *upper(workdir)).set("root.readonly", True)
    result = runtime.run(bundle.args("sh", "-c", "ls -d /sys; echo x >/written"), code=1)
    assert "/sys" in result.out and "Read-only file system" in result.err


def test_ro_of_the_mount(runtime, bundle, layers, workdir):
    os.rmdir(layers[0] / "sys")
    overlay(bundle, reversed(layers), "ro", "nodev", *upper(workdir)).set("root.readonly", False)
    result = runtime.run(bundle.args("sh", "-c", "mount; echo x >/written"), code=1)
    root = next(line for line in result.out.splitlines() if " on / type overlay" in line)
    assert "(ro," in root and "nodev" in root and "Read-only file system" in result.err


def test_without_upper(runtime, bundle, layers):
    overlay(bundle, reversed(layers))
    assert "of the layer above" in runtime.run(bundle.args("cat", "/added")).out


@pytest.mark.parametrize("option, size", [("tmpfs-upper=1m", "1.0M"), ("tmpfs-upper", "")])
def test_tmpfs_upper(runtime, bundle, layers, option, size):
    overlay(bundle, reversed(layers), option).set("root.readonly", False)
    result = runtime.run(bundle.args("sh", "-c", "echo x >/written && cat /written; mount"))
    assert result.out.startswith("x\n") and result.out.count(" on / type ") == 1
    assert not os.listdir(bundle.rootfs)
    if size:
        full = runtime.run(bundle.args("sh", "-c", "dd if=/dev/zero of=/big bs=64k count=100"), code=1)
        assert "No space left" in full.err


def test_names_with_separators(runtime, bundle, layers, workdir):
    odd = []
    for number, name in enumerate(("a:b", "c,d", "e\\f", "n" * 200 + "/" + "m" * 100)):
        (workdir / name).mkdir(parents=True)
        (workdir / name / f"file{number}").write_text(name)
        odd.append(workdir / name)
    overlay(bundle, [*odd, layers[0]], "tmpfs-upper")
    out = runtime.run(bundle.args("sh", "-c", "cat /file0 /file1 /file2 /file3")).out
    assert out == "".join(("a:b", "c,d", "e\\f", "n" * 200 + "/" + "m" * 100))


def test_many_layers(runtime, bundle, layers, workdir):
    lower = []
    for number in range(120):
        folder = workdir / f"layer{number}"
        folder.mkdir()
        (folder / f"file{number}").write_text("")
        lower.append(folder)
    overlay(bundle, [*lower, layers[0]], "tmpfs-upper")
    assert runtime.run(bundle.args("sh", "-c", "ls /file* | wc -l")).out.strip() == "120"


def test_bind(runtime, bundle, layers):
    bundle.spec["mounts"].insert(0, {"destination": "/", "type": "bind", "source": str(layers[0]), "options": ["rbind", "nosuid"]})
    bundle.set("root.readonly", False)
    result = runtime.run(bundle.args("sh", "-c", "mount | head -1; echo x >/written"))
    assert "nosuid" in result.out and (layers[0] / "written").exists() and not os.listdir(bundle.rootfs)


def test_pivot_and_propagation(runtime, bundle, layers):
    overlay(bundle, reversed(layers), "tmpfs-upper").set("linux.rootfsPropagation", "rshared")
    assert "of the layer above" in runtime.run(bundle.args("cat", "/added")).out
    assert "of the layer above" in runtime.run(bundle.args("cat", "/added"), "--no-pivot").out


def test_exec_sees_it(runtime, bundle, layers):
    overlay(bundle, reversed(layers), "tmpfs-upper").set("root.readonly", False)
    container = runtime.running(bundle.args("/bin/probe", "sleep"))
    assert container.exec("cat", "/added").out == "of the layer above"


def test_nothing_of_it_is_left(runtime, bundle, layers):
    """The processes of a container end with kill -9, and with them the overlay and its memory."""
    overlay(bundle, reversed(layers), "tmpfs-upper").set("root.readonly", False)
    container = runtime.running(bundle.args("/bin/probe", "sleep"))
    os.kill(container.pid, 9)
    runtime.ok("delete", "--force", container.id)


def in_user_namespace(bundle):
    mapping = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    bundle.namespace("user").set("linux.uidMappings", mapping).set("linux.gidMappings", mapping).set("root.readonly", False)
    os.chmod(bundle.path.parent, 0o755)
    return bundle


@pytest.mark.requires("host_root")
def test_user_namespace(runtime, bundle, layers):
    """The layers are closed to everybody but the host's root, and seem to be the container's own."""
    for folder in layers:
        folder.chmod(0o755)
    closed = layers[0].parent / "closed"
    closed.mkdir(mode=0o700)
    for folder in layers:
        folder.rename(closed / folder.name)
    overlay(bundle, [closed / "above", closed / "lower"], "tmpfs-upper=1m", "idmap")
    in_user_namespace(bundle).all_capabilities()
    bundle.args("sh", "-c", "stat -c %u:%g /added /etc/passwd; chown 5:6 /added && stat -c %u:%g /added; echo x >/etc/passwd; "
                            "cat /proc/self/uid_map")
    result = runtime.run(bundle)
    assert result.out.split("\n")[:3] == ["0:0", "0:0", "5:6"] and "100000" in result.out, result
    assert (closed / "lower/etc/passwd").stat().st_uid == 0 and (closed / "lower/etc/passwd").read_text() != "x\n"


def test_user_namespace_without_mapping(runtime, bundle, layers):
    overlay(bundle, reversed(layers), "tmpfs-upper=1m")
    result = runtime.run(in_user_namespace(bundle).args("sh", "-c", "stat -c %u /added; echo x >/etc/passwd"), code=1)
    assert result.out == "65534\n" and "ermission denied" in result.err


@requires("criu")
def test_no_checkpoint(runtime, bundle, layers, workdir):
    """What was written would be lost without a word."""
    overlay(bundle, reversed(layers), "tmpfs-upper").set("root.readonly", False)
    container = runtime.running(bundle.args("/bin/probe", "sleep"))
    program = criu_program()
    runtime.fails("checkpoint", "--image-path", workdir / "images", container.id, text="root is a mount of config.json",
                  flags=["--root", runtime.root, "--log", runtime.log, "--log-format", "json", "--criu", program])
    assert container.exec("cat", "/added").out == "of the layer above"


# ---- refused -----------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("mount, words", [
    ({"type": "proc", "source": "proc"}, "has the destination"),
    ({"type": "sysfs", "source": "sysfs"}, "has the destination"),
    ({"type": "cgroup", "source": "cgroup"}, "has the destination"),
    ({"type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"]}, "leave tmpcopyup"),
    ({"type": "overlay", "source": "overlay", "options": []}, "needs lowerdir"),
    ({"type": "overlay", "source": "overlay", "options": ["lowerdir=relative"]}, "not an absolute path"),
    ({"type": "overlay", "source": "overlay", "options": ["lowerdir=/tmp", "upperdir=/tmp"]}, "must come together"),
    ({"type": "overlay", "source": "overlay", "options": ["lowerdir=/tmp", "upperdir=/a", "workdir=/b", "tmpfs-upper"]}, "leave one out"),
    ({"type": "tmpfs", "source": "tmpfs", "options": ["tmpfs-upper"]}, "is for an overlay"),
])
def test_refused(runtime, bundle, mount, words):
    bundle.spec["mounts"].insert(0, {"destination": "/", **mount})
    runtime.run(bundle, code=1, text=words)


def test_only_the_first(runtime, bundle, layers):
    bundle.spec["mounts"].insert(1, {"destination": "//.", "type": "overlay", "source": "overlay",
                                     "options": [f"lowerdir={layers[1]}:{layers[0]}"]})
    runtime.run(bundle, code=1, text=r"mounts\[1\] has the destination.*only the first mount can be the root")


def test_tmpfs_upper_elsewhere(runtime, bundle):
    bundle.mount("/data", "overlay", "overlay", ["lowerdir=/tmp", "tmpfs-upper"])
    runtime.run(bundle, code=1, text="is for an overlay with the destination")


def test_plan_shows_it(runtime, bundle, layers):
    overlay(bundle, reversed(layers), "tmpfs-upper=64m", "ro").set("root.readonly", False)
    bundle.write()
    plan = json.loads(runtime.ok("plan", "-b", bundle.path, "--format", "json").out)
    text = json.dumps(plan)
    assert '"tmpfsUpper": "64m"' in text
