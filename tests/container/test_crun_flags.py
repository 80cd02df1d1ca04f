"""Flags that crun has besides runc's, and the rarer ones of runc."""
import json
import os

import pytest

from brigtest import brig_only

pytestmark = brig_only("crun's flags, and words of brig's own")


@pytest.mark.parametrize("verb", ["create", "run"])
def test_config_flag(runtime, bundle, verb):
    """Another file of the bundle; paths in it are still relative to the bundle."""
    bundle.args("echo", "from the other file")
    (bundle.path / "other.json").write_text(json.dumps(bundle.spec))
    bundle.files_before.add("other.json")
    bundle.config.write_text("{}")
    result = runtime.ok(verb, "--bundle", bundle.path, "--config", "other.json", "configured")
    runtime.ids.append("configured")
    if verb == "run":
        assert result.out == "from the other file\n"
    else:
        assert runtime.state("configured")["status"] == "created"


@pytest.mark.parametrize("verb", ["create", "run"])
def test_config_flag_of_a_missing_file(runtime, bundle, verb):
    bundle.write()
    runtime.fails(verb, "--bundle", bundle.path, "--config", "absent.json", "configured", text="absent.json")


@pytest.mark.parametrize("verb", ["kill", "delete"])
def test_regex_is_refused(runtime, bundle, verb):
    container = runtime.running(bundle)
    result = runtime.call(verb, "--regex", ".*")
    assert result.code != 0 and "regex" in result.err
    assert container.status == "running"


@pytest.mark.parametrize("flag,module,path", [("--apparmor", "apparmor", "/sys/kernel/security/apparmor"),
                                              ("--process-label", "selinux", "/sys/fs/selinux/enforce")])
def test_labels_of_exec(runtime, bundle, flag, module, path):
    """A profile that is not there, or a module that is not: never a process without its label."""
    container = runtime.running(bundle)
    result = container.exec_fails("true", flags=[flag, "no-such-profile"])
    assert os.path.exists(path) or module in result.message.lower()


def test_ps_arguments(runtime, bundle):
    container = runtime.running(bundle)
    table = runtime.ok("ps", container.id, "-o", "pid,comm").out.splitlines()
    assert table[0].split() == ["PID", "COMMAND"]
    assert [line.split()[0] for line in table[1:]] == [str(container.pid)]


@pytest.mark.parametrize("flag", ["--kernel-memory", "--kernel-memory-tcp"])
def test_kernel_memory_is_warned_of(runtime, bundle, flag):
    container = runtime.running(bundle)
    result = runtime.ok("update", flag, "64M", container.id)
    assert [entry["msg"] for entry in result.log if entry["level"] == "warning"] == [
        f"{flag} has no effect: the kernel has no such limit any more"]
