"""Id-mapped mounts: uidMappings and gidMappings of a mount, and crun's idmap= and ridmap= with a mapping of their own."""
import os
import subprocess

import pytest

from brigtest import brig_only

pytestmark = brig_only("runc maps binds by their properties only, and from 1.2 on")


def owner(runtime, bundle, path, **options):
    return runtime.run(bundle.args("stat", "-c", "%u:%g", path), **options).out.strip()


@pytest.fixture
def volume(workdir):
    folder = workdir / "volume"
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "file").write_text("text")
    return folder


def in_user_namespace(bundle, first=100000):
    bundle.namespace("user")
    for kind in ("uidMappings", "gidMappings"):
        bundle.set(f"linux.{kind}", [{"containerID": 0, "hostID": first, "size": 1000},
                                     {"containerID": 1000, "hostID": 300000, "size": 1000}])
    subprocess.run(["chown", "-R", f"{first}:{first}", bundle.rootfs], check=True)
    return bundle


def test_bind_with_mapping(runtime, bundle, volume):
    bundle.mount("/mapped", "bind", volume, ["bind", "idmap=uids=0-1000-10;gids=0-2000-10"])
    assert owner(runtime, bundle, "/mapped/file") == "1000:2000"


def test_bind_with_several_ranges(runtime, bundle, volume):
    os.chown(volume / "file", 15, 12)
    bundle.mount("/mapped", "bind", volume, ["bind", "idmap=gids=0-0-5#10-70-5;uids=0-0-1#10-50-10"])
    assert owner(runtime, bundle, "/mapped/file") == "55:72"


def test_mapping_goes_both_ways(runtime, bundle, volume):
    """What the container's user 1000 makes belongs to the file system's 0."""
    os.chown(volume, 0, 0)
    bundle.mount("/mapped", "bind", volume, ["bind", "rw", "idmap=uids=0-1000-10;gids=0-1000-10"])
    bundle.set("process.user", {"uid": 1000, "gid": 1000})
    runtime.run(bundle.args("touch", "/mapped/made"))
    assert (volume / "made").stat().st_uid == 0


def test_relative_mapping(runtime, bundle, volume):
    """With @ the second number is an id inside the container."""
    bundle.mount("/mapped", "bind", volume, ["bind", "idmap=uids=@0-5-10;gids=@0-1007-10"])
    assert owner(runtime, in_user_namespace(bundle), "/mapped/file") == "5:1007"


def test_absolute_mapping_in_a_user_namespace(runtime, bundle, volume):
    bundle.mount("/mapped", "bind", volume, ["bind", "idmap=uids=0-100003-10;gids=0-300004-10"])
    assert owner(runtime, in_user_namespace(bundle), "/mapped/file") == "3:1004"


@pytest.mark.parametrize("option,expected", [("idmap", "0:0"), ("ridmap", "1000:2000")])
def test_recursion(runtime, bundle, volume, option, expected):
    """idmap maps the mount itself, ridmap also those below: a file system that the volume brings along."""
    below = volume / "below"
    below.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "t", below], check=True)
    try:
        bundle.mount("/mapped", "bind", volume, ["rbind", f"{option}=uids=0-1000-10;gids=0-2000-10"])
        assert owner(runtime, bundle, "/mapped/below") == expected
        assert owner(runtime, bundle, "/mapped/file") == "1000:2000"
    finally:
        subprocess.run(["umount", below], check=True)


def test_file_system_with_mapping(runtime, bundle):
    """Not only binds: any file system that the kernel can map."""
    bundle.mount("/mapped", "tmpfs", "tmpfs", ["mode=755", "idmap=uids=0-1000-10;gids=0-2000-10"])
    assert owner(runtime, bundle, "/mapped") == "1000:2000"


