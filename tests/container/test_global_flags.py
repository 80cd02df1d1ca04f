"""Flags before the verb, and how flags may be spelled."""
import datetime
import json
import os
import re
import subprocess

import pytest

from brigtest import brig_only, settings


def log_lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_json_log_is_a_stream_of_objects(runtime):
    for _ in range(3):
        runtime.call("state", "no-such")
    entries = log_lines(runtime.log)
    assert len([entry for entry in entries if entry["level"] == "error"]) == 3
    for entry in entries:
        assert {"level", "msg", "time"} <= set(entry)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", entry["time"])
        datetime.datetime.fromisoformat(entry["time"].replace("Z", "+00:00"))


def test_log_is_appended_to(runtime):
    """One file serves all verbs of a container and is never cleared in between."""
    runtime.log.write_text('{"level":"info","msg":"mine","time":"2020-01-01T00:00:00Z"}\n')
    runtime.call("state", "no-such")
    first, second = [entry["msg"] for entry in log_lines(runtime.log)]
    assert first == "mine" and "container does not exist" in second


def test_log_does_not_replace_stderr(runtime):
    assert "container does not exist" in runtime.call("state", "no-such").err


def test_text_log(runtime, workdir):
    log = workdir / "text.log"
    runtime.call("state", "no-such", flags=["--root", runtime.root, "--log", log])
    assert re.search(r"level=error.*container does not exist", log.read_text())


def test_without_a_log_the_error_is_on_stderr(runtime):
    result = runtime.call("state", "no-such", flags=["--root", runtime.root])
    assert result.code == 1 and "container does not exist" in result.err and result.out == ""


def test_json_log_with_odd_characters(runtime, bundle):
    """The message must stay one valid JSON object whatever is in it."""
    name = 'a"b\\c\n\x01ü'
    result = runtime.call("state", name)
    assert result.code == 1 and result.log[-1]["level"] == "error"


def test_log_may_be_a_device(runtime):
    result = runtime.call("state", "no-such", flags=["--root", runtime.root, "--log", "/dev/null"])
    assert "container does not exist" in result.err


def test_log_that_cannot_be_opened(runtime, workdir):
    result = runtime.call("list", flags=["--root", runtime.root, "--log", workdir / "no" / "folder"])
    assert result.code != 0 and "no such file or directory" in result.err.lower()


def test_unknown_log_format(runtime):
    result = runtime.call("list", flags=["--root", runtime.root, "--log-format", "xml"])
    assert result.code != 0 and "log-format" in result.err


@pytest.mark.parametrize("flags", [["--debug"], ["-debug"], ["--debug=true"]])
def test_debug_goes_to_the_log(runtime, bundle, flags):
    bundle.args("true").write()
    all_flags = [*flags, "--root", runtime.root, "--log", runtime.log, "--log-format", "json"]
    result = runtime.call("run", "--bundle", bundle.path, "debugged", flags=all_flags)
    assert result.code == 0 and result.err == "" and result.out == ""
    assert any(entry["level"] == "debug" for entry in log_lines(runtime.log))


@pytest.mark.parametrize("spelling", [
    ["--root", "{}"], ["--root={}"], ["-root", "{}"], ["-root={}"],
])
def test_spellings_of_a_global_flag(runtime, bundle, spelling):
    container = runtime.running(bundle)
    flags = [word.format(runtime.root) for word in spelling]
    assert runtime.call("list", "-q", flags=flags).out == container.id + "\n"


@pytest.mark.parametrize("flags", [
    ["--bundle", "{b}", "--pid-file", "{p}"],
    ["--bundle={b}", "--pid-file={p}"],
    ["-bundle", "{b}", "-pid-file", "{p}"],
    ["-bundle={b}", "-pid-file={p}"],
    ["-b", "{b}", "--pid-file", "{p}"],
    ["-b={b}", "--pid-file", "{p}"],
    ["--b", "{b}", "--pid-file", "{p}"],
])
def test_spellings_of_a_verb_flag(runtime, bundle, workdir, flags):
    bundle.args("/bin/probe", "sleep").write()
    runtime.ids.append("spelled")
    runtime.ok("create", *[flag.format(b=bundle.path, p=workdir / "pid") for flag in flags], "spelled")
    assert int((workdir / "pid").read_text()) == runtime.state("spelled")["pid"]


@pytest.mark.parametrize("value,detached", [
    ("=true", True), ("=1", True), ("=t", True), ("=T", True), ("=TRUE", True), ("", True),
    ("=false", False), ("=0", False), ("=f", False), ("=FALSE", False),
])
def test_values_of_a_switch(runtime, bundle, value, detached):
    bundle.args("/bin/probe", "exit", "5").write()
    runtime.ids.append("switched")
    result = runtime.call("run", f"--detach{value}", "--bundle", bundle.path, "switched")
    assert result.code == (0 if detached else 5)


@pytest.mark.parametrize("value", ["=maybe", "=", "=2", "=yes"])
def test_bad_value_of_a_switch(runtime, bundle, value):
    bundle.args("true").write()
    assert runtime.call("run", f"--detach{value}", "--bundle", bundle.path, "switched").code != 0
    assert not (runtime.root / "switched").exists()


