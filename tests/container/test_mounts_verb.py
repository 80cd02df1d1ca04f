"""mounts add and mounts remove: the mounts of a running container."""
import json
import os
import subprocess

import pytest

from brigtest import brig_only, requires, wait_until

pytestmark = [requires("root"), brig_only("runc has no such verb")]


@pytest.fixture
def container(runtime, bundle):
    return runtime.running(bundle.set("root.readonly", False).args("/bin/probe", "sleep"))


@pytest.fixture
def data(workdir):
    folder = workdir / "data"
    folder.mkdir()
    (folder / "file").write_text("of the host")
    return folder


def bind(source, destination, *options):
    return {"destination": str(destination), "type": "bind", "source": str(source), "options": ["bind", *options]}


def tmpfs(destination, *options):
    return {"destination": str(destination), "type": "tmpfs", "source": "tmpfs", "options": list(options)}


def change(container, action, *mounts):
    return container.runtime.ok("mounts", action, container.id, "-", input=json.dumps(mounts))


def refused(container, action, *mounts, text):
    before = table(container)
    result = container.runtime.fails("mounts", action, container.id, "-", input=json.dumps(mounts), text=text)
    assert table(container) == before, "all or nothing"
    return result


def table(container):
    """Mount point -> options, in order, of every mount of the container."""
    lines = (line.split() for line in open(f"/proc/{container.pid}/mountinfo"))
    return [(fields[4], fields[5]) for fields in lines]


def points(container):
    return [point for point, _ in table(container)]


def test_bind_of_a_folder(container, data):
    change(container, "add", bind(data, "/new/data", "ro", "nosuid"))
    assert container.exec("cat", "/new/data/file").out == "of the host"
    assert container.probe("write-file", "/new/data/file", "x")["errno"] == "EROFS"
    assert "nosuid" in dict(table(container))["/new/data"]
    (data / "later").write_text("later")
    assert container.exec("cat", "/new/data/later").out == "later"


def test_bind_of_a_file(container, data):
    change(container, "add", bind(data / "file", "/etc/added", "ro"))
    assert container.exec("cat", "/etc/added").out == "of the host"


def test_init_sees_it(runtime, bundle, data):
    """Not only processes that come later."""
    bundle.set("root.readonly", False).args("sh", "-c", "while ! cat /data/file 2>/dev/null; do sleep 0.05; done; sleep 1000")
    container = runtime.running(bundle)
    change(container, "add", bind(data, "/data"))
    container.wait_for_output("of the host")


def test_file_systems(container):
    change(container, "add", tmpfs("/scratch", "size=1m", "nodev", "mode=0700"))
    assert container.exec("stat", "-c", "%a", "/scratch").out.strip() == "700"
    assert "nodev" in dict(table(container))["/scratch"]
    container.exec("sh", "-c", "echo kept > /scratch/file")
    assert container.exec("cat", "/scratch/file").out == "kept\n"


def test_several_in_order(container, data):
    change(container, "add", tmpfs("/a"), bind(data, "/a/below"), bind(data / "file", "/a/below/file"))
    assert {"/a", "/a/below", "/a/below/file"} <= set(points(container))


def test_object_with_mounts(container, data, runtime, workdir):
    """As it stands in config.json, from a file."""
    (workdir / "more.json").write_text(json.dumps({"mounts": [bind(data, "/data")]}))
    runtime.ok("mounts", "add", container.id, workdir / "more.json")
    runtime.ok("mounts", "remove", container.id, workdir / "more.json")
    assert "/data" not in points(container)


def test_submounts_come_with_rbind(container, data):
    (data / "below").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "below", data / "below"], check=True)
    try:
        change(container, "add", {**bind(data, "/data"), "options": ["rbind", "rro"]})
        assert container.probe("write-file", "/data/below/x", "x")["errno"] == "EROFS"
        change(container, "remove", {"destination": "/data"})
        assert not [point for point in points(container) if point.startswith("/data")]
    finally:
        subprocess.run(["umount", data / "below"], check=True)


def test_nothing_shows_on_the_host(container, data):
    """What is mounted below it inside stays inside, although the source's mount is shared."""
    subprocess.run(["mount", "--bind", data, data], check=True)
    subprocess.run(["mount", "--make-shared", data], check=True)
    try:
        (data / "inner").mkdir()
        change(container, "add", bind(data, "/data"))
        change(container, "add", tmpfs("/data/inner"))
        assert "/data/inner" in points(container)
        assert str(data / "inner") not in open("/proc/self/mountinfo").read()
    finally:
        subprocess.run(["umount", data], check=True)


@pytest.mark.parametrize("status", ["created", "paused"])
def test_other_states(runtime, bundle, data, status):
    bundle.set("root.readonly", False).args("sh", "-c", "cat /data/file")
    if status == "created":
        container = runtime.create(bundle)
        change(container, "add", bind(data, "/data"))
        container.start()
        container.wait_for_output("of the host")
    else:
        container = runtime.running(bundle.args("/bin/probe", "sleep"))
        container.verb("pause")
        change(container, "add", bind(data, "/data"))
        assert "/data" in points(container)


