"""`exec --user` and the user of a process file: nothing that is not a number in range becomes root.
crun CVE-2026-30892 read `1` as 0:0; a number above 32 bits wraps to 0 where it is cut off; 4294967295 is -1, which means
"leave as it is" to setresuid and so leaves root."""
import json

import pytest

from brigtest import brig_only, wait_until
from weak import child_of

ACCEPTED = {"0": (0, 0), "1": (1, 0), "1:2": (1, 2), "1000:1000": (1000, 1000), "0:5": (0, 5), "65534:65534": (65534, 65534)}
REFUSED = [":2", "x", "4294967296", "4294967295", "-1", "1:", "1:x", "x:1", "1:-1", "1:4294967296", "1:2:3", " 1", "1 ",
           "0x1", "1e0", "1.0", "18446744073709551616", "1:18446744073709551616", "1:4294967295", ":", "root", "nobody:x"]


@pytest.fixture
def container(runtime, attack_bundle):
    return runtime.running(attack_bundle())


@pytest.mark.parametrize("text, expected", ACCEPTED.items())
def test_accepted(container, text, expected):
    ids = container.report("ids", flags=("--user", text))
    assert (ids["uid"], ids["gid"]) == expected
    assert (ids["euid"], ids["suid"], ids["fsuid"]) == (expected[0],) * 3
    assert (ids["egid"], ids["sgid"], ids["fsgid"]) == (expected[1],) * 3


def test_nothing_else_becomes_root(target, attack_bundle):
    """The attacker's choice of words, and who the process then is."""
    bundle = attack_bundle()
    breaches = []
    if target.is_weak:
        process = target.weak.start(bundle.args("/bin/probe", "sleep"))
        pid = wait_until(lambda: child_of(process, "probe"), "the control's container to run")
        run = lambda text: target.weak.join(pid, "/bin/probe", "ids", steps=["user", text])
    else:
        container = target.runtime.running(bundle)
        run = lambda text: target.runtime.call("exec", "--user", text, container.id, "/bin/probe", "ids")
    for text in REFUSED:
        outcome = run(text)
        if outcome.code == 0 and 0 in (json.loads(outcome.out)["ids"]["uid"],):
            breaches.append(f"--user {text!r} is root")
    target.judge(breaches, gaps={"runc": "cuts numbers above 32 bits off"})


@brig_only("runc 1.1 cuts numbers off and takes -1")
@pytest.mark.parametrize("text", REFUSED)
def test_refused(container, text):
    container.exec_fails("/bin/probe", "ids", flags=(f"--user={text}",), text="(?i)user|uid|gid")


@brig_only("runc 1.1 takes the first two")
@pytest.mark.parametrize("user", [{"uid": 4294967296, "gid": 0}, {"uid": -1, "gid": 0}, {"uid": 4294967295, "gid": 0},
                                  {"uid": 1, "gid": 4294967296}, {"uid": 1, "gid": 4294967295}, {"uid": "1", "gid": 1},
                                  {"uid": 1.5, "gid": 1}, {"uid": 1, "gid": 1, "additionalGids": [4294967295]},
                                  {"uid": 1, "gid": 1, "additionalGids": [4294967296]}], ids=str)
def test_process_file(runtime, container, workdir, user):
    process = dict(container.bundle.process, user=user, args=["/bin/probe", "ids"])
    (workdir / "process.json").write_text(json.dumps(process))
    result = runtime.call("exec", "--process", workdir / "process.json", container.id)
    assert result.code == 255, result


@brig_only("runc 1.1 takes the first two")
@pytest.mark.parametrize("user", [{"uid": 4294967296, "gid": 0}, {"uid": -1, "gid": 0}, {"uid": 4294967295, "gid": 0},
                                  {"uid": 1, "gid": 4294967296}, {"uid": 1, "gid": 4294967295}, {"uid": "1", "gid": 1}],
                         ids=str)
def test_config(runtime, attack_bundle, user):
    runtime.create_fails(attack_bundle().set("process.user", user), text="(?i)user|uid|gid")
