"""Mounts: kinds, options, propagation, targets; what a path may not do."""
import os
import socket
import subprocess

import pytest

from brigtest import brig_only


@pytest.fixture
def source(workdir):
    folder = workdir / "source"
    folder.mkdir()
    (folder / "file").write_text("content")
    (folder / "file").chmod(0o666)
    folder.chmod(0o777)
    return folder


@pytest.fixture
def tree_with_submount(source):
    """A tmpfs below the source, for recursive options."""
    (source / "sub").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "sub", source / "sub"], check=True)
    (source / "sub" / "inner").write_text("inner")
    yield source
    subprocess.run(["umount", source / "sub"], check=True)


def mount_at(mounts, target):
    found = [mount for mount in mounts if mount["target"] == target]
    assert found, f"nothing is mounted at {target}"
    return found[-1]


def options_at(runtime, bundle, target):
    return mount_at(runtime.report(bundle, "mounts"), target)["options"].split(",")


def writes(runtime, bundle, path):
    return runtime.probe(bundle, "write-file", path, "x")["errno"]


# ---- bind

def test_bind(runtime, bundle, source):
    bundle.mount("/data", "bind", source, ["bind"])
    assert runtime.run(bundle.args("cat", "/data/file")).out == "content"


@pytest.mark.parametrize("options", [["bind"], ["rbind"], ["rbind", "rw"], ["bind", "rprivate"]])
def test_bind_is_writable_unless_asked(runtime, bundle, source, options):
    bundle.mount("/data", "bind", source, options)
    assert writes(runtime, bundle, "/data/new") is None
    assert (source / "new").read_text() == "x"


@pytest.mark.parametrize("options", [["bind", "ro"], ["rbind", "ro"], ["ro", "rbind", "rprivate"]])
def test_read_only_bind(runtime, bundle, source, options):
    bundle.mount("/data", "bind", source, options)
    assert writes(runtime, bundle, "/data/new") == "EROFS"
    assert not (source / "new").exists()


@pytest.mark.parametrize("kind", ["bind", "none", "", None])
def test_bind_by_option_alone(runtime, bundle, source, kind):
    """The type is a dummy when bind is among the options."""
    bundle.mount("/data", kind, source, ["bind", "ro"])
    assert runtime.run(bundle.args("cat", "/data/file")).out == "content"


def test_bind_of_a_file(runtime, bundle, source):
    bundle.mount("/etc/bound", "bind", source / "file", ["bind"])
    assert runtime.run(bundle.args("cat", "/etc/bound")).out == "content"
    assert (bundle.rootfs / "etc/bound").read_bytes() == b""


def test_bind_of_a_file_over_a_file(runtime, bundle, source):
    bundle.file("/etc/resolv.conf", "old")
    bundle.mount("/etc/resolv.conf", "bind", source / "file", ["bind", "ro"])
    assert runtime.run(bundle.args("cat", "/etc/resolv.conf")).out == "content"
    assert (bundle.rootfs / "etc/resolv.conf").read_text() == "old"


def test_bind_of_a_socket(runtime, bundle, source):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(source / "sock"))
        bundle.mount("/run/sock", "bind", source / "sock", ["bind"])
        assert runtime.probe(bundle, "stat", "/run/sock")["/run/sock"]["type"] == "socket"


def test_bind_of_a_device(runtime, bundle):
    bundle.mount("/dev/mine", "bind", "/dev/zero", ["bind"])
    told = runtime.probe(bundle, "stat", "/dev/mine")["/dev/mine"]
    assert (told["major"], told["minor"]) == (1, 5)


def test_relative_bind_source_is_relative_to_the_bundle(runtime, bundle):
    (bundle.path / "beside").mkdir()
    (bundle.path / "beside" / "file").write_text("beside")
    bundle.files_before.add("beside")
    bundle.mount("/data", "bind", "beside", ["bind"])
    assert runtime.run(bundle.args("cat", "/data/file")).out == "beside"


