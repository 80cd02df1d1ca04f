"""doctor: what this host can give, and a remedy for each gap."""
import json
import shutil
import subprocess

import jsonschema
import pytest

from brigtest import brig_only, requires, settings
from brigtest.ordinary_user import OrdinaryUser

pytestmark = brig_only("a verb of brig's own")

SCHEMA = json.loads((settings.CHECKOUT / "docs" / "doctor.schema.json").read_text())


def examine(runtime, code=0):
    answer = runtime.call("doctor", "--json")
    assert answer.code == code, answer
    document = answer.json()
    jsonschema.validate(document, SCHEMA)
    assert document["usable"] == (code == 0)
    return {check["name"]: check for check in document["checks"]}


def test_every_gap_has_a_remedy(runtime):
    checks = examine(runtime)
    assert {"release", "seccomp", "layout", "memory", "overlay", "landlock", "docker"} <= set(checks)
    for check in checks.values():
        assert (check["remedy"] is None) == (check["state"] == "ok"), check


def test_text_has_a_line_for_each_check(runtime):
    text = runtime.ok("doctor").out
    for name, check in examine(runtime).items():
        assert any(name in line and check["state"] in line for line in text.splitlines()), name
        assert check["remedy"] is None or "remedy: " + check["remedy"] in text


def test_it_agrees_with_the_host(runtime):
    checks = examine(runtime)
    with open("/proc/filesystems", encoding="ascii") as file:
        assert (checks["overlay"]["state"] == "ok") == ("\toverlay\n" in file.read())
    assert (checks["criu"]["state"] == "ok") == (shutil.which("criu") is not None)
    assert checks["memory"]["state"] == "ok", "the tests set limits of memory"


@pytest.mark.parametrize("call, state", [("openat2", "limited"), ("mount_setattr", "missing"), ("pidfd_open", "missing")])
def test_calls_that_this_kernel_lacks(runtime, workdir, monkeypatch, call, state):
    monkeypatch.setenv("BRIG_WITH_ALL_CALLS", runtime.binary)
    link = workdir / call
    link.symlink_to(settings.helper_path("without_calls"))
    runtime.binary = str(link)
    calls = examine(runtime, code=1 if state == "missing" else 0)["system calls"]
    assert calls["state"] == state and call in calls["detail"]


@requires("root")
def test_an_ordinary_user_is_told_what_is_not_delegated(runtime, workdir):
    user = OrdinaryUser(workdir / "user")
    user.own(runtime.folder)
    try:
        runtime.prefix = [*runtime.prefix, *user.prefix]
        checks = examine(runtime)
    finally:
        runtime.prefix = ()
        user.close()
    assert checks["caller"]["detail"].startswith("without privilege")
    assert checks["subordinate ids"]["state"] == "limited" and "usermod" in checks["subordinate ids"]["remedy"]


def docker_on_a_host_with(workdir, daemon_json):
    """An /etc of the test's own, in a mount namespace of its own."""
    programs, etc = workdir / "programs", workdir / "etc"
    for folder in (programs, etc / "docker"):
        folder.mkdir(parents=True)
    (programs / "dockerd").symlink_to("/bin/true")
    (etc / "docker/daemon.json").write_text(daemon_json)
    command = f"mount --bind {etc} /etc && PATH={programs} exec {settings.runtime_binary()} doctor --json"
    answer = subprocess.run(["unshare", "--mount", "sh", "-c", command], capture_output=True, text=True, check=True)
    return next(check for check in json.loads(answer.stdout)["checks"] if check["name"] == "docker")


@requires("root")
@pytest.mark.parametrize("path, state", [("/usr/local/bin/brig", "ok"), ("/opt/brig-strict", "ok"), ("/usr/bin/runc", "limited")])
def test_engine_registration(workdir, path, state):
    assert docker_on_a_host_with(workdir, json.dumps({"runtimes": {"any": {"path": path}}}))["state"] == state


@requires("root")
def test_settings_that_cannot_be_read(workdir):
    docker = docker_on_a_host_with(workdir, "{")
    assert docker["state"] == "limited" and "cannot be read" in docker["detail"]