@pytest.mark.parametrize("flags", [["--rootless=false"], ["--rootless", "false"], ["--rootless=auto"]])
def test_rootless_flag(runtime, bundle, flags):
    bundle.args("echo", "ok").write()
    result = runtime.call("run", "--bundle", bundle.path, "plain", flags=["--root", runtime.root, *flags])
    assert (result.code, result.out) == (0, "ok\n")


def test_bad_value_of_rootless(runtime, bundle):
    bundle.args("true").write()
    result = runtime.call("run", "--bundle", bundle.path, "x", flags=["--root", runtime.root, "--rootless=perhaps"])
    assert result.code != 0 and "perhaps" in result.err


@pytest.mark.parametrize("arguments", [
    ["--no-such-flag", "list"], ["list", "--no-such-flag"], ["create", "--no-such-flag", "x"], ["no-such-verb"],
    ["state"], ["state", "a", "b"], ["start"], ["delete"], ["kill"], ["exec"], ["create"], ["create", "a", "b"],
    ["run"], ["list", "extra"], ["pause"], ["resume"], ["ps"], ["--root"], ["create", "--bundle"],
])
def test_usage_errors(runtime, arguments):
    result = runtime.call(*arguments, flags=["--root", runtime.root] if arguments != ["--root"] else [])
    assert result.code != 0
    assert result.err.strip() or result.out.strip()


@brig_only("runc prints a whole help page to stdout")
@pytest.mark.parametrize("arguments,words", [
    (["--no-such-flag", "list"], "no-such-flag"), (["list", "--no-such-flag"], "no-such-flag"),
    (["no-such-verb"], "no-such-verb"), (["state"], "state.*argument"), (["state", "a", "b"], "state.*argument"),
    (["list", "extra"], "list.*argument"), (["create", "--bundle"], "bundle"),
])
def test_usage_errors_are_short_and_go_to_stderr(runtime, arguments, words):
    result = runtime.fails(*arguments, text=words)
    assert result.out == "" and result.err.count("\n") <= 3


@brig_only("runc 1.1.5 refuses it")
def test_stray_detach_of_create(runtime, bundle):
    """go-runc's CreateOpts may add it."""
    container = runtime.create(bundle.args("/bin/probe", "sleep"), "--detach")
    assert container.status == "created"


@brig_only("runc 1.1.5 takes the current folder for an empty root")
@pytest.mark.parametrize("value", ["", "/"])
def test_impossible_root_is_refused(runtime, value):
    result = runtime.call("list", flags=["--root", value])
    assert result.code != 0 and "root" in result.err


def test_relative_root(runtime, bundle, workdir):
    bundle.args("/bin/probe", "sleep").write()
    flags = ["--root", "runtime/state"]
    result = runtime.call("create", "--bundle", bundle.path, "relative", flags=flags, cwd=workdir)
    runtime.ids.append("relative")
    assert result.code == 0
    assert runtime.state("relative")["status"] == "created"


def test_root_is_private(runtime, bundle):
    runtime.create(bundle)
    assert os.stat(runtime.root).st_mode & 0o066 == 0


def test_different_roots_do_not_see_each_other(make_runtime, bundle):
    first, second = make_runtime("first"), make_runtime("second")
    container = first.running(bundle.set("linux.cgroupsPath", f"{settings.TAG}-first"), id="same")
    other = second.running(bundle.set("linux.cgroupsPath", f"{settings.TAG}-second"), id="same")
    assert container.pid != other.pid
    other.delete("--force")
    assert container.status == "running"


@pytest.mark.parametrize("env", [{}, {"PATH": "/usr/bin:/bin"}, {"XDG_RUNTIME_DIR": "/nonexistent"}])
def test_almost_empty_environment(runtime, bundle, env):
    """CRI-O and podman call with nearly none."""
    assert runtime.run(bundle.args("echo", "ok"), env=env).out == "ok\n"


def test_environment_of_the_caller_does_not_enter(runtime, bundle):
    env = {**os.environ, "SECRET_OF_HOST": "1"}
    assert "SECRET_OF_HOST=1" not in runtime.report(bundle, "env", env=env)


def test_closed_standard_streams(runtime, bundle):
    """A daemon may call with fds 0 to 2 closed: files the runtime opens must not land there."""
    bundle.args("sh", "-c", "probe fds > /dev/shm/x; exit 0").write()
    runtime.ids.append("closed")
    process = subprocess.run(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh",
                              *map(str, runtime.command("run", "--bundle", bundle.path, "closed"))], timeout=30)
    assert process.returncode in (0, 1)
    if process.returncode:
        runtime.ok("delete", "--force", "closed")


def test_cwd_that_was_removed(runtime, bundle, workdir):
    gone = workdir / "gone"
    gone.mkdir()
    container = runtime.running(bundle)
    script = f'cd "{gone}" && rmdir "{gone}" && exec "$@"'
    done = subprocess.run(["sh", "-c", script, "sh", *map(str, runtime.command("state", container.id))],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and json.loads(done.stdout)["status"] == "running"