def test_bind_without_recursion_leaves_submounts_out(runtime, bundle, tree_with_submount):
    bundle.mount("/data", "bind", tree_with_submount, ["bind"])
    assert runtime.probe(bundle, "list", "/data/sub")["/data/sub"] == []


def test_bind_with_recursion_takes_submounts(runtime, bundle, tree_with_submount):
    bundle.mount("/data", "bind", tree_with_submount, ["rbind"])
    assert runtime.probe(bundle, "list", "/data/sub")["/data/sub"] == ["inner"]


@pytest.mark.parametrize("options,errno", [
    (["rbind", "ro"], None),
    (["rbind", "rro"], "EROFS"),
])
def test_plain_ro_is_not_recursive_and_rro_is(runtime, bundle, tree_with_submount, options, errno):
    bundle.mount("/data", "bind", tree_with_submount, options)
    assert writes(runtime, bundle, "/data/new") == "EROFS"
    assert writes(runtime, bundle, "/data/sub/new") == errno


@pytest.mark.parametrize("option,shown", [
    ("rro", "ro"), ("rnosuid", "nosuid"), ("rnodev", "nodev"), ("rnoexec", "noexec"), ("rnoatime", "noatime"),
    ("rnodiratime", "nodiratime"),
])
@pytest.mark.requires("host_root")
def test_recursive_options(runtime, bundle, tree_with_submount, option, shown):
    bundle.mount("/data", "bind", tree_with_submount, ["rbind", option])
    mounts = runtime.report(bundle, "mounts")
    for target in ("/data", "/data/sub"):
        assert shown in mount_at(mounts, target)["options"].split(","), target


def test_recursive_clear(runtime, bundle, source):
    (source / "sub").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "noexec,nosuid", "sub", source / "sub"], check=True)
    try:
        bundle.mount("/data", "bind", source, ["rbind", "rexec", "rsuid"])
        options = options_at(runtime, bundle, "/data/sub")
        assert "noexec" not in options and "nosuid" not in options
    finally:
        subprocess.run(["umount", source / "sub"], check=True)


@pytest.mark.parametrize("option", ["nosuid", "nodev", "noexec", "noatime", "nodiratime", "relatime", "ro"])
@pytest.mark.requires("host_root")
def test_flag_of_a_bind(runtime, bundle, source, option):
    bundle.mount("/data", "bind", source, ["bind", option])
    assert option in options_at(runtime, bundle, "/data")


@pytest.mark.parametrize("options,absent", [
    (["noexec", "exec"], "noexec"), (["nosuid", "suid"], "nosuid"), (["nodev", "dev"], "nodev"), (["ro", "rw"], "ro"),
])
def test_last_of_opposite_options_wins(runtime, bundle, options, absent):
    bundle.mount("/data", "tmpfs", "tmpfs", options)
    assert absent not in options_at(runtime, bundle, "/data")


def test_noexec_is_enforced(runtime, bundle, source):
    bundle.mount("/data", "bind", bundle.rootfs / "bin", ["bind", "noexec"])
    runtime.run(bundle.args("/data/busybox", "true"), code=1, text="permission denied")


# ---- tmpfs and other kinds

@pytest.mark.parametrize("options,expected", [
    (["size=1m"], "size=1024k"), (["mode=0700"], "mode=700"), (["size=64k", "nr_inodes=100"], "nr_inodes=100"),
    (["uid=1000", "gid=1000"], "uid=1000,gid=1000"),
])
def test_tmpfs_options(runtime, bundle, options, expected):
    bundle.mount("/data", "tmpfs", "tmpfs", options)
    mount = mount_at(runtime.report(bundle, "mounts"), "/data")
    assert mount["type"] == "tmpfs"
    assert expected in mount["super"]


def test_tmpfs_size_is_enforced(runtime, bundle):
    bundle.mount("/data", "tmpfs", "tmpfs", ["size=64k"])
    result = runtime.run(bundle.args("sh", "-c", "probe flood 100000 3 3>/data/file"), code=111)
    assert "No space left" in result.err


