"""The same verbs for an ordinary user: what cannot be kept is refused unless it is named."""
import json

import pytest

from brigtest import requires
from brigtest.ordinary_user import OrdinaryUser

BEST_EFFORT = [word for name in ("memory", "cpus", "pids") for word in ("--best-effort", name)]


@pytest.fixture
def user(workdir):
    made = OrdinaryUser(workdir / "user")
    yield made
    made.close()


@pytest.fixture
def rootless(user, sandboxes):
    """Calls of the ordinary user, with a state root of his own."""
    sandboxes.runtime.prefix = user.prefix
    user.own(sandboxes.runtime.folder)
    yield sandboxes
    sandboxes.runtime.prefix = ()


@requires("cgroup_v1")
def test_limits_that_cannot_be_kept_are_refused(rootless):
    """Hierarchies of cgroup v1 are root's alone."""
    result = rootless.shell("true")
    assert (result["reason"], result["success"]) == ("setup_failed", False) and "memory" in result["message"]
    assert not rootless.shell("true", options=["--best-effort", "memory"])["success"], "the others still cannot be kept"
    assert rootless.run_raw("true", options=["--best-effort", "everything"]).code == 125


def test_run(rootless, user):
    result = rootless.shell("id -u; cat /proc/self/uid_map; echo x > file; cat file; grep CapEff /proc/self/status", options=BEST_EFFORT)
    assert result["success"], result
    lines = result["stdout"].split()
    assert lines[0] == "0" and str(user.uid) in lines[1:4] and "0000000000000000" in lines
    assert rootless.shell("sleep 20 & sleep 20", options=[*BEST_EFFORT, "--timeout", "0.3"])["reason"] == "timeout"
    assert rootless.shell("dd if=/dev/zero of=file bs=1000000 count=3", options=[*BEST_EFFORT, "--disk", "1m"])["reason"] == "disk_limit"
    language = rootless.arguments([*BEST_EFFORT, "--json", "--language", "shell", "--code", "-"])[1]
    assert rootless.call("run", *language, input="echo from-$0").json()["stdout"].startswith("from-/tmp/code-")


def test_a_sandbox_that_stays(rootless):
    sandbox = rootless.create(*BEST_EFFORT)
    sandbox.ok("put", "-", "file", input="text")
    assert sandbox.exec("cat", "file")["stdout"] == "text"
    assert sandbox.ok("get", "file").out == "text"
    assert json.loads(sandbox.ok("ls", flags=["--json"]).out)[0]["name"] == "file"
    assert sandbox.listed()["status"] == "running"
    sandbox.ok("rm")
    assert sandbox.gone


def test_folders_of_the_user(rootless, user, workdir):
    (workdir / "folder").mkdir()
    (workdir / "folder").chmod(0o700)
    user.own(workdir / "folder")
    result = rootless.shell("echo made > made.txt", options=[*BEST_EFFORT, "--workspace", workdir / "folder"])
    assert result["success"] and (workdir / "folder/made.txt").stat().st_uid == user.uid


def test_it_is_closed_to_other_users(rootless, sandboxes):
    """Root may; another ordinary user finds no way to the socket."""
    sandbox = rootless.create(*BEST_EFFORT)
    rootless.runtime.prefix = ("setpriv", "--reuid", 64125, "--regid", 64125, "--clear-groups", "--inh-caps=-all")
    assert sandbox.call("exec", "true").code == 125
    rootless.runtime.prefix = ()
    assert sandbox.exec("echo", "root")["stdout"] == "root\n"
