"""The result object: its fields, every reason with an attack from inside and a control under a wider limit, streams."""
import base64
import json
import os

import jsonschema
import pytest

from brigtest import settings

SCHEMA = json.loads((settings.CHECKOUT / "docs" / "sandbox-result.schema.json").read_text())


def check(document):
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    return document


def test_plain_exit(sandboxes):
    result = check(sandboxes.shell("echo out; echo err >&2; exit 3", code=3))
    assert (result["stdout"], result["stderr"], result["exit_code"]) == ("out\n", "err\n", 3)
    assert (result["reason"], result["success"], result["error"], result["signal"]) == ("exited", False, None, None)
    assert result["message"] is None and result["execution_time"] > 0


def test_success_and_metrics(sandboxes):
    result = check(sandboxes.shell("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; head -c 1000000 /dev/zero > file; sleep 0.01 & wait", code=0))
    metrics = result["metrics"]
    assert result["success"] and metrics["cpu_user_ms"] > 10
    assert metrics["memory_peak_bytes"] > 1000000 and metrics["pids_peak"] == 2
    assert 1000000 <= metrics["disk_used_bytes"] < 1100000


def test_signaled(sandboxes):
    result = check(sandboxes.shell("kill -SEGV $$", code=139))
    assert (result["reason"], result["signal"], result["error"]) == ("signaled", "SIGSEGV", "SignalError")


@pytest.mark.parametrize("script", ["sleep 60", "trap '' TERM; while :; do sleep 1; done", "sleep 60 & sleep 60 & wait",
                                    "setsid sh -c 'trap \"\" TERM; sleep 60' & sleep 60"])
def test_timeout(sandboxes, script):
    result = check(sandboxes.shell(script, options=["--timeout", "0.3", "--grace", "300ms"], code=124))
    assert (result["reason"], result["error"], result["exit_code"]) == ("timeout", "TimeoutError", -1)
    assert 0.3 <= result["execution_time"] < 5


def test_no_timeout(sandboxes):
    assert check(sandboxes.shell("sleep 0.5", options=["--timeout", "0"], code=0))["success"]


def test_term_is_heard_before_kill(sandboxes):
    result = sandboxes.shell("trap 'echo heard; exit 0' TERM; while :; do sleep 0.1; done",
                             options=["--timeout", "0.3", "--grace", "5s"])
    assert (result["reason"], result["stdout"]) == ("timeout", "heard\n")
    assert result["execution_time"] < 4


HOG = "head -c 64m /dev/zero | tail -n 1 | wc -c"


def test_out_of_memory(sandboxes):
    result = check(sandboxes.run("probe", "allocate", "64", options=["--memory", "16m"]))
    assert (result["reason"], result["error"]) == ("oom", "OutOfMemoryError")
    assert result["exit_code"] != 0 and result["metrics"]["memory_peak_bytes"] <= 16 << 20
    assert check(sandboxes.run("probe", "allocate", "64", options=["--memory", "128m"]))["reason"] == "exited"


BOMB = "for i in $(seq 30); do sleep 5 & done; echo all"


def test_processes(sandboxes):
    result = check(sandboxes.shell(BOMB, options=["--pids", "10", "--timeout", "10"]))
    assert (result["reason"], result["error"]) == ("pids_limit", "ProcessLimitError")
    assert result["metrics"]["pids_peak"] <= 10
    control = check(sandboxes.shell(BOMB, options=["--pids", "40"]))
    assert (control["reason"], control["stdout"]) == ("exited", "all\n")


FILL = "dd if=/dev/zero of=file bs=1000000 count=3 2>&1 && echo written"


def test_disk(sandboxes):
    result = check(sandboxes.shell(FILL, options=["--disk", "1m"]))
    assert (result["reason"], result["error"]) == ("disk_limit", "DiskLimitError")
    assert "No space left" in result["stdout"] and result["metrics"]["disk_used_bytes"] <= 1 << 20
    assert check(sandboxes.shell(FILL, options=["--disk", "4m"]))["stdout"].endswith("written\n")