def test_read_only_tmpfs(runtime, bundle):
    bundle.mount("/data", "tmpfs", "tmpfs", ["ro"])
    assert writes(runtime, bundle, "/data/x") == "EROFS"


def test_tmpfs_keeps_mode_and_owner_of_its_target(runtime, bundle):
    (bundle.rootfs / "data").mkdir(mode=0o700)
    (bundle.rootfs / "data").chmod(0o711)
    bundle.mount("/data", "tmpfs", "tmpfs", [])
    assert runtime.probe(bundle, "stat", "/data")["/data"]["mode"] == 0o711


def test_tmpcopyup(runtime, bundle):
    bundle.file("/data/deep/file", "below")
    bundle.mount("/data", "tmpfs", "tmpfs", ["tmpcopyup"])
    assert runtime.run(bundle.args("cat", "/data/deep/file")).out == "below"
    assert writes(runtime, bundle, "/data/new") is None
    assert not (bundle.rootfs / "data/new").exists()


@pytest.mark.parametrize("target,kind", [
    ("/proc", "proc"), ("/dev", "tmpfs"), ("/dev/pts", "devpts"), ("/dev/shm", "tmpfs"), ("/dev/mqueue", "mqueue"),
    ("/sys", "sysfs"),
])
def test_default_mounts(runtime, bundle, target, kind):
    assert mount_at(runtime.report(bundle, "mounts"), target)["type"] == kind


def test_mounts_are_made_in_order(runtime, bundle, source):
    bundle.mount("/data", "tmpfs", "tmpfs", []).mount("/data/inner", "bind", source, ["bind"])
    assert runtime.run(bundle.args("cat", "/data/inner/file")).out == "content"


def test_later_mount_hides_the_earlier_one(runtime, bundle, source):
    bundle.mount("/data/inner", "bind", source, ["bind"]).mount("/data", "tmpfs", "tmpfs", [])
    assert runtime.probe(bundle, "list", "/data")["/data"] == []


def test_mount_over_the_working_folder(runtime, bundle, source):
    bundle.set("process.cwd", "/work").mount("/work", "bind", source, ["bind"])
    assert runtime.run(bundle.args("cat", "file")).out == "content"


def test_overlay(runtime, bundle, workdir):
    for name in ("lower", "upper", "work"):
        (workdir / name).mkdir()
    (workdir / "lower/file").write_text("low")
    subprocess.run(["mount", "-t", "tmpfs", "t", workdir / "upper"], check=True)
    try:
        for name in ("u", "w"):
            (workdir / "upper" / name).mkdir()
        bundle.mount("/data", "overlay", "overlay", [f"lowerdir={workdir}/lower", f"upperdir={workdir}/upper/u",
                                                     f"workdir={workdir}/upper/w"])
        assert runtime.run(bundle.args("cat", "/data/file")).out == "low"
    finally:
        subprocess.run(["umount", workdir / "upper"], check=True)


@pytest.mark.parametrize("mount,words", [
    ({"type": "bind", "source": "/no/such/source", "options": ["bind"]}, "no such file or directory"),
    ({"type": "nonsensefs", "source": "x"}, "no such device"),
    ({"type": "tmpfs", "source": "x", "options": ["nonsense=1"]}, "invalid argument"),
    ({"type": "tmpfs", "source": "x", "options": ["size=banana"]}, "invalid argument"),
])
def test_bad_mounts(runtime, bundle, mount, words):
    bundle.spec["mounts"].append({"destination": "/data", **mount})
    runtime.create_fails(bundle, text=words)


@pytest.mark.parametrize("bind_file,target", [(True, "/folder"), (False, "/etc/passwd")])
def test_file_over_folder_is_refused(runtime, bundle, source, bind_file, target):
    (bundle.rootfs / "folder").mkdir()
    bundle.mount(target, "bind", source / "file" if bind_file else source, ["bind"])
    runtime.create_fails(bundle, text="not a directory|is a directory")


