"""harombe's tools for an agent: each of its calls as `brig sandbox` answers it, under its policy."""
import json
import os
import sys

import pytest

from brigtest import cgroups, settings
from brigtest.audit import lines_of
from brigtest.waiting import wait_until

sys.path.insert(0, str(settings.CHECKOUT / "tests" / "egress"))
from egress_world import RESOLVER, world  # noqa: E402,F401  a fixture

LANGUAGES = {
    "python": ("python", "import sys; print(sys.version_info >= (3, 11)); print('warned', file=sys.stderr); sys.exit(3)"),
    "javascript": ("node", "console.log(Number(process.versions.node.split('.')[0]) >= 18); console.error('warned'); process.exit(3)"),
    "shell": ("shell", '[ "${BASH_VERSINFO[0]}" -ge 5 ] && echo True; echo warned >&2; exit 3'),
}


@pytest.fixture
def create(sandboxes, images):
    def make(image, *options):
        return sandboxes.create(*images.options(image), "--policy", "harombe", *options)

    return make


def execute(sandbox, language, code, *flags):
    """code_execute."""
    return sandbox.sandboxes.call("exec", "--json", "--language", language, "--code", "-", *flags, sandbox.id, input=code).json()


@pytest.mark.parametrize("language", LANGUAGES)
def test_code_execute(create, language):
    image, code = LANGUAGES[language]
    sandbox = create(image)
    result = execute(sandbox, language, code)
    assert result["sandbox_id"] == sandbox.id and not result["success"] and result["exit_code"] == 3, result
    assert result["stdout"].strip().lower() == "true" and result["stderr"] == "warned\n"
    assert result["execution_time"] > 0 and result["error"] is None and result["reason"] == "exited"
    sandbox.ok("rm")


def test_state_is_kept_between_calls(create):
    sandbox = create("python")
    assert execute(sandbox, "python", "open('data.txt', 'w').write('kept')")["success"]
    assert execute(sandbox, "python", "print(open('/workspace/data.txt').read())")["stdout"] == "kept\n"


@pytest.mark.parametrize("registry", ["pip", "npm"])
def test_install_package(world, sandboxes, workdir, registry):  # noqa: F811
    """code_install_package: the registry that is named, and nothing else. The host's pip and npm are the root."""
    (workdir / "resolv.conf").write_text(f"nameserver {RESOLVER}\n")
    use = f'mount --bind {workdir}/resolv.conf /etc/resolv.conf && exec "$@"'
    sandboxes.runtime.prefix = [*world.host.command("unshare", "--mount", "--propagation", "slave", "sh", "-c", use, "sh")]
    (workdir / "certificates").mkdir()
    authority = (world.folder / "ca.pem").read_text()
    domains = {"pip": ["pypi.org", "*.pythonhosted.org:443"], "npm": ["registry.npmjs.org"]}[registry]
    sandbox = sandboxes.create("--rootfs", "/", "--policy", "harombe", *[word for name in domains for word in ("--allow-domain", name)])
    sandbox.ok("put", "-", "ca.pem", input=authority)
    install = {
        "pip": "/usr/bin/python3 -m pip --disable-pip-version-check --no-cache-dir install --cert ca.pem --target site "
               "--break-system-packages --index-url https://pypi.org/simple demo-package && "
               "PYTHONPATH=site /usr/bin/python3 -c 'import demo_package; print(\"installed\")'",
        "npm": "NODE_EXTRA_CA_CERTS=/workspace/ca.pem npm install --prefix project --cache cache --no-audit --no-fund "
               "--no-update-notifier --registry https://registry.npmjs.org/ demo-package && ls project/node_modules/demo-package && "
               "echo installed",
    }[registry]
    result = sandbox.shell(f"export HOME=/workspace PATH={os.environ['PATH']}; {install}", flags=["--timeout", "60"])
    assert result["success"] and result["stdout"].endswith("installed\n"), result
    other = {"pip": "registry.npmjs.org", "npm": "pypi.org"}[registry]
    fetch = f"/usr/bin/python3 -c 'import urllib.request as u; u.urlopen(\"https://{other}/\", timeout=8)'"
    result = sandbox.shell(fetch)
    assert not result["success"] and other in result["network"]["refused"], result
    sandbox.ok("rm")
    sandboxes.runtime.prefix = ()


