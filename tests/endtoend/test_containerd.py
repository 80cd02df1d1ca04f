"""containerd's own client, without Docker in between."""
import os
import re
import subprocess

import pytest

from brigtest import cgroups, settings
from docker_client import wait_until

# ctr puts containers into cgroups under this name; without the tag of the run, because runtimes leave the parent.
NAMESPACE = f"endtoend-{os.getpid()}"


class Ctr:
    """ctr in a namespace of this run, on the engine's containerd."""

    def __init__(self, engine, rootfs):
        self.base = ["ctr", "--address", engine.containerd_socket, "--namespace", NAMESPACE]
        self.rootfs = rootfs
        self.names = []

    def __call__(self, *arguments, timeout=60):
        return subprocess.run([*self.base, *map(str, arguments)], capture_output=True, text=True, timeout=timeout,
                              stdin=subprocess.DEVNULL, check=False)

    def ok(self, *arguments):
        result = self(*arguments)
        assert result.returncode == 0, f"ctr {' '.join(map(str, arguments))}: {result.stdout}{result.stderr}"
        return result.stdout.rstrip("\n")

    def run(self, name, *command, options=(), runtime=None):
        self.names.append(name)
        return self("run", *options, "--env", "PATH=/bin", "--runc-binary", runtime or settings.runtime_binary(),
                    "--rootfs", self.rootfs, name, *command)

    def detached(self, name, *command):
        result = self.run(name, *command, options=["-d"])
        assert result.returncode == 0, result.stderr
        return name

    def close(self):
        for name in self.names:
            self("task", "kill", "-s", "SIGKILL", name)
            self("task", "rm", "-f", name)
            self("container", "rm", name)


@pytest.fixture
def ctr(leak_check, engine, box):
    client = Ctr(engine, box / "busybox" / "rootfs")
    yield client
    client.close()
    assert client.ok("container", "ls", "-q") == ""
    left = sorted(cgroups.folders_with(f"/{NAMESPACE}"), reverse=True)
    assert {os.path.basename(path) for path in left} <= {NAMESPACE}, left
    for path in left:
        os.rmdir(path)


def test_run_and_exit_code(ctr):
    result = ctr.run("once", "sh", "-c", "echo out; echo err >&2; exit 23", options=["--rm"])
    assert (result.returncode, result.stdout, result.stderr) == (23, "out\n", "err\n")


def test_failed_start_names_the_reason(ctr):
    result = ctr.run("failing", "no-such-program")
    assert result.returncode != 0 and "executable file not found in" in result.stderr


def test_the_runtime_in_use_is_the_one_under_test(ctr, workdir):
    wrapper = workdir / "wrapper"
    wrapper.write_text(f'#!/bin/sh\necho "$@" >> {workdir}/calls\nexec {settings.runtime_binary()} "$@"\n')
    wrapper.chmod(0o755)
    assert ctr.run("known", "true", options=["--rm"], runtime=wrapper).returncode == 0
    calls = (workdir / "calls").read_text()
    assert re.search(r"create --bundle .* known$", calls, re.MULTILINE) and re.search(r"start known$", calls, re.MULTILINE)


def test_exec(ctr):
    ctr.detached("running", "sleep", "100")
    result = ctr("task", "exec", "--exec-id", "first", "running", "sh", "-c", "cat /proc/1/comm; exit 8")
    assert (result.returncode, result.stdout) == (8, "sleep\n")
    assert ctr.ok("task", "exec", "--exec-id", "second", "--cwd", "/tmp", "--user", "1000", "running", "sh", "-c",
                  "id -u; pwd").split() == ["1000", "/tmp"]


def test_list_ps_and_kill(ctr):
    ctr.detached("victim", "sh", "-c", "sleep 200 & sleep 201; true")
    assert re.search(r"^victim +\d+ +RUNNING", ctr.ok("task", "ls"), re.MULTILINE)
    wait_until(lambda: len(ctr.ok("task", "ps", "victim").split("\n")) == 4, "three processes to be listed")
    ctr.ok("task", "kill", "-s", "SIGKILL", "victim")
    wait_until(lambda: re.search(r"^victim +\d+ +STOPPED", ctr.ok("task", "ls"), re.MULTILINE), "the task to end")
    assert "137" in ctr("task", "rm", "victim").stderr


def test_metrics(ctr):
    ctr.detached("measured", "probe", "allocate", "20", "100")

    def memory():
        text = ctr.ok("task", "metrics", "measured")
        return max(map(int, re.findall(r"^memory\.usage[\w.]* +(\d+)", text, re.MULTILINE)), default=0)

    wait_until(lambda: memory() > 20 << 20, "the memory to be counted")


def test_pause_and_resume(ctr):
    ctr.detached("sleeper", "sleep", "100")
    ctr.ok("task", "pause", "sleeper")
    assert "PAUSED" in ctr.ok("task", "ls")
    ctr.ok("task", "resume", "sleeper")
    assert "RUNNING" in ctr.ok("task", "ls")