def test_file_system_with_properties(runtime, bundle):
    bundle.mount("/mapped", "tmpfs", "tmpfs", ["mode=755"])
    bundle.spec["mounts"][-1]["uidMappings"] = [{"containerID": 0, "hostID": 1000, "size": 10}]
    bundle.spec["mounts"][-1]["gidMappings"] = [{"containerID": 0, "hostID": 2000, "size": 10}]
    assert owner(runtime, bundle, "/mapped") == "1000:2000"


@pytest.mark.parametrize("option,expected", [("idmap", "0:0"), ("idmap=uids=@0-7-1;gids=@0-1008-1", "7:1008")])
def test_file_system_in_a_user_namespace(runtime, bundle, option, expected):
    """The superblock is the host's then; the mapping is what makes it the container's."""
    (bundle.rootfs / "mapped").mkdir()
    (bundle.rootfs / "mapped").chmod(0o750)
    bundle.mount("/mapped", "tmpfs", "tmpfs", ["size=1m", option])
    assert owner(runtime, in_user_namespace(bundle), "/mapped") == expected
    result = runtime.run(bundle.args("sh", "-c", "touch /mapped/x && stat -c %u:%a /mapped")) if option == "idmap" else None
    assert result is None or result.out == "0:750\n"


def test_read_only_file_system_with_mapping(runtime, bundle):
    bundle.mount("/mapped", "tmpfs", "tmpfs", ["ro", "idmap"])
    runtime.run(in_user_namespace(bundle).args("touch", "/mapped/x"), code=1)


def test_file_system_that_cannot_be_mapped(runtime, bundle):
    bundle.spec["mounts"][0]["options"] = ["idmap=uids=0-1000-10;gids=0-2000-10"]
    runtime.create_fails(bundle, text="/proc.*cannot be id-mapped by this kernel")


@pytest.mark.parametrize("option,words", [
    ("idmap=", "neither uids= nor gids="),
    ("idmap=uids=0-0-1", "needs both uids= and gids="),
    ("idmap=uids=0-0-1;gids=0-0", '"0-0" of an id mapping is not three numbers .*write it like'),
    ("idmap=uids=0-0-1;gids=0-0-x", '"0-0-x" of an id mapping is not three numbers'),
    ("idmap=uids=0-0-4294967296;gids=0-0-1", "is not three numbers"),
    ("idmap=uids=0-0-0;gids=0-0-1", "must be more than 0"),
    ("idmap=uids=0-0-1;uids=0-0-1", '"uids=" comes twice'),
    ("idmap=uids=0-0-10#5-20-10;gids=0-0-1", "maps id 5 twice"),
    ("idmap=uids=0-0-1;gids=0-0-1;names=x", '"names=x" of an id mapping is neither'),
    ("ridmap=uids=@0-0-1;gids=0-0-1", "@0-0-1 is not inside one mapping of the container's user namespace"),
    ("idmap", "has the option idmap but nothing to map"),
])
def test_bad_mapping(runtime, bundle, volume, option, words):
    bundle.mount("/mapped", "bind", volume, ["bind", option])
    runtime.create_fails(bundle, text=rf"mounts\[7\].*{words}")


def test_relative_mapping_across_ranges(runtime, bundle, volume):
    """crun maps it wrongly; here it is refused."""
    bundle.mount("/mapped", "bind", volume, ["bind", "idmap=uids=@0-995-10;gids=0-0-1"])
    runtime.create_fails(in_user_namespace(bundle), text="@0-995-10 is not inside one mapping .*split it")


def test_mapping_twice(runtime, bundle, volume):
    bundle.mount("/mapped", "bind", volume, ["bind", "idmap=uids=0-1-1;gids=0-1-1"])
    bundle.spec["mounts"][-1]["uidMappings"] = [{"containerID": 0, "hostID": 1000, "size": 10}]
    bundle.spec["mounts"][-1]["gidMappings"] = [{"containerID": 0, "hostID": 2000, "size": 10}]
    runtime.create_fails(bundle, text="uidMappings and the option idmap= with another mapping")
