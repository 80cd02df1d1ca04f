"""What a program in a sandbox can reach when nobody names a policy, and what policies, approval and audit do."""
import json
import os
import re
import socket

import pytest

from brigtest import requires
from brigtest.audit import lines_of
from brigtest.waiting import wait_until

FIRST_ID = 1879048192


def attempt(sandboxes, *words, **more):
    result = sandboxes.run("probe", *words, **more)
    return json.loads(result["stdout"])["errno"]


ATTACKS = {
    "write to the root": (["write-file", "/new", "x"], ["EROFS", "EACCES"]),
    "write to /proc/sys": (["write-file", "/proc/sys/kernel/domainname", "x"], ["EROFS", "EACCES"]),
    "become root": (["setuid", "0"], ["EPERM"]),
    "make a device": (["mknod", "/tmp/disk", "b", "8", "0"], ["EPERM"]),
    "mount": (["mount", "none", "/tmp", "tmpfs"], ["EPERM"]),
    "a user namespace": (["unshare", "0x10000000"], ["EPERM"]),
    "a network namespace": (["unshare", "0x40000000"], ["EPERM"]),
    "join process 1's mounts": (["setns", "/proc/1/ns/mnt"], ["EPERM", "EACCES"]),
    "a raw socket": (["socket", "2", "3", "1"], ["EPERM", "EACCES"]),
    "a packet socket": (["socket", "17", "3", "768"], ["EPERM", "EACCES", "EAFNOSUPPORT"]),
    "chroot": (["chroot", "/tmp"], ["EPERM"]),
    "change the host name": (["sethostname", "mine"], ["EPERM"]),
    "load a BPF program": (["syscall", "bpf", "0", "0", "0"], ["EPERM", "ENOSYS"]),
    "a keyring": (["syscall", "keyctl", "0", "-3", "1"], ["EPERM", "ENOSYS"]),
    "io_uring": (["syscall", "io_uring_setup", "1", "0"], ["EPERM", "ENOSYS"]),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_fail(sandboxes, name):
    """The same probes succeed in the suites of containers under wider settings (test_kuro.py): they are the controls."""
    words, expected = ATTACKS[name]
    assert attempt(sandboxes, *words) in expected


def test_identity(sandboxes, spawn):
    result = sandboxes.shell("id -u; id -g; cat /proc/self/uid_map; grep -E 'Cap|NoNewPrivs|Seccomp:' /proc/self/status")
    lines = result["stdout"].splitlines()
    assert lines[:2] == ["1000", "1000"]
    inside, outside, count = map(int, lines[2].split())
    assert inside == 0 and count == 65536 and outside >= FIRST_ID and (outside - FIRST_ID) % 65536 == 0
    facts = dict(line.split(":\t") for line in lines[3:])
    assert facts["NoNewPrivs"] == "1" and facts["Seccomp"] == "2"
    assert {value for name, value in facts.items() if name.startswith("Cap")} == {"0000000000000000"}
    result = sandboxes.shell("id -u; cat /proc/self/uid_map", options=["--user", "7:8", "--user-namespace", "host"])
    assert result["stdout"].split() == ["7", "0", "0", "4294967295"]


def test_every_sandbox_has_ids_of_its_own(sandboxes):
    crowd = [sandboxes.create() for _ in range(8)]
    maps = {sandbox.shell("cat /proc/self/uid_map")["stdout"].split()[1] for sandbox in crowd}
    assert len(maps) == 8
    uid = os.stat(f"/proc/{crowd[0].listed()['pid']}").st_uid
    assert uid == 0 or uid >= FIRST_ID  # not dumpable: the kernel shows root as its owner


def test_the_ids_are_free_again(sandboxes, runtime):
    for _ in range(5):
        assert sandboxes.shell("true")["success"]
    import fcntl
    import struct
    with open(runtime.root / ".sandbox-ids", "r+b") as file:
        request = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0)
        found = fcntl.fcntl(file, 36, request)  # F_OFD_GETLK
        assert struct.unpack("hhqqi4x", found)[0] == fcntl.F_UNLCK


def test_no_network(sandboxes):
    result = sandboxes.shell("cat /proc/net/dev | tail -n +3 | cut -d: -f1; cat /proc/net/route | tail -n +2")
    assert result["stdout"].split() == ["lo"]


def test_the_view_is_small(sandboxes):
    result = sandboxes.shell("ls -d /sys/* 2>/dev/null; mount | cut -d' ' -f3; cat /proc/kcore | head -c 1; ls /proc/1/root/ | head -1")
    places = set(result["stdout"].split())
    assert not [place for place in places if place.startswith("/sys")]
    assert {"/", "/proc", "/dev", "/tmp", "/workspace"} <= places


def test_nothing_of_the_callers_is_inside(sandboxes, workdir):
    """Neither descriptors nor the terminal nor the environment."""
    result = sandboxes.shell("ls -l /proc/self/fd; env; cat /proc/self/cgroup", env={**os.environ, "SECRET": "x"})
    targets = re.findall(r"\d+ -> (\S+)", result["stdout"])
    assert all(target.startswith(("pipe:", "/dev/null", "/proc/")) for target in targets)
    assert "SECRET" not in result["stdout"]
    assert all(line.endswith(":/") for line in result["stdout"].splitlines() if re.match(r"\d+:.*:/", line))


