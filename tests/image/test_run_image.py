"""Containers of images: brig run --image, bundles, and images in use."""
import json
import os
import subprocess

import pytest

from brigtest import brig_only, requires, wait_until
from brigtest.handmade_images import Image, ImageStore, Layer, busybox_layer, run_image
from brigtest.runtime import new_id

pytestmark = [requires("root"), brig_only("runc has no images")]


@pytest.fixture
def box(store, workdir):
    """An image `box` of two layers."""
    upper = Layer().folder("etc").file("etc/upper", "of the second layer").file("bin/.wh.cat").tar()
    store.ok("import", "--name", "box", Image(busybox_layer(), upper, Cmd=["echo", "of", "the", "image"], Env=["FROM=image"],
                                              WorkingDir="/etc").layout(workdir / "box-layout"))
    return store


def run(store, *arguments, code=0, **options):
    result = run_image(store, "--image", *arguments, **options)
    assert result.code == code, result
    return result.out


def test_program_of_the_image(box):
    assert run(box, "box") == "of the image\n"


def test_arguments_are_not_options(box):
    assert run(box, "box", "sh", "-c", "pwd; echo $FROM; ls -d /bin/cat; read -r line </etc/upper; echo $line", code=0) \
        == "/etc\nimage\nof the second layer\n"
    assert run(box, "box", "--", "echo", "--help") == "--help\n"


def test_system_calls_are_filtered(box, installed):
    """As engines do it, without being asked; --no-seccomp is the control."""
    box.runtime.binary = str(installed.binary)
    script = "grep -E '^(Seccomp|Seccomp_filters):' /proc/self/status"
    assert run(box, "box", "sh", "-c", script).split() == ["Seccomp:", "2", "Seccomp_filters:", "1"]
    bare = run_image(box, "--no-seccomp", "--image", "box", "sh", "-c", script)
    assert bare.out.split() == ["Seccomp:", "0", "Seccomp_filters:", "0"], bare
    box.runtime.binary = installed.under("strict").binary
    assert run(box, "box", "sh", "-c", script).split() == ["Seccomp:", "2", "Seccomp_filters:", "2"]


def test_a_filter_that_others_could_write_is_refused(box, installed):
    box.runtime.binary = str(installed.binary)
    (installed.policies / "seccomp/default.json").chmod(0o666)
    result = run_image(box, "--image", "box", "true")
    assert result.code == 1 and "others could weaken it" in result.message, result


def test_without_profiles_that_is_said(box, installed):
    box.runtime.binary = str(installed.binary)
    (installed.policies / "seccomp/default.json").unlink()
    result = run_image(box, "--image", "box", "true")
    assert result.code == 0 and any("not filtered" in entry["msg"] for entry in result.log), result


def test_inspect_knows_the_digest(box):
    name = detached(box, "box", "sleep", "60")
    document = box.runtime.ok("inspect", "--json", name).json()
    assert document["image"] == box.json("inspect", "box")["digest"]
    assert [finding["severity"] for finding in document["findings"] if finding["topic"] == "image"] == ["none"]


def test_exit_status_and_options(box):
    assert run(box, "box", "sh", "-c", "exit 7", code=7) == ""
    result = run_image(box, "--env", "A=b", "--cwd", "/tmp", "--user", "app", "--image", "box", "sh", "-c", "echo $A $PWD; id")
    assert result.out == "b /tmp\nuid=1000(app) gid=1001(app) groups=2000(extra)\n", result
    assert run_image(box, "--entrypoint", "/bin/echo", "--image", "box", "x").out == "x\n"


@pytest.mark.parametrize("user, ids", [
    ("app", "1000 1001 2000"), ("1000", "1000 1001 2000"), ("app:extra", "1000 2000"), ("77", "77 0"), ("77:88", "77 88"),
    ("1000:1001", "1000 1001"), ("root", "0 0"),
])
def test_users(box, user, ids):
    out = run_image(box, "--user", user, "--image", "box", "sh", "-c", "id -u; id -G").out.split()
    expected = ids.split()
    assert out[0] == expected[0] and out[1] == expected[1] and set(out[1:]) == set(expected[1:]), out


@pytest.mark.parametrize("user", ["nobody-here", "app:nothing", "4294967295", "-1", "a:b:c"])
def test_wrong_users(box, user):
    result = run_image(box, f"--user={user}", "--image", "box", "true")
    assert result.code == 1 and "is not in the image's /etc/" in result.message, result