@pytest.mark.parametrize("place", ["/tmp", "/dev/shm"])
def test_other_places_are_bounded(sandboxes, place):
    result = sandboxes.shell(f"dd if=/dev/zero of={place}/file bs=1000000 count=100", options=["--memory", "512m"])
    assert not result["success"] and "No space left" in result["stderr"]


def test_files_are_bounded(sandboxes):
    result = check(sandboxes.shell("i=0; while : > f$i; do i=$((i+1)); done 2>/dev/null; exit 1", options=["--disk", "1m"]))
    assert result["reason"] == "disk_limit"


def test_output_is_cut(sandboxes):
    result = check(sandboxes.shell("head -c 5000 /dev/zero | tr '\\0' x", options=["--output-limit", "1000"], code=0))
    assert result["stdout"] == "x" * 1000 + "\n[OUTPUT TRUNCATED]"
    assert (result["reason"], result["stdout_truncated"], result["stderr_truncated"]) == ("exited", True, False)
    whole = sandboxes.shell("head -c 5000 /dev/zero | tr '\\0' x", options=["--output-limit", "5000"])
    assert whole["stdout"] == "x" * 5000 and not whole["stdout_truncated"]


def test_flood_ends_the_program(sandboxes):
    result = check(sandboxes.shell("yes >&2", options=["--output-limit", "1000", "--timeout", "30"], code=137))
    assert (result["reason"], result["error"]) == ("output_limit", "OutputLimitError")
    assert result["stderr"].endswith("[OUTPUT TRUNCATED]") and result["stderr_truncated"]


def test_a_cut_leaves_whole_characters(sandboxes):
    result = check(sandboxes.shell("printf 'äöü'", options=["--output-limit", "3"]))
    assert (result["stdout"], result["stdout_encoding"]) == ("ä\n[OUTPUT TRUNCATED]", "utf-8")


def test_other_bytes_than_text(sandboxes):
    result = check(sandboxes.shell("printf 'a\\000\\377\\376'; printf '\\000ok' >&2"))
    assert (result["stdout_encoding"], base64.b64decode(result["stdout"])) == ("base64", b"a\0\xff\xfe")
    assert (result["stderr_encoding"], result["stderr"]) == ("utf-8", "\0ok")


def test_killed_from_outside(sandboxes, spawn, workdir):
    name, arguments = sandboxes.arguments(["--json", "--artifacts", str(workdir / "made")])
    (workdir / "made").mkdir()
    (workdir / "made").chmod(0o777)
    with open(workdir / "out", "wb") as out:
        process = spawn(sandboxes.command("run", *arguments, "--", "sh", "-c", "touch /artifacts/begun; sleep 60"), stdout=out)
    from brigtest.waiting import wait_until
    wait_until(lambda: (workdir / "made/begun").exists(), "the program to begin")
    process.terminate()
    assert process.wait(20) == 137
    assert check(json.loads((workdir / "out").read_text()))["reason"] == "killed"


@pytest.mark.parametrize("program,code", [("nonexistent", 127), ("/etc/passwd", 126), ("/etc", 126)])
def test_program_cannot_be_run(sandboxes, program, code):
    result = check(sandboxes.run(program, code=125))
    assert (result["reason"], result["exit_code"], result["error"]) == ("setup_failed", code, "SetupError")
    assert program in result["message"]


def test_sandbox_cannot_be_made(sandboxes):
    result = check(sandboxes.run("true", options=["--memory", "4k"], code=125))
    assert (result["reason"], result["exit_code"]) == ("setup_failed", -1) and result["message"]


def test_without_json_streams_pass_through(sandboxes):
    result = sandboxes.run_raw("sh", "-c", "printf 'a\\377b'; echo err >&2; exit 7", stdout=None)
    assert result.code == 7
    result = sandboxes.run_raw("sh", "-c", "echo out; echo err >&2; exit 7")
    assert (result.out, result.err, result.code) == ("out\n", "err\n", 7)