def test_host_folders_belong_to_the_user_inside(sandboxes, workdir):
    """Without any chmod: the owner outside is the user inside; what others own is nobody's."""
    for name in ("workspace", "artifacts"):
        (workdir / name).mkdir()
        (workdir / name).chmod(0o700)
    os.chown(workdir / "workspace", 4321, 4321)
    (workdir / "workspace/given").write_text("text")
    (workdir / "workspace/given").chmod(0o600)
    os.chown(workdir / "workspace/given", 4321, 4321)
    (workdir / "workspace/foreign").write_text("foreign")
    (workdir / "workspace/foreign").chmod(0o600)
    result = sandboxes.shell("cat given; echo new > new; stat -c %u given new foreign; echo x > /artifacts/x.txt; cat foreign",
                             options=["--workspace", workdir / "workspace", "--artifacts", workdir / "artifacts"])
    assert result["stdout"] == "text1000\n1000\n65534\n", result
    assert os.stat(workdir / "workspace/new").st_uid == 4321
    assert os.stat(workdir / "artifacts/x.txt").st_uid == 0
    assert [entry["path"] for entry in result["artifacts"]] == ["x.txt"]
    read_only = sandboxes.shell("echo x > other", options=["--workspace", f"{workdir / 'workspace'}:ro"])
    assert "Read-only" in read_only["stderr"]


# ---- policies -------------------------------------------------------------------------------------------------------------


def write_policy(sandboxes, **members):
    """The options that choose a policy of the test's own."""
    sandboxes.installed.write("mine", description="for a test", extends="sandbox", **members)
    return ["--policy", "mine"]


def test_artifacts_of_a_policy(sandboxes, workdir):
    folder = workdir / "artifacts"
    folder.mkdir(mode=0o777)
    policy = write_policy(sandboxes, artifacts={"extensions": [".parquet", ".png"], "mimeTypes": ["application/*"]})
    result = sandboxes.shell("cd /artifacts; touch a.parquet b.png c.txt", options=[*policy, "--artifacts", folder])
    assert [(entry["path"], entry["mime_type"]) for entry in result["artifacts"]] == [("a.parquet", "application/octet-stream")]
    assert sorted(entry["path"] for entry in result["artifacts_refused"]) == ["b.png", "c.txt"]


def test_limits_of_a_policy(sandboxes, workdir):
    policy = write_policy(sandboxes, limits={"timeout": "300ms", "grace": "200ms", "output": "1KiB"})
    assert sandboxes.shell("sleep 20", options=policy)["reason"] == "timeout"
    assert sandboxes.shell("sleep 20", options=[*policy, "--timeout", "0"])["reason"] == "timeout", "options only lower it"
    assert sandboxes.shell("head -c 5000 /dev/zero | tr '\\0' x", options=policy)["stdout_truncated"]
    sandbox = sandboxes.create(*policy)
    assert sandbox.shell("sleep 20", flags=["--timeout", "20"])["reason"] == "timeout"
    assert sandbox.listed()["policy"] == "mine"


def test_environment_of_a_policy(sandboxes, workdir):
    policy = write_policy(sandboxes, env={"allow": ["PATH", "GOOD"], "set": {"FIXED": "1"}})
    result = sandboxes.shell("env | sort", options=[*policy, "--env", "GOOD=1", "--env", "BAD=1", "--env", "FIXED=2"])
    names = [line.split("=")[0] for line in result["stdout"].splitlines()]
    assert "GOOD" in names and "BAD" not in names and "HOME" not in names
    assert "FIXED=1" in result["stdout"].split()


def test_programs_of_a_policy(sandboxes, workdir, spawn):
    sandbox = sandboxes.create(*write_policy(sandboxes, limits={"programs": 1}))
    spawn(sandboxes.command("exec", sandbox.id, "sh", "-c", "> begun; sleep 20"))
    wait_until(lambda: sandbox.call("get", "begun").code == 0, "the program to begin")
    result = sandbox.shell("true")
    assert (result["reason"], result["error"], result["exit_code"]) == ("refused", "RefusedError", -1)


def test_sandboxes_of_a_policy(sandboxes, workdir):
    policy = write_policy(sandboxes, limits={"sandboxes": 2})
    first = sandboxes.create(*policy)
    sandboxes.create(*policy)
    refused = sandboxes.run_raw("true", options=policy)
    assert refused.code == 126 and "2 sandboxes are there already" in refused.err
    assert sandboxes.shell("true", options=["--policy", "sandbox"])["success"]
    first.ok("rm")
    assert sandboxes.shell("true", options=policy)["success"]


def approval(workdir, script):
    (workdir / "approve").write_text("#!/bin/sh\n" + script)
    (workdir / "approve").chmod(0o755)
    return {"command": [str(workdir / "approve")], "timeout": "700ms"}