# ---- targets

@pytest.mark.parametrize("target", ["/new", "/new/deep/er", "/tmp/../other", "//double//slash", "/trailing/"])
def test_missing_target_is_made(runtime, bundle, source, target):
    bundle.mount(target, "bind", source, ["bind"])
    assert runtime.run(bundle.args("cat", os.path.normpath(target) + "/file")).out == "content"


def test_missing_target_of_a_file_is_a_file(runtime, bundle, source):
    bundle.mount("/new/deep/file", "bind", source / "file", ["bind"])
    assert runtime.run(bundle.args("cat", "/new/deep/file")).out == "content"


@pytest.mark.parametrize("link", ["/elsewhere", "elsewhere", "/a/../elsewhere", "../../../elsewhere"])
def test_link_as_target_stays_in_the_root(runtime, bundle, source, link):
    (bundle.rootfs / "link").symlink_to(link)
    (bundle.rootfs / "a").mkdir()
    (bundle.rootfs / "elsewhere").mkdir()
    bundle.mount("/link", "bind", source, ["bind"])
    assert runtime.run(bundle.args("cat", "/elsewhere/file")).out == "content"


def test_link_to_a_host_folder_stays_in_the_root(runtime, bundle, source, workdir):
    host = workdir / "host"
    host.mkdir()
    (bundle.rootfs / "link").symlink_to(host)
    bundle.mount("/link", "bind", source, ["bind"])
    assert runtime.run(bundle.args("cat", f"{host}/file")).out == "content"
    assert os.listdir(host) == []


def test_dangling_link_as_target(runtime, bundle, source):
    (bundle.rootfs / "link").symlink_to("/made/by/the/runtime")
    bundle.mount("/link", "bind", source, ["bind"])
    assert runtime.run(bundle.args("cat", "/made/by/the/runtime/file")).out == "content"


def test_link_in_the_middle_stays_in_the_root(runtime, bundle, source, workdir):
    canary = workdir / "canary"
    canary.mkdir()
    (bundle.rootfs / "up").symlink_to(f"../../../../../..{canary}")
    bundle.mount("/up/inner", "bind", source, ["bind"])
    runtime.run(bundle.args("true"))
    assert os.listdir(canary) == []


def test_looping_link_is_refused(runtime, bundle, source):
    (bundle.rootfs / "one").symlink_to("two")
    (bundle.rootfs / "two").symlink_to("one")
    bundle.mount("/one", "bind", source, ["bind"])
    runtime.create_fails(bundle, text="too many|loop|one")


@pytest.mark.parametrize("name", ["proc", "sys"])
def test_proc_or_sys_as_link_is_refused(runtime, bundle, name):
    """CVE-2019-19921, CVE-2023-27561."""
    (bundle.rootfs / name).rmdir()
    (bundle.rootfs / "elsewhere").mkdir()
    (bundle.rootfs / name).symlink_to("elsewhere")
    runtime.create_fails(bundle, text="must be mounted on ordinary directory|symlink|ordinary")


@pytest.mark.parametrize("target", ["/proc", "/proc/self", "/proc/sys/kernel"])
def test_volume_over_proc_is_refused(runtime, bundle, source, target):
    bundle.mount(target, "bind", source, ["bind"])
    runtime.create_fails(bundle, text="inside /proc|proc")


def test_file_over_an_allowed_proc_file(runtime, bundle, source):
    """lxcfs binds these."""
    bundle.mount("/proc/uptime", "bind", source / "file", ["bind"])
    assert runtime.run(bundle.args("cat", "/proc/uptime")).out == "content"


def test_relative_target_starts_at_the_root(runtime, bundle, source):
    """Deprecated by the spec, and taken by every runtime."""
    bundle.mount("relative/target", "bind", source, ["bind"])
    assert "content" in runtime.run(bundle.args("cat", "/relative/target/file")).out


