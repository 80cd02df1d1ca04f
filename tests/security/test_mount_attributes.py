"""Options of mounts are promises: noexec, nosuid, nodev and ro hold, for submounts too where that was asked, and cannot be
taken back from inside. Without the option (the control) the attack works."""
import json
import os
import shutil
import stat
import subprocess

import pytest

from brigtest import is_reference


@pytest.fixture
def volume(workdir, attack_bundle):
    """A volume with a set-user-id program, a program, a device and a file in it."""
    folder = workdir / "volume"
    folder.mkdir(mode=0o777)
    probe = attack_bundle().rootfs / "bin/probe"
    shutil.copy(probe, folder / "setuid-root")
    (folder / "setuid-root").chmod(0o4755)
    shutil.copy(probe, folder / "program")
    os.mknod(folder / "device", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    (folder / "file").write_text("content")
    return folder


def attempt(runtime, attack_bundle, volume, options, *argv, user=None):
    bundle = attack_bundle().args(*argv)
    bundle.mount("/volume", "bind", volume, options)
    if user:
        bundle.set("process.user", {"uid": user, "gid": user})
    return runtime.call("run", "--bundle", bundle.write().path, runtime._prepare(bundle, None))


def test_nosuid(runtime, attack_bundle, volume):
    uids = {}
    for options in (["rbind"], ["rbind", "nosuid"]):
        result = attempt(runtime, attack_bundle, volume, options, "/volume/setuid-root", "ids", user=1000)
        uids[options[-1]] = json.loads(result.out)["ids"]["euid"]
    assert uids == {"rbind": 0, "nosuid": 1000}


def test_no_new_privileges(runtime, attack_bundle, volume):
    uids = {}
    for promised in (False, True):
        bundle = attack_bundle().args("/volume/setuid-root", "ids").set("process.noNewPrivileges", promised)
        bundle.mount("/volume", "bind", volume, ["rbind"]).set("process.user", {"uid": 1000, "gid": 1000})
        uids[promised] = runtime.run(bundle).json()["ids"]["euid"]
    assert uids == {False: 0, True: 1000}


def test_noexec(runtime, attack_bundle, volume):
    argv = ("/bin/probe", "exec", "/volume/program", "print", "ran")
    assert attempt(runtime, attack_bundle, volume, ["rbind"], *argv).out == "ran\n"
    assert json.loads(attempt(runtime, attack_bundle, volume, ["rbind", "noexec"], *argv).out)["errno"] == "EACCES"


def test_nodev(runtime, attack_bundle, volume):
    argv = ("/bin/probe", "open", "/volume/device", "rw")
    assert json.loads(attempt(runtime, attack_bundle, volume, ["rbind"], *argv).out)["result"] >= 0
    assert json.loads(attempt(runtime, attack_bundle, volume, ["rbind", "nodev"], *argv).out)["errno"] == "EACCES"


@pytest.mark.parametrize("options", [["rbind", "ro"], ["bind", "ro"], ["rbind", "rro"], ["ro", "rbind"],
                                     ["rbind", "rprivate", "ro"]], ids=" ".join)
def test_read_only(runtime, attack_bundle, volume, options):
    argv = ("/bin/probe", "write-file", "/volume/file", "changed")
    result = attempt(runtime, attack_bundle, volume, options, *argv)
    if "rro" in options and result.code != 0 and is_reference():
        pytest.xfail("the reference in the distribution does not know rro")
    assert json.loads(result.out)["errno"] == "EROFS"
    assert (volume / "file").read_text() == "content"
    attempt(runtime, attack_bundle, volume, ["rbind"], *argv)
    assert (volume / "file").read_text() == "changed"


@pytest.fixture
def submount(volume):
    (volume / "below").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", volume / "below"], check=True)
    yield volume
    subprocess.run(["umount", volume / "below"], check=True)


@pytest.mark.parametrize("recursive, plain, attack", [
    ("rro", "ro", ("write-file", "/volume/below/file", "changed")),
    ("rnoexec", "noexec", ("exec", "/volume/below/program")),
    ("rnodev", "nodev", ("open", "/volume/below/device", "rw")),
])
def test_recursive_options_reach_submounts(runtime, attack_bundle, submount, recursive, plain, attack):
    """The plain option covers the top alone, as mount(8) has it (the control); the recursive one covers what is below."""
    shutil.copy(submount / "program", submount / "below/program")
    os.mknod(submount / "below/device", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    loose = attempt(runtime, attack_bundle, submount, ["rbind", plain], "/bin/probe", *attack)
    assert "EROFS" not in loose.out and "EACCES" not in loose.out, loose
    strict = attempt(runtime, attack_bundle, submount, ["rbind", recursive], "/bin/probe", *attack)
    if strict.code != 0:
        assert is_reference(), strict
        pytest.xfail("runc 1.1 knows no recursive options")
    assert json.loads(strict.out)["errno"] in ("EROFS", "EACCES"), strict


def test_read_only_root(runtime, attack_bundle):
    argv = ("write-file", "/made", "text")
    assert runtime.probe(attack_bundle(), *argv)["result"] == 4
    assert runtime.probe(attack_bundle().set("root.readonly", True), *argv)["errno"] == "EROFS"


@pytest.mark.parametrize("remount", [("none", "/volume", "none", str(32 | 4096), ""), ("none", "/", "none", str(32 | 4096), ""),
                                     ("proc", "/tmp", "proc", "0", ""), ("none", "/proc/sys", "none", str(32 | 4096), "")],
                         ids=["volume", "root", "second proc", "proc sys"])
def test_not_taken_back_from_inside(runtime, attack_bundle, volume, remount):
    """Docker's capabilities do not remount; CAP_SYS_ADMIN (the control) does."""
    outcomes = {}
    for title in ("docker", "admin"):
        bundle = attack_bundle().set("root.readonly", True).mount("/volume", "bind", volume, ["rbind", "ro"])
        if title == "admin":
            bundle.all_capabilities()
        outcomes[title] = runtime.probe(bundle, "mount", *remount)
    assert outcomes["docker"]["errno"] == "EPERM"
    assert outcomes["admin"]["errno"] != "EPERM" or remount[2] == "proc", outcomes
