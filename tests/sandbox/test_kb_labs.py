"""KB Labs' plugin handlers: Node and Python under its policy, ended in time, told apart, seen in logs, metrics and traces."""
import os

import pytest

from brigtest.audit import lines_of
from brigtest.ordinary_user import OrdinaryUser

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
DEAF = """
process.on('SIGTERM', () => console.log('heard'));
require('child_process').spawn('sh', ['-c', "trap '' TERM HUP INT; while :; do sleep 1; done"], {detached: true, stdio: 'ignore'}).unref();
console.log('begun');
setInterval(() => {}, 1000);
"""


@pytest.fixture
def handler(sandboxes, images, workdir):
    """handler(code, *options): the result of a Node handler under the policy."""
    options = ["--json", "--policy", "kb-labs", "--audit", workdir / "audit.jsonl"]

    def run(code, *more, image="node", language="javascript", **popen):
        _, arguments = sandboxes.arguments([*images.options(image), *options, "--language", language, "--code", "-", *more])
        return sandboxes.call("run", *arguments, input=code, **popen).json()

    return run


def test_a_handler_that_answers(handler, workdir):
    code = "console.log(JSON.stringify({sum: [1, 2, 3].reduce((a, b) => a + b)})); console.error('note')"
    result = handler(code, env={**os.environ, "TRACEPARENT": TRACE})
    assert (result["success"], result["stdout"], result["stderr"]) == (True, '{"sum":6}\n', "note\n"), result
    metrics = result["metrics"]
    assert metrics["memory_peak_bytes"] > 1 << 20 and metrics["cpu_user_ms"] + metrics["cpu_system_ms"] > 0
    assert result["traceparent"] == TRACE
    assert {line["traceparent"] for line in lines_of(workdir / "audit.jsonl")} == {TRACE}


def test_the_trace_reaches_the_handler(handler):
    result = handler("console.log(process.env.TRACEPARENT)", env={**os.environ, "TRACEPARENT": TRACE})
    assert result["stdout"].strip() == TRACE


def test_past_its_time_it_is_told_and_then_killed_with_all_it_started(handler):
    result = handler(DEAF, "--timeout", "1", "--grace", "0.5")
    assert (result["reason"], result["error"], result["exit_code"]) == ("timeout", "TimeoutError", -1), result
    assert result["stdout"] == "begun\nheard\n" and result["execution_time"] >= 1.4


def test_out_of_memory_is_told_as_such(handler):
    code = "const kept = []; for (;;) kept.push(Buffer.alloc(16 << 20, 1));"
    result = handler(code, "--memory", "128m")
    assert (result["reason"], result["error"]) == ("oom", "OutOfMemoryError"), result
    assert handler("console.log(Buffer.alloc(16 << 20, 1).length)", "--memory", "128m")["success"]


def test_only_allowed_variables_enter(handler):
    result = handler("console.log(Object.keys(process.env).sort().join())", "--env", "SECRET=x", "--env", "NODE_ENV=test", "--env", "LC_X=1")
    names = set(result["stdout"].strip().split(","))
    assert {"NODE_ENV", "LC_X", "PATH"} <= names and names <= {"NODE_ENV", "LC_X", "PATH", "HOME", "LANG", "TERM", "TZ", "TRACEPARENT"}
    seen = handler("console.log(process.env.SECRET)", "--env", "SECRET=x", "--policy", "sandbox")
    assert seen["stdout"] == "x\n", "the control has no list"


def test_files_by_landlock_and_mounts(handler, workdir):
    (workdir / "workspace").mkdir()
    (workdir / "workspace/in.txt").write_text("given")
    code = """
const fs = require('fs');
for (const [name, act] of [
  ['workspace', () => fs.readFileSync('/workspace/in.txt', 'utf8')],
  ['etc', () => fs.readFileSync('/etc/passwd').length > 0],
  ['var', () => fs.readdirSync('/var').length],
  ['home', () => fs.readdirSync('/home').length],
  ['write', () => fs.writeFileSync('/workspace/out.txt', 'x')],
  ['tmp', () => fs.writeFileSync('/tmp/out.txt', 'x')],
  ['root', () => fs.writeFileSync('/usr/out.txt', 'x')],
]) { try { console.log(name, act() ?? 'ok'); } catch (error) { console.log(name, error.code); } }
"""
    def said(*options):
        return dict(line.split(" ", 1) for line in handler(code, *options)["stdout"].splitlines())

    folder = ["--workspace", f"{workdir}/workspace:ro"]
    seen = said(*folder)
    assert seen["workspace"] == "given" and seen["etc"] == "true" and seen["tmp"] == "ok", seen
    assert seen["var"] == seen["home"] == "EACCES" and seen["root"] in ("EACCES", "EROFS") and seen["write"] == "EROFS", seen
    control = said("--policy", "sandbox", "--workspace", f"{workdir}/workspace:rw")
    assert control["var"].isdigit() and control["home"].isdigit() and control["write"] == "ok", control


def test_system_calls_are_filtered(handler):
    """Node has no call for it; Python's ctypes does."""
    code = "import ctypes, os; c = ctypes.CDLL(None, use_errno=True); print(c.syscall(250, 0, 0, 0), os.strerror(ctypes.get_errno()))"
    result = handler(code, image="python", language="python")
    assert result["stdout"].startswith("-1 "), result
    assert "permitted" in result["stdout"] or "implemented" in result["stdout"], result


def test_the_last_of_the_logs_is_kept(sandboxes, images):
    sandbox = sandboxes.create(*images.options("node"), "--policy", "kb-labs", "--log-limit", "64k", "--output-limit", "1m")
    sandbox.exec("node", "-e", "for (let i = 0; i < 20000; i++) console.log('line', i)")
    kept = sandbox.call("logs", flags=["--json"]).json()
    assert kept["stdout"].endswith("line 19999\n") and len(kept["stdout"]) <= 64 << 10 and kept["forgotten_bytes"] > 0
    sandbox.ok("rm")


def test_direct_and_without_root(sandboxes, images, workdir):
    """Development needs no Docker and no root: the image is exported, and the same call runs as an ordinary user."""
    user = OrdinaryUser(workdir / "user")
    user.give_ids()
    try:
        archive = workdir / "node.tar"
        store = images.options("node")[1]
        assert sandboxes.runtime.call("image", "export", "--store", store, "node", archive).code == 0
        archive.chmod(0o644)
        sandboxes.runtime.prefix = user.prefix
        user.own(sandboxes.runtime.folder)
        own = sandboxes.runtime.folder / "images"
        imported = sandboxes.runtime.call("image", "import", "--store", own, "--name", "node", archive, timeout=120)
        assert imported.code == 0, imported
        best = [word for name in ("memory", "cpus", "pids") for word in ("--best-effort", name)]
        _, arguments = sandboxes.arguments(["--store", own, "--image", "node", "--json", "--policy", "kb-labs", *best])
        result = sandboxes.call("run", *arguments, "--", "node", "-p", "6 * 7").json()
        assert result['stdout'] == '42\n', result['message']
    finally:
        sandboxes.runtime.prefix = ()
        user.close()