@brig_only("runc 1.1.5 mounts over the root")
def test_empty_target_is_refused(runtime, bundle, source):
    bundle.mount("", "bind", source, ["bind"])
    runtime.create_fails(bundle, text="destination|absolute|empty")


# ---- propagation

def tags(mount):
    return {tag.split(":")[0] for tag in mount["tags"]}


@pytest.mark.parametrize("options,expected", [
    (["bind", "private"], set()), (["bind", "shared"], {"shared", "master"}),
    (["rbind", "rshared"], {"shared", "master"}),
    (["bind", "unbindable"], {"unbindable"}), (["rbind", "rprivate"], set()),
    (["bind", "slave"], {"master"}), (["rbind", "rslave"], {"master"}),
])
def test_propagation_of_a_mount(runtime, bundle, workdir, options, expected):
    shared = workdir / "shared"
    shared.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "t", shared], check=True)
    subprocess.run(["mount", "--make-shared", shared], check=True)
    try:
        bundle.set("linux.rootfsPropagation", "rslave").mount("/data", "bind", shared, options)
        assert tags(mount_at(runtime.report(bundle, "mounts"), "/data")) == expected
    finally:
        subprocess.run(["umount", shared], check=True)


def test_slave_mount_receives_host_mounts(runtime, bundle, workdir):
    shared = workdir / "shared"
    shared.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "t", shared], check=True)
    subprocess.run(["mount", "--make-shared", shared], check=True)
    try:
        bundle.set("linux.rootfsPropagation", "rslave").mount("/data", "bind", shared, ["rbind", "rslave"])
        container = runtime.running(bundle)
        (shared / "late").mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "late", shared / "late"], check=True)
        (shared / "late" / "seen").touch()
        assert container.probe("list", "/data/late")["/data/late"] == ["seen"]
        container.delete("--force")
    finally:
        subprocess.run(["umount", "-R", shared], check=True)


@pytest.mark.parametrize("value,expected", [
    ("private", set()), ("rprivate", set()), ("slave", set()), ("rslave", set()),
    brig_only("right since runc 1.3.1", "shared", {"shared"}),
    brig_only("right since runc 1.3.1", "rshared", {"shared"}),
    brig_only("right since runc 1.3.1", "unbindable", {"unbindable"}),
])
def test_rootfs_propagation(runtime, bundle, value, expected):
    bundle.set("linux.rootfsPropagation", value)
    root = mount_at(runtime.report(bundle, "mounts"), "/")
    assert tags(root) - {"master"} == expected


def test_unknown_rootfs_propagation_is_refused(runtime, bundle):
    runtime.create_fails(bundle.set("linux.rootfsPropagation", "sideways"), text="sideways")


def test_mounts_of_the_container_do_not_reach_the_host(runtime, bundle):
    before = open("/proc/self/mountinfo").read()
    container = runtime.running(bundle)
    assert open("/proc/self/mountinfo").read() == before
    container.delete("--force")


def test_old_root_is_gone(runtime, bundle, workdir):
    """Nothing of the host's tree is in the container's mount table."""
    mounts = runtime.report(bundle, "mounts")
    targets = [mount["target"] for mount in mounts]
    assert targets[0] == "/"
    assert not [target for target in targets if str(workdir) in target or target.startswith("/mnt")]


# ---- the root file system

@pytest.mark.parametrize("readonly,errno", [(True, "EROFS"), (False, None), (None, None)])
def test_read_only_root(runtime, bundle, readonly, errno):
    if readonly is None:
        bundle.drop("root.readonly")
    else:
        bundle.set("root.readonly", readonly)
    assert writes(runtime, bundle, "/written") == errno
    assert (bundle.rootfs / "written").exists() == (errno is None)


def test_read_only_root_leaves_other_mounts_writable(runtime, bundle, source):
    bundle.mount("/data", "bind", source, ["bind"])
    assert writes(runtime, bundle, "/data/x") is None
    assert writes(runtime, bundle, "/dev/shm/x") is None


# ---- masked and read-only paths