def test_without_json_the_reason_goes_to_stderr(sandboxes):
    result = sandboxes.run_raw("sleep", "60", options=["--timeout", "0.2"])
    assert result.code == 124 and "timeout: ended after 0.2 s" in result.err and result.out == ""
    result = sandboxes.run_raw("sh", "-c", "echo 123456789", options=["--output-limit", "4"])
    assert result.out == "1234\n[OUTPUT TRUNCATED]\n" and result.code == 0


def test_input(sandboxes):
    data = os.urandom(300000)
    result = sandboxes.run("sh", "-c", "sha256sum | cut -c1-64", options=["--stdin"], input=data)
    import hashlib
    assert result["stdout"].strip() == hashlib.sha256(data).hexdigest()
    assert sandboxes.run("cat", input=b"not given")["stdout"] == ""


def test_input_that_nobody_reads(sandboxes):
    assert sandboxes.run("true", options=["--stdin"], input=b"x" * 300000, code=0)["success"]


def test_traceparent(sandboxes):
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    environment = {**os.environ, "TRACEPARENT": trace}
    result = check(sandboxes.shell("echo $TRACEPARENT", env=environment))
    assert (result["stdout"].strip(), result["traceparent"]) == (trace, trace)
    environment["TRACEPARENT"] = "x\ny"
    assert check(sandboxes.shell("echo $TRACEPARENT", env=environment))["traceparent"] is None


def test_environment(sandboxes):
    environment = {**os.environ, "GIVEN": "1", "SECRET": "2"}
    result = sandboxes.shell("env", options=["--env", "A=b=c", "--env", "GIVEN", "--env", "ABSENT"], env=environment)
    lines = set(result["stdout"].splitlines())
    assert {"A=b=c", "GIVEN=1"} <= lines
    assert not [line for line in lines if line.startswith(("SECRET", "ABSENT"))]


def test_artifacts(sandboxes, workdir):
    import hashlib
    folder = workdir / "artifacts"
    folder.mkdir()
    folder.chmod(0o777)
    script = ("cd /artifacts; echo hi > plot.PNG; mkdir d; echo x > d/data.csv; echo no > run.sh; ln -s /etc/passwd link.txt;"
              "ln -s /etc dir.txt; touch empty.json; echo > .png; mkdir -p a/b; echo > a/b/tool")
    result = check(sandboxes.shell(script, options=["--artifacts", folder], code=0))
    found = {entry["path"]: entry for entry in result["artifacts"]}
    assert set(found) == {"plot.PNG", "d/data.csv", "empty.json"}
    assert found["plot.PNG"] == {"path": "plot.PNG", "size": 3, "mime_type": "image/png",
                                 "sha256": hashlib.sha256(b"hi\n").hexdigest()}
    refused = {entry["path"]: entry["reason"] for entry in result["artifacts_refused"]}
    assert set(refused) == {"run.sh", "link.txt", "dir.txt", ".png", "a/b/tool"}
    assert "link" in refused["link.txt"]


@pytest.mark.parametrize("language,program,code", [("shell", "sh", "echo $1-$((40+2))")])
def test_languages(sandboxes, workdir, language, program, code):
    (workdir / "code").write_text(code)
    _, arguments = sandboxes.arguments(["--json", "--language", language, "--code", workdir / "code"])
    result = sandboxes.call("run", *arguments, "--", "x")
    assert check(result.json())["stdout"] == "x-42\n"
    _, arguments = sandboxes.arguments(["--json", "--language", language, "--code", "-"])
    assert sandboxes.call("run", *arguments, "--", "y", input=code).json()["stdout"] == "y-42\n"


def test_language_that_is_not_there(sandboxes):
    _, arguments = sandboxes.arguments(["--json", "--language", "python", "--code", "-"])
    result = sandboxes.call("run", *arguments, input="print(1)").json()
    assert (result["reason"], result["exit_code"]) == ("setup_failed", 127) and "python3" in result["message"]