def test_write_read_and_list_files(create):
    sandbox = create("shell")
    sandbox.ok("put", "-", "notes.txt", input="text")
    assert sandbox.ok("get", "/workspace/notes.txt").out == "text"
    assert [entry["name"] for entry in json.loads(sandbox.ok("ls", flags=["--json"]).out)] == ["notes.txt"]
    sandbox.shell("ln -s /etc/passwd link; ln -s / root; mkdir folder")
    for path in ("../etc/passwd", "/etc/passwd", "link", "root/etc/passwd", "folder/../../etc/passwd"):
        assert sandbox.call("get", path).code != 0, path
        assert sandbox.call("put", "-", path, input="x").code != 0 or path == "link", path
    assert "root:" in sandbox.shell("cat /etc/passwd")["stdout"]


def test_destroy_leaves_nothing(create, workdir):
    sandbox = create("shell")
    sandbox.shell("sleep 100 & setsid sleep 100 & echo > file")
    processes = [sandbox.listed()["supervisor_pid"], sandbox.sandboxes.runtime.state(sandbox.id)["pid"]]
    assert all(os.path.exists(f"/proc/{pid}") for pid in processes) and cgroups.folders_with(sandbox.id)
    sandbox.ok("rm")
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in processes), "both to end")
    assert sandbox.gone and sandbox.listed() is None and not cgroups.folders_with(sandbox.id)


@pytest.mark.parametrize("script, flags, reason, error", [
    ("trap '' TERM; sleep 60 & while :; do :; done", ["--timeout", "0.5"], "timeout", "TimeoutError"),
    ("tail /dev/zero", [], "oom", "OutOfMemoryError"),
    ("head -c 80000000 /dev/zero > file", [], "disk_limit", "DiskLimitError"),
])
def test_past_a_limit(create, script, flags, reason, error):
    sandbox = create("shell", "--disk", "64m", "--grace", "0.5")
    result = sandbox.exec("bash", "-c", script, flags=flags)
    assert (result["reason"], result["error"], result["success"]) == (reason, error, False), result
    assert result["exit_code"] == -1 if reason == "timeout" else result["exit_code"] != 0
    if reason == "disk_limit":
        assert "No space left" in result["stderr"]


def test_output_is_cut_and_marked(create):
    result = create("shell").exec("bash", "-c", "head -c 3000000 /dev/zero | tr '\\0' x")
    assert result["success"] and result["stdout_truncated"] and not result["stderr_truncated"]
    assert result["stdout"].endswith("[OUTPUT TRUNCATED]") and len(result["stdout"]) < (1 << 20) + 100


@pytest.mark.parametrize("answer, runs", [("exit 0", True), ("exit 1", False), ("sleep 30", False)])
def test_approval_by_a_human(sandboxes, images, workdir, answer, runs):
    script = workdir / "approve"
    script.write_text(f"#!/bin/sh\ncat > {workdir}/request.json\n{answer}\n")
    script.chmod(0o755)
    sandboxes.installed.write("mine", description="asks first", extends="harombe",
                              approval={"command": [str(script)], "timeout": "500ms"}, audit={"sink": f"file:{workdir}/audit.jsonl"})
    result = sandboxes.run("bash", "-c", "echo ran", options=[*images.options("shell"), "--policy", "mine"])
    assert result["success"] == runs and ("ran" in result["stdout"]) == runs, result
    assert runs or (result["reason"], result["exit_code"]) == ("refused", -1)
    assert "echo ran" in (workdir / "request.json").read_text()
    events = [line["event"] for line in lines_of(workdir / "audit.jsonl")]
    assert ("approved" if runs else "refused") in events and ("started" in events) == runs
