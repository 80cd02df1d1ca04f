"""A kernel without one of the newer calls: the same behaviour by other means, or one line that says what is missing."""
import json
import os

import pytest

from brigtest import brig_only, settings

pytestmark = brig_only("other runtimes have other needs")

REQUIRED = [("clone3", "5.7"), ("close_range", "5.11"), ("mount_setattr", "5.12"), ("open_tree", "5.2"), ("move_mount", "5.2"),
            ("fsopen", "5.2"), ("fsconfig", "5.2"), ("fsmount", "5.2"), ("pidfd_open", "5.3"), ("pidfd_send_signal", "5.1")]


@pytest.fixture
def without(runtime, workdir, monkeypatch):
    """without("CALL,CALL"): the runtime as on a kernel that lacks the calls.  Undone by with_all()."""
    with_all = runtime.binary
    monkeypatch.setenv("BRIG_WITH_ALL_CALLS", with_all)

    def choose(calls):
        link = workdir / calls
        link.symlink_to(settings.helper_path("without_calls"))
        runtime.binary = str(link)
        return runtime

    yield choose
    runtime.binary = with_all


@pytest.mark.parametrize("call,since", REQUIRED)
@pytest.mark.parametrize("verb", ["run", "create"])
def test_what_is_required_is_named_and_nothing_is_left(without, bundle, verb, call, since):
    runtime = without(call)
    words = f"not supported: {call} needs Linux {since} "
    if verb == "run":
        runtime.run(bundle, code=1, text=words)
    else:
        runtime.create_fails(bundle, code=1, text=words)
    assert not runtime.root.exists() or os.listdir(runtime.root) == []


@pytest.mark.parametrize("calls", ["openat2"])
def test_with_a_fallback_all_is_as_ever(without, bundle, workdir, calls):
    (workdir / "data").mkdir()
    (workdir / "data" / "file").write_text("given")
    bundle.mount("/given/below", "bind", workdir / "data", ["rbind", "ro"]).set("root.readonly", False)
    container = without(calls).running(bundle)
    assert container.exec("cat", "/given/below/file").out == "given"
    container.exec("touch", "/given/below/x", code=1)
    container.stop().delete()


def test_without_the_calls_the_launcher_runs_the_same_program(without):
    """Positive control of the launcher: what needs none of the calls works behind it."""
    result = without("clone3,pidfd_open").call("features")
    assert result.code == 0 and json.loads(result.out)
