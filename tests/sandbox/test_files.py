"""put, get and ls never leave the workspace: traversal, links, races by a program inside."""
import os
import time

import pytest

from brigtest.waiting import wait_until
from brigtest.audit import lines_of


@pytest.fixture
def sandbox(sandboxes):
    return sandboxes.create()


def test_put_get_ls(sandbox, workdir):
    data = os.urandom(3_000_000)
    (workdir / "in").write_bytes(data)
    sandbox.shell("mkdir -p sub/dir")
    sandbox.ok("put", workdir / "in", "sub/dir/data")
    sandbox.ok("get", "/workspace/sub/dir/data", workdir / "out")
    assert (workdir / "out").read_bytes() == data
    assert sandbox.shell("stat -c '%u:%g %a' sub/dir/data")["stdout"] == "1000:1000 644\n"
    entries = sandbox.ok("ls", "sub/dir", flags=["--json"]).json()
    assert [(entry["name"], entry["type"], entry["size"]) for entry in entries] == [("data", "file", len(data))]
    assert [entry["name"] for entry in sandbox.ok("ls", flags=["--json"]).json()] == ["sub"]
    assert "sub" in sandbox.ok("ls").out


def test_put_replaces_whole(sandbox, workdir):
    sandbox.ok("put", "-", "file", input="old")
    sandbox.ok("put", "-", "file", input="new")
    assert sandbox.ok("get", "file").out == "new"
    assert sandbox.shell("ls -A")["stdout"] == "file\n", "no temporary file is left"


def test_put_of_a_client_that_dies_leaves_nothing(sandbox, spawn):
    process = spawn(sandbox.sandboxes.command("put", sandbox.id, "-", "file"), stdin=-1)
    wait_until(lambda: "put" in sandbox.shell("ls -A")["stdout"], "the file to be begun")
    process.kill()
    process.wait()
    wait_until(lambda: sandbox.shell("ls -A")["stdout"] == "", "the file to be gone")


OUTSIDE = ["../etc/passwd", "/etc/passwd", "a/../../etc/passwd", "/workspace/../etc/passwd", "..", "/", "/proc/1/root/etc/passwd"]


@pytest.mark.parametrize("path", OUTSIDE)
def test_traversal(sandbox, path):
    for verb, words in (("get", [path]), ("put", ["-", path]), ("ls", [path])):
        result = sandbox.call(verb, *words, input="x")
        assert result.code == 1 and "outside of the workspace" in result.err, result


LINKS = {"a link to a file": "ln -s /etc/passwd link", "a link to a folder": "ln -s /etc link; :",
         "a magic link": "ln -s /proc/1/root link", "a link to a link": "ln -s link2 link; ln -s /etc/passwd link2",
         "a relative link": "ln -s ../../../../etc/passwd link", "a link inside": "echo x > real; ln -s real link"}


@pytest.mark.parametrize("name", LINKS)
def test_links_are_not_followed(sandbox, name):
    sandbox.shell(LINKS[name])
    for path in ("link", "link/passwd", "link/etc/passwd"):
        result = sandbox.call("get", path)
        assert result.code == 1 and "root:" not in result.out, result
    assert sandbox.call("ls", "link/").code in (0, 1)
    assert "passwd" not in sandbox.call("ls", "link/").out
    sandbox.call("put", "-", "link/new", input="x")
    # A link as the last component is replaced, never written through.
    sandbox.ok("put", "-", "link", input="mine")
    assert sandbox.shell("test -L link && echo link; cat link")["stdout"] == "mine"


@pytest.mark.parametrize("make", ["mkfifo special", "mkdir special", "ln -s /dev/zero special"])
def test_only_regular_files_are_read(sandbox, make):
    sandbox.shell(make)
    begin = time.monotonic()
    assert sandbox.call("get", "special").code == 1
    assert time.monotonic() - begin < 10



RACE = r"""
mkdir -p a/real; echo inside > a/real/passwd; mkdir -p b; ln -s /etc b/real; ln -s /etc c
while :; do
  mv a/real a/x 2>/dev/null; mv b/real a/real 2>/dev/null
  mv a/real b/real 2>/dev/null; mv a/x a/real 2>/dev/null
done
"""


def test_race_with_a_program_that_swaps(sandboxes, spawn, workdir):
    """What is read is never the host's; what is written never lies outside. The control opens by plain path."""
    workspace = workdir / "workspace"
    workspace.mkdir()
    workspace.chmod(0o777)
    sandbox = sandboxes.create("--workspace", workspace)
    spawn(sandboxes.command("exec", "--timeout", "0", sandbox.id, "sh", "-c", RACE))
    wait_until(lambda: (workspace / "c").is_symlink(), "the race to begin")
    host = open("/etc/passwd").read()
    fooled = seen = 0
    for _ in range(60):
        result = sandbox.call("get", "a/real/passwd")
        assert result.out in ("", "inside\n"), "a file from outside came through"
        seen += result.out == "inside\n"
        sandbox.call("put", "-", "a/real/brig-race-test", input="x")
        assert not os.path.exists("/etc/brig-race-test")
        for _ in range(200):
            try:
                fooled += open(workspace / "a/real/passwd").read() == host
            except OSError:
                pass
    assert seen, "the race never let the file be read"
    assert fooled, "the race does not work, so it proves nothing"


def test_read_only_workspace(sandboxes, workdir):
    workspace = workdir / "workspace"
    workspace.mkdir()
    workspace.chmod(0o777)
    (workspace / "given").write_text("text")
    sandbox = sandboxes.create("--workspace", f"{workspace}:ro")
    assert sandbox.shell("cat given")["stdout"] == "text"
    assert not sandbox.shell("echo x > new")["success"]
    assert sandbox.ok("get", "given").out == "text"
    assert sandbox.call("put", "-", "new", input="x").code == 1
    assert os.listdir(workspace) == ["given"]


def test_put_past_the_disk_limit(sandboxes):
    sandbox = sandboxes.create("--disk", "1m")
    result = sandbox.call("put", "-", "big", input=b"x" * 2_000_000)
    assert result.code == 1 and "space" in result.err
    assert sandbox.shell("ls -A")["stdout"] == ""


def test_moves_are_audited(sandboxes, workdir):
    sandbox = sandboxes.create("--audit", workdir / "audit")
    sandbox.ok("put", "-", "file", input="12345")
    sandbox.ok("get", "file")
    moves = [(line["direction"], line["path"], line["size"]) for line in lines_of(workdir / "audit") if line["event"] == "file"]
    assert moves == [("put", "file", 5), ("get", "file", 5)]