def test_user_file_that_is_a_link_out(store, workdir):
    """The image's passwd is looked for in the image, wherever its links lead."""
    host = workdir / "passwd"
    host.write_text("evil:x:0:0::/:/bin/sh\n")
    layer = Layer().folder("etc").link("etc/passwd", str(host)).link("etc/group", "../../../../../../" + str(host)).tar()
    store.ok("import", "--name", "x", Image(layer, Cmd=["a"]).layout(workdir / "layout"))
    result = run_image(store, "--user", "evil", "--image", "x")
    assert result.code == 1 and "is not in the image's /etc/passwd" in result.message
    # The control: by its path, the file is found and has the user.
    assert "evil" in (store.layers("x")[0] / "etc/passwd").read_text()


def test_writes_are_gone(box):
    assert run(box, "box", "sh", "-c", "echo x > /new && rm /etc/upper && ls / /etc").split().count("new") == 1
    assert "new" not in run(box, "box", "ls", "/") and "upper" in run(box, "box", "ls", "/etc")
    box.is_sound()


def test_limit_of_writes(box):
    result = run_image(box, "--upper-size", "1m", "--image", "box", "sh", "-c", "dd if=/dev/zero of=/file bs=64k count=100 2>&1")
    assert "No space left on device" in result.out, result
    assert run_image(box, "--upper-size", "nonsense", "--image", "box", "true").code == 1


def test_read_only(box):
    result = run_image(box, "--read-only", "--image", "box", "sh", "-c", "echo x > /new; touch /dev/shm/x && echo fine")
    assert "Read-only file system" in result.err and result.out == "fine\n", result


def test_volumes(store, workdir):
    layer = Layer().folder("data", mode=0o1775, uid=1000, gid=1001).file("data/seed", "seed").tar()
    store.ok("import", "--name", "x", Image(busybox_layer(), layer, Volumes={"/data": {}, "/made": {}}).layout(workdir / "layout"))
    out = run(store, "x", "sh", "-c", "mount; stat -c '%a %u' /data; ls /data")
    assert "tmpfs on /data" in out and "tmpfs on /made" in out and "1775 1000\nseed\n" in out


def test_root_is_as_the_image_says(store, workdir):
    layer = Layer().folder("./", mode=0o711, uid=0).tar()
    store.ok("import", "--name", "x", Image(busybox_layer(), layer).layout(workdir / "layout"))
    assert run(store, "x", "stat", "-c", "%a", "/") == "711\n"


def test_unknown_image(store):
    """But for the image shell, which makes itself: tests/images/test_default_image.py."""
    result = run_image(store, "--image", "nothing")
    assert result.code == 1 and all(part in result.message for part in ("does not exist", "brig image import")), result


def test_options_of_the_other_form(box, bundle):
    assert "exclude each other" in run_image(box, "--bundle", bundle.path, "--image", "box").message
    assert "is for --image" in box.runtime.call("run", "--bundle", bundle.path, "--user", "app", new_id()).message


def detached(store, *arguments):
    name = new_id()
    store.runtime.ids.append(name)
    store.runtime.ok("run", "--store", store.path, "--detach", "--id", name, "--image", *arguments)
    return name


def test_removal_while_in_use(box):
    name = detached(box, "box", "sleep", "1000")
    result = box.fails("remove", "box", text="is in use by container " + name)
    assert "delete that first" in result.message
    box.ok("tag", "box", "other")
    box.ok("remove", "box")
    box.fails("remove", "other", text="is in use")
    box.ok("prune")
    assert box.runtime.ok("exec", name, "echo", "alive").out == "alive\n"
    box.runtime.ok("delete", "--force", name)
    box.ok("remove", "other")
    assert not any("diff" in path for path in box.content())


def test_removal_while_another_root_uses_it(box, make_runtime):
    """A container that this brig's state does not know is found by its mount."""
    other = ImageStore(make_runtime("other"), box.path)
    name = detached(other, "box", "sleep", "1000")
    box.fails("remove", "box", text="in use by a mount of process")
    other.runtime.ok("delete", "--force", name)
    box.ok("remove", "box")


