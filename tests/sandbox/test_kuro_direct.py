"""KURO's jobs by direct invocation: the Python image under its two policies, with the result that its server returns.

tests/endtoend/test_kuro.py has the same under Docker."""
import pytest

from brigtest.waiting import wait_until

JOB = """
import os
os.environ["MPLCONFIGDIR"] = "/tmp"
import pandas, sys, matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plot
frame = pandas.read_csv("/workspace/input.csv")
print(frame.groupby("kind")["value"].sum().to_string())
frame.plot(x="kind", y="value", kind="bar")
plot.savefig("/artifacts/plot.png")
frame.to_csv("/artifacts/table.csv")
open("/artifacts/run.sh", "w").write("echo no")
print("warned", file=sys.stderr)
"""

# what is tried in Python, and what it says where it is not stopped
ATTACKS = {
    "write to the root": "open('/usr/new', 'w')",
    "write to the workspace": "open('/workspace/new', 'w')",
    "become root": "import os; os.setuid(0)",
    "a connection": "import socket; socket.create_connection(('1.1.1.1', 53), 3)",
    "a raw socket": "import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
    "processes": "import os\nfor _ in range(100):\n  if os.fork() == 0:\n    import time; time.sleep(30); os._exit(0)",
    "memory": "x = bytearray(700 << 20); print(len(x))",
}


@pytest.fixture
def kuro(sandboxes, images, workdir):
    """kuro(tier, code): the result of a job."""
    for name in ("workspace", "artifacts"):
        (workdir / name).mkdir()
    (workdir / "workspace/input.csv").write_text("kind,value\na,1\nb,2\na,3\n")
    options = [*images.options("python"), "--json", "--workspace", f"{workdir}/workspace:ro", "--artifacts", workdir / "artifacts",
               "--language", "python", "--code", "-"]

    def run(tier, code, *more):
        _, arguments = sandboxes.arguments([*options, "--policy", f"kuro-{tier}", *more])
        return sandboxes.call("run", *arguments, input=code).json()

    run.options, run.sandboxes = options, sandboxes
    return run


@pytest.mark.parametrize("tier", ["pro", "sovereign"])
def test_a_job_with_artifacts(kuro, workdir, tier):
    result = kuro(tier, JOB)
    assert result["success"] and result["exit_code"] == 0, result
    assert result["stdout"].split() == ["kind", "a", "4", "b", "2"] and "warned" in result["stderr"]
    assert [(entry["path"], entry["mime_type"]) for entry in result["artifacts"]] == [
        ("plot.png", "image/png"), ("table.csv", "text/csv")]
    assert [entry["path"] for entry in result["artifacts_refused"]] == ["run.sh"]
    assert (workdir / "artifacts/plot.png").read_bytes().startswith(b"\x89PNG")
    assert result["execution_time"] > 0 and result["metrics"]["memory_peak_bytes"] > 0


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_fails(kuro, name):
    result = kuro("pro", ATTACKS[name])
    assert not result["success"], result
    if name == "memory":
        assert (result["reason"], result["error"]) == ("oom", "OutOfMemoryError")
    elif name == "processes":
        assert result["reason"] == "pids_limit"


CONTROLS = {"memory": ["--memory", "1g"], "processes": ["--pids", "200"]}


@pytest.mark.parametrize("name", CONTROLS)
def test_attack_would_work_without_the_limit(kuro, name):
    assert kuro("pro", ATTACKS[name], "--policy", "sandbox", *CONTROLS[name])["success"]


def test_time(kuro):
    result = kuro("pro", "while True: pass", "--timeout", "0.5")
    assert (result["exit_code"], result["error"]) == (-1, "TimeoutError") and result["execution_time"] < 10


@pytest.mark.parametrize("tier, at_once", [("pro", 1), ("sovereign", 2)])
def test_jobs_at_the_same_time(kuro, spawn, workdir, tier, at_once):
    """The next one is refused, and told so, until one has ended."""
    runtime = kuro.sandboxes.runtime
    code = "import time; open('/artifacts/begun-%d.txt', 'w'); time.sleep(60)"
    for number in range(at_once):
        _, arguments = kuro.sandboxes.arguments([*kuro.options[:-4], "--policy", f"kuro-{tier}"])
        spawn(kuro.sandboxes.command("run", *arguments, "--", "python3", "-c", code % number), stdout=-3, stderr=-3)
    wait_until(lambda: len(list((workdir / "artifacts").glob("begun*"))) == at_once, "all to run")
    refused = kuro(tier, "print(1)")
    assert (refused["reason"], refused["exit_code"]) == ("refused", -1) and str(at_once) in refused["message"]
    for process in runtime._spawned:
        process.terminate()
    for process in runtime._spawned:
        process.wait(30)
    assert kuro(tier, "print(1)")["stdout"] == "1\n"
