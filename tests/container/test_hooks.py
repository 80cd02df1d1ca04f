"""The six kinds of hooks: order, what they are given, where they run, what their failure does."""
import os

import pytest

from brigtest import HookRecorder, brig_only, wait_until
from brigtest.hooks import KINDS


@pytest.fixture
def hooks(bundle, workdir):
    bundle.set("root.readonly", False)
    return HookRecorder(bundle, workdir / "records")


LATE_POSTSTART = "runc 1.1.5 runs poststart at create, before the process"


def test_order(runtime, bundle, hooks):
    hooks.add_all()
    runtime.run(bundle.args("sh", "-c", f"echo process >> {hooks.folder}/order"))
    order = [name for name in hooks.order() if name != "poststart"]
    assert order == ["prestart", "createRuntime", "createContainer", "startContainer", "process", "poststop"]
    assert "poststart" in hooks.order()


def test_which_verb_runs_them(runtime, bundle, hooks):
    hooks.add_all()
    container = runtime.create(bundle.args("/bin/probe", "sleep"))
    assert hooks.order()[:3] == ["prestart", "createRuntime", "createContainer"]
    assert not {"startContainer", "poststop"} & set(hooks.order())
    container.start()
    wait_until(lambda: len(hooks.order()) == 5, "the hooks of start")
    container.stop()
    assert "poststop" not in hooks.order()
    container.delete()
    assert hooks.order()[5:] == ["poststop"]


@brig_only(LATE_POSTSTART)
def test_poststart_runs_at_start_after_the_process(runtime, bundle, hooks):
    hooks.add("poststart")
    container = runtime.create(bundle.args("/bin/probe", "sleep"))
    assert hooks.order() == []
    container.start()
    assert hooks.order() == ["poststart"]
    assert os.readlink(f"/proc/{container.pid}/exe").endswith("probe")


def test_several_hooks_of_a_kind_run_in_order(runtime, bundle, hooks):
    for name in ("c", "a", "b"):
        hooks.add("prestart", name=name)
    runtime.run(bundle.args("true"))
    assert hooks.order() == ["c", "a", "b"]


STATUS = {"prestart": "creating", "createRuntime": "creating", "createContainer": "creating",
          "startContainer": "created", "poststart": "running", "poststop": "stopped"}


@pytest.mark.parametrize("kind", [brig_only(LATE_POSTSTART, kind) if kind == "poststart" else kind
                                  for kind in KINDS])
def test_state_on_stdin(runtime, bundle, hooks, kind):
    bundle.set("annotations", {"com.example": "value"})
    hooks.add(kind)
    container = runtime.create(bundle.args("/bin/probe", "sleep"))
    pid = container.pid
    container.start()
    container.stop()
    container.delete()
    state = hooks.state(kind)
    assert state["ociVersion"] and state["id"] == container.id
    assert state["bundle"] == str(bundle.path)
    assert state["status"] == STATUS[kind]
    assert state["annotations"]["com.example"] == "value"
    if kind in ("prestart", "createRuntime", "poststart"):
        assert state["pid"] == pid
    if kind == "poststop":
        assert state.get("pid", 0) == 0


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "poststart", "poststop"])
def test_runs_in_the_namespaces_of_the_runtime(runtime, bundle, hooks, kind):
    hooks.add(kind)
    runtime.run(bundle.args("true"))
    assert hooks.text(kind, "mnt") == os.readlink("/proc/self/ns/mnt")
    assert hooks.text(kind, "net") == os.readlink("/proc/self/ns/net")


@pytest.mark.parametrize("kind", ["createContainer", "startContainer"])
def test_runs_in_the_namespaces_of_the_container(runtime, bundle, hooks, kind):
    hooks.add(kind)
    container = runtime.running(bundle.args("/bin/probe", "sleep"))
    inside = container.report("namespaces")
    assert hooks.text(kind, "mnt") == f"mnt:[{inside['mnt']}]"
    assert hooks.text(kind, "net") == f"net:[{inside['net']}]"


@pytest.mark.parametrize("kind", KINDS)
def test_environment_is_the_hook_own(runtime, bundle, hooks, kind):
    hooks.add(kind, env=["PATH=/bin:/usr/bin", "ONLY=this"])
    runtime.run(bundle.args("true"), env={**os.environ, "OF_CALLER": "1"})
    told = dict(line.split("=", 1) for line in hooks.text(kind, "env").splitlines())
    assert told["ONLY"] == "this" and "OF_CALLER" not in told