def test_nothing_is_left_of_a_killed_brig(box):
    """The overlay and its tmpfs belong to the container's mount namespace: not even kill -9 leaves them."""
    process = box.runtime.spawn("run", "--store", box.path, "--id", (name := new_id()), "--image", "box", "sleep", "1000")
    box.runtime.ids.append(name)
    wait_until(lambda: box.runtime.call("state", name).code == 0 and box.runtime.ok("state", name).json()["status"] == "running", "it to run")
    with open("/proc/self/mountinfo", encoding="utf-8") as table:
        assert str(box.path) not in table.read()
    process.kill()
    process.wait()
    box.runtime.ok("delete", "--force", name)
    box.ok("remove", "box")


# ---- bundles -----------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("upper", ["directory", "tmpfs:1m", "none"])
def test_bundle(box, workdir, upper):
    box.ok("bundle", "--upper", upper, "--user", "0", "box", workdir / "box", "--", "sh", "-c",
           "echo x 2>&1 > /new && echo written; dd if=/dev/zero of=/big bs=64k count=32 2>&1")
    result = box.runtime.call("run", "-b", workdir / "box", new_id())
    if upper == "none":
        assert result.code != 0, "mount points that the image lacks cannot be made" if result.code else result
        return
    assert "written" in result.out, result
    assert ("No space left" in result.out) == (upper != "directory")
    assert (workdir / "box/upper/new").exists() if upper == "directory" else not (workdir / "box/upper").exists()
    box.fails("remove", "box", text=f"is in use by bundle {workdir}/box")
    subprocess.run(["rm", "-rf", workdir / "box"], check=True)
    box.ok("remove", "box")


def test_bundle_is_made_or_not(box, workdir):
    (workdir / "there").mkdir()
    (workdir / "there/file").write_text("")
    box.fails("bundle", "box", workdir / "there", text="not empty")
    assert os.listdir(workdir / "there") == ["file"]
    box.fails("unpack", "--user", "nobody-here", "box", workdir / "new", text="is not in the image's")
    assert not (workdir / "new").exists()


def test_unpacked_bundle(box, workdir):
    box.ok("unpack", "box", workdir / "box", "--", "sh", "-c", "read -r line </etc/upper; echo $line")
    box.ok("remove", "box")
    spec = json.loads((workdir / "box/config.json").read_text())
    assert spec["annotations"]["brig.image.digest"].startswith("sha256:") and spec["root"]["path"] == "rootfs"
    assert box.runtime.ok("run", "-b", workdir / "box", new_id()).out == "of the second layer\n"


def test_annotations(store, workdir):
    image = Image(busybox_layer(), StopSignal="SIGQUIT", ExposedPorts={"80/tcp": {}}, Labels={"com.example": "x"}, Cmd=["true"])
    store.ok("import", "--name", "x", image.layout(workdir / "layout"))
    store.ok("bundle", "x", workdir / "b")
    annotations = json.loads((workdir / "b/config.json").read_text())["annotations"]
    assert annotations["org.opencontainers.image.stopSignal"] == "SIGQUIT" and annotations["com.example"] == "x"
    assert annotations["org.opencontainers.image.exposedPorts"] == "80/tcp"


# ---- the other program ---------------------------------------------------------------------------------------------------------

def test_program_that_others_can_write(box, workdir):
    """brig runs the other program with all of its rights, so it must be nobody else's."""
    for name in ("brig", "brig-image"):
        subprocess.run(["cp", os.path.join(os.path.dirname(box.runtime.binary), name), workdir / name], check=True)
    box.runtime.binary = str(workdir / "brig")
    assert box.names() == ["box"]
    (workdir / "brig-image").chmod(0o777)
    box.fails("list", text="others may write to it")
    (workdir / "brig-image").unlink()
    box.fails("list", text="libexec/brig/brig-image")


def test_program_is_not_looked_for_in_path(box, workdir):
    subprocess.run(["cp", box.runtime.binary, workdir / "brig"], check=True)
    (workdir / "evil").mkdir()
    (workdir / "evil/brig-image").write_text("#!/bin/sh\necho evil\n")
    (workdir / "evil/brig-image").chmod(0o755)
    box.runtime.binary = str(workdir / "brig")
    box.fails("list", text="is neither at", env={**os.environ, "PATH": f"{workdir}/evil:{os.environ['PATH']}"}, cwd=workdir / "evil")
