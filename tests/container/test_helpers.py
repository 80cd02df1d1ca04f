"""The helpers themselves: a leak check that finds nothing, or a skip that passes, would prove nothing."""
import json
import os
import subprocess
import sys

import pytest

from brigtest import Bundle, cgroups, settings
from brigtest.leaks import Snapshot


def test_leaked_mount_is_found_and_removed(workdir):
    before = Snapshot()
    (workdir / "leak").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "leak", workdir / "leak"], check=True)
    assert [words for words in before.leaks() if str(workdir / "leak") in words]
    before.remove_leaks()
    assert before.leaks() == []


def test_leaked_process_is_found_and_removed(contained_session):
    before = Snapshot()
    subprocess.run(["sh", "-c", "sleep 600 >/dev/null 2>&1 &"], check=True)
    assert [words for words in before.leaks() if "sleep 600" in words]
    before.remove_leaks()
    assert before.leaks() == []


def test_leaked_cgroup_is_found_and_removed(contained_session):
    before = Snapshot()
    folder = cgroups.of_process("self")["pids"] / f"{settings.TAG}-leak"
    folder.mkdir()
    assert before.leaks() == [f"cgroup {folder}"]
    before.remove_leaks()
    assert not folder.exists()


def test_leaking_test_fails(workdir):
    """The whole way: fixture, report, exit code."""
    outcome = inner_pytest(workdir, "def test_leak(workdir):\n"
                                    "    import subprocess\n"
                                    "    subprocess.run(['sh', '-c', 'sleep 600 >/dev/null 2>&1 &'], check=True)\n")
    assert outcome.returncode == 1 and "left behind" in outcome.stdout and "sleep 600" in outcome.stdout


@pytest.mark.parametrize("must_run,code", [("1", 1), ("0", 0)])
@pytest.mark.parametrize("body", [
    "import pytest\ndef test_skip():\n    pytest.skip('needs a unicorn')\n",
    "from brigtest import requires\n@requires('program:unicorn')\ndef test_skip():\n    pass\n",
    "import pytest\npytest.skip('needs a unicorn', allow_module_level=True)\n",
])
def test_skip_can_be_forbidden(workdir, body, must_run, code):
    outcome = inner_pytest(workdir, body, BRIG_TESTS_MUST_RUN=must_run)
    assert outcome.returncode in ({code, 2} if code else {0, 5}), outcome.stdout
    assert "unicorn" in outcome.stdout


def inner_pytest(workdir, body, **env):
    (workdir / "conftest.py").write_text("pytest_plugins = ['brigtest.plugin']\n")
    (workdir / "pytest.ini").write_text("[pytest]\naddopts = -p no:cacheprovider -rs\n")
    (workdir / "test_inner.py").write_text(body)
    return subprocess.run([sys.executable, "-B", "-m", "pytest", workdir], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "PYTHONPATH": str(settings.SUPPORT), **env})


def test_default_spec_is_what_the_runtime_writes(runtime, workdir):
    """So that the tests stand for what a user gets, where it matters."""
    folder = workdir / "written"
    folder.mkdir()
    runtime.ok("spec", "--bundle", folder)
    written, ours = json.loads((folder / "config.json").read_text()), Bundle(workdir / "ours").spec
    assert {entry["type"] for entry in written["linux"]["namespaces"]} >= {
        entry["type"] for entry in ours["linux"]["namespaces"]}
    assert [mount["destination"] for mount in written["mounts"]] == [mount["destination"] for mount in ours["mounts"]]
    for key in ("maskedPaths", "readonlyPaths"):
        assert set(ours["linux"][key]) <= set(written["linux"][key])
    assert written["process"]["capabilities"]["bounding"] == ours["process"]["capabilities"]["bounding"]
