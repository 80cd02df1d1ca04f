"""Inheritable capabilities: CVE-2022-24769 (engine), 2022-27650 (crun), 2022-29162 (runc exec --cap), 2025-27612 (youki).
A set that is not empty turns the file capabilities of a program in the image into privileges of any user."""
import json
import os
import shutil
import struct

import pytest

CAP_NET_RAW = 13
VFS_CAP_REVISION_2, VFS_CAP_FLAGS_EFFECTIVE = 0x02000000, 1


def inheritable_and_ambient(outcome):
    caps = json.loads(outcome.out)["caps"]
    return [f"{name}: {caps[name]}" for name in ("inheritable", "ambient") if caps[name]]


def test_run(target, attack_bundle):
    bundle = attack_bundle().args("/bin/probe", "caps")
    before = ["inheritable", hex(1 << CAP_NET_RAW)]
    target.judge(inheritable_and_ambient(target.run(bundle, **({"before_exec": before} if target.is_weak else {}))))


@pytest.mark.parametrize("flags", [(), ("--cap", "CAP_NET_RAW"), ("--cap", "CAP_NET_RAW", "--user", "1000:1000"),
                                   ("--cap", "CAP_SYS_ADMIN", "--cap", "CAP_NET_RAW")], ids=" ".join)
def test_exec(runtime, attack_bundle, flags):
    caps = runtime.running(attack_bundle()).report("caps", flags=flags)
    assert caps["inheritable"] == []
    if "--user" in flags:
        assert "CAP_NET_RAW" in caps["bounding"]


def test_spec_writes_none(runtime, workdir):
    runtime.ok("spec", "--bundle", workdir)
    capabilities = json.loads((workdir / "config.json").read_text())["process"]["capabilities"]
    assert not capabilities.get("inheritable")
    assert capabilities["bounding"]


def file_with_inheritable_capability(bundle):
    """A program that any user of the image may run, with CAP_NET_RAW in its inheritable file capabilities."""
    program = bundle.rootfs / "bin/with-capability"
    shutil.copy(bundle.rootfs / "bin/probe", program)
    program.chmod(0o755)
    os.setxattr(program, "security.capability", struct.pack("<5I", VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE, 0,
                                                            1 << CAP_NET_RAW, 0, 0))
    return "/bin/with-capability"


def test_file_capabilities_give_nothing(target, attack_bundle):
    """The whole attack: an unprivileged user runs that program."""
    bundle = attack_bundle()
    bundle.args(file_with_inheritable_capability(bundle), "caps").set("process.user", {"uid": 1000, "gid": 1000})
    before = ["inheritable", hex(1 << CAP_NET_RAW)]
    outcome = target.run(bundle, **({"before_exec": before} if target.is_weak else {}))
    target.judge(json.loads(outcome.out)["caps"]["permitted"])


def test_file_capabilities_give_nothing_in_exec(runtime, attack_bundle):
    bundle = attack_bundle()
    program = file_with_inheritable_capability(bundle)
    container = runtime.running(bundle)
    for flags in (("--user", "1000:1000"), ("--user", "1000:1000", "--cap", "CAP_NET_ADMIN")):
        caps = json.loads(container.exec(program, "caps", flags=flags).out)["caps"]
        assert "CAP_NET_RAW" not in caps["permitted"] and "CAP_NET_RAW" not in caps["effective"]