def test_runtime_hook_can_work_on_the_network_namespace(runtime, bundle, workdir):
    """What CNI plug-ins do at createRuntime: find the namespace by the pid of the state."""
    script = workdir / "network.py"
    script.write_text("#!/usr/bin/python3\nimport json, subprocess, sys\n"
                      "net = f'--net=/proc/{json.load(sys.stdin)[\"pid\"]}/ns/net'\n"
                      "subprocess.run(['nsenter', net, 'ip', 'link', 'set', 'lo', 'mtu', '1234'], check=True)\n")
    script.chmod(0o755)
    bundle.set("hooks.createRuntime", [{"path": str(script), "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]}])
    assert "mtu 1234" in runtime.run(bundle.args("ip", "link", "show", "lo")).out


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer"])
def test_failure_at_create_aborts_and_cleans(runtime, bundle, hooks, kind):
    hooks.add(kind, code=3).add("poststop")
    runtime.create_fails(bundle.args("true"), id="failed", text=f"hook.*exit status 3|{kind}")
    assert not (runtime.root / "failed").exists()


@pytest.mark.parametrize("kind", ["prestart", "createRuntime"])
def test_words_of_the_failed_hook_are_told(runtime, bundle, hooks, kind):
    hooks.add(kind, code=1)
    runtime.create_fails(bundle.args("true"), text=f"hook {kind} says no")


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer"])
def test_later_hooks_do_not_run_after_a_failure(runtime, bundle, hooks, kind):
    hooks.add(kind, code=1).add(kind, name="second")
    runtime.create_fails(bundle.args("true"))
    assert "second" not in hooks.order()


def test_failure_of_start_container_stops_it(runtime, bundle, hooks):
    hooks.add("startContainer", code=1)
    container = runtime.create(bundle.args("sh", "-c", f"echo process >> {hooks.folder}/order"))
    runtime.call("start", container.id)
    container.wait_for("stopped")
    assert hooks.order() == ["startContainer"]
    container.delete()


def test_failure_of_poststop_does_not_keep_the_container(runtime, bundle, hooks):
    hooks.add("poststop", code=1)
    container = runtime.running(bundle).stop()
    runtime.call("delete", container.id)
    assert not (runtime.root / container.id).exists()


@brig_only(LATE_POSTSTART)
def test_failure_of_poststart(runtime, bundle, hooks):
    """The spec wants a warning at most, runc kills the container: either way nothing may be left half-way."""
    hooks.add("poststart", code=1)
    container = runtime.create(bundle.args("/bin/probe", "sleep"))
    result = runtime.call("start", container.id)
    if result.code == 0:
        assert container.status == "running"
    else:
        container.wait_for("stopped")


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer"])
def test_timeout(runtime, bundle, hooks, kind):
    hooks.add(kind, sleep=600, timeout=1)
    runtime.create_fails(bundle.args("true"), text="hook.*(1s|timed out|timeout)|deadline")


@brig_only("runc waits for whoever holds the hook's pipes")
def test_timeout_ends_the_children_of_the_hook_too(runtime, bundle):
    bundle.set("hooks.prestart", [{"path": "/bin/sh", "args": ["sh", "-c", "sleep 600; true"], "timeout": 1}])
    runtime.create_fails(bundle.args("true"), text="hook.*(1s|timed out|timeout)|deadline")


@pytest.mark.parametrize("hook,words", [
    ({"path": "/no/such/hook"}, "no such file or directory"),
    ({"path": "/etc/passwd"}, "permission denied"),
    brig_only("runc 1.1.5 runs it relative to its own folder", {"path": "relative"}, "absolute|relative"),
    brig_only("runc 1.1.5 says fork/exec : no such file", {}, "path"),
    brig_only("runc 1.1.5 takes 0 for none", {"path": "/bin/true", "timeout": 0}, "timeout"),
    brig_only("runc 1.1.5 ends it at once", {"path": "/bin/true", "timeout": -1}, "timeout"),
])
def test_bad_hooks(runtime, bundle, hook, words):
    runtime.create_fails(bundle.set("hooks.prestart", [hook]), text=words)


def test_hook_output_is_not_the_container_output(runtime, bundle):
    bundle.set("hooks.prestart", [{"path": "/bin/sh", "args": ["sh", "-c", "echo noise"]}])
    assert runtime.run(bundle.args("echo", "signal")).out == "signal\n"


def test_hook_that_does_not_read_its_stdin(runtime, bundle):
    bundle.set("annotations", {f"k{number}": "x" * 1000 for number in range(200)})
    bundle.set("hooks.prestart", [{"path": "/bin/true"}])
    assert runtime.run(bundle.args("echo", "ok")).out == "ok\n"


def test_poststop_runs_at_forced_delete(runtime, bundle, hooks):
    hooks.add("poststop")
    runtime.running(bundle).delete("--force")
    assert hooks.order() == ["poststop"]
