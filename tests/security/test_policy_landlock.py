"""Landlock rules of a policy: each attack on a file works in the same bundle under the same policy without the rules."""
import json

import pytest

from brigtest import settings

pytestmark = [pytest.mark.brig_only("other runtimes have no policies"), pytest.mark.requires("landlock")]

RULES = {"read": ["/etc", "/proc", "/dev"], "readWrite": ["/tmp", "/dev/null"], "execute": ["/bin"]}
COMMON = {"privileges": {"noNewPrivileges": True}}


@pytest.fixture
def ruled(installed):
    installed.write("ruled", filesystem={"landlock": RULES}, **COMMON)
    return installed.under("ruled")


@pytest.fixture
def unruled(installed):
    installed.write("unruled", **COMMON)
    return installed.under("unruled")


@pytest.fixture
def files(bundle):
    bundle.set("root.readonly", False).all_capabilities()
    bundle.file("secret/key", "k")
    bundle.file("etc/readable", "r")
    bundle.file("tmp/old", "0123456789")
    bundle.file("secret/program", "#!/bin/sh\necho ran\n", 0o755)
    (bundle.rootfs / "bin/linked").symlink_to("../secret/key")
    return bundle


ATTACKS = {
    "read outside": ["open", "/secret/key", "r"],
    "read through a link": ["open", "/bin/linked", "r"],
    "read through /proc": ["open", "/proc/self/root/secret/key", "r"],
    "list outside": ["open", "/secret", "dir"],
    "write outside": ["write-file", "/secret/new", "x"],
    "write what may be read": ["write-file", "/etc/new", "x"],
    "make a directory": ["mkdir", "/etc/folder"],
    "remove a file": ["unlink", "/etc/readable"],
    "truncate": ["syscall", "truncate", "/etc/group", "0"],
}


@pytest.mark.parametrize("name", [name for name in ATTACKS if name != "truncate"])
def test_attack(ruled, unruled, files, name):
    assert ruled.probe(files, *ATTACKS[name])["errno"] == "EACCES"
    assert unruled.probe(files, *ATTACKS[name])["errno"] is None


def shell(runtime, bundle, line, code=None):
    bundle.args("/bin/sh", "-c", line)
    return runtime.call("run", "--bundle", bundle.write().path, runtime._prepare(bundle, None, False))


def test_execute_outside(ruled, unruled, files):
    assert "ran" not in shell(ruled, files, "/secret/program").out
    assert shell(unruled, files, "/secret/program").out == "ran\n"


def test_execute_what_may_be_written(ruled, unruled, files):
    line = "echo '#!/bin/sh\necho ran' > /tmp/program; chmod 755 /tmp/program; /tmp/program"
    assert "ran" not in shell(ruled, files, line).out
    assert shell(unruled, files, line).out == "ran\n"


def test_what_the_rules_allow(ruled, files):
    result = shell(ruled, files, "cat /etc/readable; echo x > /tmp/new; cat /tmp/new; mkdir /tmp/d; mv /tmp/new /tmp/d/n; "
                                 "rm -r /tmp/d; echo > /dev/null; ls /bin > /dev/null && echo listed")
    assert result.out == "rx\nlisted\n", result


def test_exec_has_the_rules(ruled, unruled, files):
    files.args("/bin/probe", "sleep")
    assert ruled.running(files).probe("open", "/secret/key", "r")["errno"] == "EACCES"
    assert unruled.running(files).probe("open", "/secret/key", "r")["errno"] is None


def test_an_image_cannot_widen_a_rule_by_a_link(installed, files):
    """/data of the image points at the root: the rule for /data must not become one for all."""
    (files.rootfs / "data").symlink_to("/")
    installed.write("linked", filesystem={"landlock": {**RULES, "read": ["/data"]}}, **COMMON)
    assert installed.under("linked").probe(files, "open", "/secret/key", "r")["errno"] == "EACCES"


def test_the_rules_cannot_be_taken_off(ruled, files):
    """Mounting over and changing the root are denied as a whole to a process under Landlock."""
    assert ruled.probe(files, "mount", "/secret", "/tmp", "bind")["errno"] == "EPERM"
    assert ruled.probe(files, "chroot", "/secret")["errno"] in (None, "EPERM", "EACCES")
    assert json.loads(shell(ruled, files, "/bin/probe open /secret/key r").out)["errno"] == "EACCES"


def test_a_kernel_without_landlock_refuses(ruled, installed, files, workdir, monkeypatch):
    """A policy that cannot be held is no start."""
    assert ruled.run(files.args("/bin/true")).code == 0
    old_kernel = workdir / "landlock_create_ruleset"
    old_kernel.symlink_to(settings.helper_path("without_calls"))
    monkeypatch.setenv("BRIG_WITH_ALL_CALLS", ruled.binary)
    monkeypatch.setattr(ruled, "binary", str(old_kernel))
    ruled.create_fails(files, text="filesystem.landlock: this kernel has no Landlock")