def test_masked_file_is_empty(runtime, bundle):
    bundle.file("/secret", "secret")
    bundle.linux["maskedPaths"].append("/secret")
    assert runtime.run(bundle.args("cat", "/secret")).out == ""
    assert (bundle.rootfs / "secret").read_text() == "secret"


def test_masked_folder_is_empty_and_read_only(runtime, bundle):
    bundle.file("/secrets/one", "secret")
    bundle.linux["maskedPaths"].append("/secrets")
    assert runtime.probe(bundle, "list", "/secrets")["/secrets"] == []
    assert writes(runtime, bundle, "/secrets/new") == "EROFS"


@pytest.mark.parametrize("path", ["/proc/keys", "/proc/timer_list"])
def test_masked_proc_file(runtime, bundle, path):
    assert runtime.run(bundle.args("cat", path)).out == ""
    assert runtime.probe(bundle, "stat", path)[path]["type"] == "character device"


@pytest.mark.parametrize("key", ["maskedPaths", "readonlyPaths"])
def test_missing_path_is_ignored(runtime, bundle, key):
    bundle.linux[key].append("/not/there")
    runtime.run(bundle.args("true"))


def test_masked_and_read_only_path_through_a_link_stays_inside(runtime, bundle, workdir):
    canary = workdir / "canary"
    canary.write_text("host")
    (bundle.rootfs / "link").symlink_to(canary)
    bundle.linux["maskedPaths"].append("/link")
    runtime.call("run", "--bundle", bundle.write().path, "masked")
    assert canary.read_text() == "host"


def test_read_only_path(runtime, bundle):
    bundle.set("root.readonly", False).file("/frozen/file", "x", 0o666)
    bundle.linux["readonlyPaths"].append("/frozen")
    assert writes(runtime, bundle, "/frozen/file") == "EROFS"
    assert writes(runtime, bundle, "/free") is None


@pytest.mark.parametrize("path", ["/proc/sys/kernel/hostname", "/proc/irq/default_smp_affinity"])
def test_read_only_proc_paths(runtime, bundle, path):
    if not os.path.exists(path):
        pytest.skip(f"needs a kernel with {path}")
    bundle.all_capabilities()
    assert runtime.probe(bundle, "open", path, "w")["errno"] == "EROFS"


def test_sys_is_read_only(runtime, bundle):
    bundle.all_capabilities()
    path = next(path for path in ("/sys/kernel/mm/ksm/run", "/sys/kernel/uevent_helper") if os.path.exists(path))
    assert writes(runtime, bundle, path) == "EROFS"


# ---- id-mapped mounts

@brig_only("spec 1.1; runc 1.1.5 does not know mappings of a mount")
@pytest.mark.parametrize("options", [["bind", "idmap"], ["rbind", "ridmap"], ["bind"]])
@pytest.mark.requires("host_root")
def test_id_mapped_mount(runtime, bundle, source, options):
    (source / "owned").touch()
    os.chown(source / "owned", 1234, 1235)
    bundle.namespace("user")
    maps = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    bundle.set("linux.uidMappings", maps).set("linux.gidMappings", maps)
    subprocess.run(["chown", "-hR", "100000:100000", bundle.rootfs], check=True)
    mount_maps = [{"containerID": 0, "hostID": 0, "size": 65536}]
    bundle.mount("/data", "bind", source, options)
    bundle.spec["mounts"][-1].update(uidMappings=[{**mount_maps[0], "hostID": 100000}],
                                     gidMappings=[{**mount_maps[0], "hostID": 100000}])
    told = runtime.probe(bundle, "stat", "/data/owned")["/data/owned"]
    assert (told["uid"], told["gid"]) == (1234, 1235)


@brig_only("runc 1.1.5 takes any option for data of the file system")
def test_nosymfollow(runtime, bundle, source):
    (source / "link").symlink_to("file")
    bundle.mount("/data", "bind", source, ["bind", "nosymfollow"])
    assert runtime.probe(bundle, "open", "/data/link", "r")["errno"] == "ELOOP"