@pytest.mark.parametrize("script,why", [("echo no, never; exit 1", "no, never"), ("sleep 30", "no answer within 700 ms"),
                                        ("kill -9 $$", "exit status 137")])
def test_what_is_not_approved_does_not_run(sandboxes, workdir, script, why):
    policy = write_policy(sandboxes, approval=approval(workdir, script))
    audit = workdir / "audit"
    result = sandboxes.run_raw("touch", "/workspace/ran", options=["--json", *policy, "--audit", audit])
    document = result.json()
    assert (document["reason"], document["error"], result.code) == ("refused", "RefusedError", 126)
    assert why in document["message"]
    assert [line["event"] for line in lines_of(audit)] == ["refused"]


def test_approval_sees_the_request(sandboxes, workdir):
    policy = write_policy(sandboxes, approval=approval(workdir, f"cat > {workdir}/asked"))
    assert sandboxes.run("echo", "x", options=policy)["stdout"] == "x\n"
    asked = json.loads((workdir / "asked").read_text())
    assert (asked["verb"], asked["program"], asked["arguments"], asked["policy"]) == ("run", "echo", ["x"], "mine")
    sandbox = sandboxes.create(*policy)
    assert json.loads((workdir / "asked").read_text())["verb"] == "create"
    (workdir / "approve").write_text("#!/bin/sh\nexit 1\n")
    refused = sandbox.call("exec", "echo", "x")
    assert refused.code == 125 and "refused" in refused.err and refused.out == ""


def test_approval_command_that_is_not_there(sandboxes, workdir):
    policy = write_policy(sandboxes, approval={"command": ["/nonexistent"], "timeout": "1s"})
    assert sandboxes.shell("true", options=policy)["reason"] == "refused"


def test_unknown_policy(sandboxes):
    result = sandboxes.run_raw("true", options=["--policy", "nonexistent"])
    assert result.code == 125 and "nonexistent" in result.err


@pytest.mark.parametrize("name", ["strict", "harombe", "kuro-pro", "kuro-sovereign", "sandbox",
                                  pytest.param("kb-labs", marks=requires("landlock"))])
def test_shipped_policies(sandboxes, name):
    result = sandboxes.shell("echo $((6*7))", options=["--policy", name])
    assert (result["stdout"], result["success"]) == ("42\n", True), result


def test_audit_lines(sandboxes, workdir):
    audit = workdir / "audit"
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    sandboxes.shell("sleep 30", options=["--timeout", "0.2", "--audit", audit], env={**os.environ, "TRACEPARENT": trace})
    lines = lines_of(audit)
    assert [line["event"] for line in lines] == ["created", "started", "limit", "ended", "removed"]
    assert {line["traceparent"] for line in lines} == {trace} and {line["policy"] for line in lines} == {"sandbox"}
    assert len({line["sandbox_id"] for line in lines}) == 1
    assert lines[3]["reason"] == "timeout" and all(line["time"].endswith("Z") for line in lines)
    assert (audit.stat().st_mode & 0o777) == 0o600


def test_audit_to_journald(sandboxes, workdir):
    """toolkata's policy wants it: a sandbox without is not begun."""
    refused = sandboxes.shell("true", options=["--policy", "toolkata"]) if not os.path.exists("/run/systemd/journal") else None
    assert refused is None or (refused["reason"] == "setup_failed" and "journald" in refused["message"])
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(workdir / "journal"))
        journal.settimeout(20)
        cover = (f'mount -t tmpfs run /run && mkdir -p /run/systemd/journal && touch /run/systemd/journal/socket && '
                 f'mount --bind {workdir}/journal /run/systemd/journal/socket && exec "$@"')
        sandboxes.runtime.prefix = ("unshare", "--mount", "--propagation", "slave", "sh", "-c", cover, "sh")
        result = sandboxes.shell("true", options=["--policy", "toolkata"])
        assert result["success"], result["message"]
        entry = journal.recv(65536).decode()
    fields = dict(line.split("=", 1) for line in entry.splitlines())
    assert fields["SYSLOG_IDENTIFIER"] == "brig" and json.loads(fields["MESSAGE"])["event"] == "created"


@requires("landlock")
def test_landlock_of_a_policy(sandboxes, workdir):
    """Rules hold for every program of a sandbox that stays, and were fixed before the first one ran."""
    policy = write_policy(sandboxes, filesystem={"landlock": {
        "read": ["/proc", "/etc", "/dev"], "readWrite": ["/workspace", "/dev/null"], "execute": ["/bin"]}})
    sandbox = sandboxes.create(*policy)
    result = sandbox.shell("echo x > /workspace/file && echo wrote; echo x > /tmp/file; cat /etc/passwd > /dev/null && echo read")
    assert result["stdout"] == "wrote\nread\n" and "/tmp/file" in result["stderr"]
    assert "/tmp/file" in sandbox.shell("echo x > /tmp/file")["stderr"]
    assert sandboxes.shell("echo x > /tmp/file")["success"]


def test_audit_that_cannot_be_written(sandboxes):
    result = sandboxes.run("true", options=["--audit", "/nonexistent/audit"], code=125)
    assert result["reason"] == "setup_failed" and "audit" in result["message"]