@pytest.mark.requires("host_root")
def test_user_namespace(runtime, bundle, data):
    """A tmpfs belongs to the container's root; a bind may be id-mapped."""
    bundle.namespace("user").set("root.readonly", False)
    for kind in ("uid", "gid"):
        bundle.set(f"linux.{kind}Mappings", [{"containerID": 0, "hostID": 100000, "size": 65536}])
    os.chown(bundle.rootfs, 100000, 100000)
    container = runtime.running(bundle.args("/bin/probe", "sleep"))
    change(container, "add", tmpfs("/scratch"), bind(data, "/plain"), {**bind(data, "/mapped"), "options": ["bind", "idmap"]})
    owners = container.exec("stat", "-c", "%u", "/scratch", "/plain/file", "/mapped/file").out.split()
    assert owners == ["0", "65534", "0"]
    change(container, "remove", {"destination": "/mapped"}, {"destination": "/plain"}, {"destination": "/scratch"})
    assert not {"/scratch", "/plain", "/mapped"} & set(points(container))


# ---- all or nothing

def test_failure_takes_all_back(container, data):
    refused(container, "add", bind(data, "/one"), tmpfs("/two"), {**tmpfs("/three"), "type": "no-such-file-system"},
            text="mounts.2.")
    assert not (container.runtime.root / container.id / "mounts.json").exists()


def test_missing_source(container, data):
    refused(container, "add", bind(data, "/one"), bind(data / "missing", "/two"), text="mounts.1.*no such file")


@pytest.mark.parametrize("mount, text", [
    (tmpfs("relative"), "not absolute"),
    ({"source": "/"}, "not absolute"),
    (tmpfs("/"), "root of a running container"),
    (tmpfs("/proc/sys"), "inside /proc"),
    ({"destination": "/proc", "type": "proc", "source": "proc"}, "only be made at a container's start"),
    ({"destination": "/sys", "type": "sysfs", "source": "sysfs"}, "only be made at a container's start"),
    ({"destination": "/c", "type": "cgroup", "source": "cgroup"}, "only be made at a container's start"),
    (tmpfs("/tmp", "remount"), "options of a container's start"),
    (tmpfs("/tmp", "tmpcopyup"), "options of a container's start"),
    (tmpfs("/loop/x"), "too many|loop|ELOOP"),
    (tmpfs("/tmp", "size=nonsense"), "size"),
], ids=lambda value: value if isinstance(value, str) else value.get("destination", "none"))
def test_refused(container, mount, text):
    (container.bundle.rootfs / "loop").symlink_to("loop")
    refused(container, "add", mount, text=text)


@pytest.mark.parametrize("text, message", [("7", "not a list"), ("{}", "not a list"), ("[", "JSON|json"), ("[3]", "absolute|object")])
def test_bad_json(container, text, message):
    container.runtime.fails("mounts", "add", container.id, "-", input=text, text=message)


def test_empty_list(container):
    before = table(container)
    change(container, "add")
    change(container, "remove")
    assert table(container) == before


def test_wrong_word(container):
    container.runtime.fails("mounts", "change", container.id, "-", input="[]", text="unknown command")


@pytest.mark.parametrize("action", ["add", "remove"])
def test_stopped_container(container, data, action):
    container.stop()
    container.runtime.fails("mounts", action, container.id, "-", input=json.dumps([bind(data, "/data")]),
                            text="container not running")


def test_unknown_container(runtime, data):
    runtime.fails("mounts", "add", "nobody", "-", input=json.dumps([bind(data, "/data")]), text="does not exist")


def test_file_on_a_folder(container, data):
    refused(container, "add", bind(data / "file", "/tmp"), text="directory")


# ---- removal

def test_removed_one_by_one(container, data):
    before = table(container)
    change(container, "add", bind(data, "/one"), tmpfs("/two"))
    change(container, "remove", {"destination": "/one"})
    assert "/one" not in points(container) and "/two" in points(container)
    change(container, "remove", {"destination": "/two"})
    assert table(container) == before


def test_same_place_twice(container, data):
    """The last one goes first, and the other one shows again."""
    change(container, "add", bind(data, "/place"))
    change(container, "add", tmpfs("/place"))
    assert container.exec("ls", "/place").out == ""
    change(container, "remove", {"destination": "/place"})
    assert container.exec("ls", "/place").out == "file\n"
    change(container, "remove", {"destination": "/place"})
    assert "/place" not in points(container)


def test_mount_of_the_configuration(container):
    """One at exactly that path."""
    change(container, "remove", {"destination": "/dev/mqueue"})
    assert "/dev/mqueue" not in points(container)


def test_what_is_no_mount(container, data):
    change(container, "add", bind(data, "/data"))
    refused(container, "remove", {"destination": "/data"}, {"destination": "/tmp"}, text="is not a mount")
    refused(container, "remove", {"destination": "/missing"}, text="no such file")
    refused(container, "remove", {"destination": "/"}, text="root of a running container")


def test_through_a_link(container, data):
    """Added through a link of the image: removed from where it went, whatever the link says now."""
    rootfs = container.bundle.rootfs
    (rootfs / "real").mkdir()
    (rootfs / "link").symlink_to("/real")
    change(container, "add", bind(data, "/link/data"))
    assert "/real/data" in points(container)
    (rootfs / "link").unlink()
    (rootfs / "link").symlink_to("/tmp")
    change(container, "remove", {"destination": "/link/data"})
    assert "/real/data" not in points(container)


def test_delete_needs_no_removal(container, data):
    change(container, "add", bind(data, "/data"), tmpfs("/scratch"))
    container.stop()
    container.delete()
    assert (data / "file").read_text() == "of the host"
    wait_until(lambda: not container.exists, "the container to go")
