"""What confines a process is in force at its first instruction: limits that the launcher sets from outside must not come
after the program has begun, nor depend on who is faster."""
import pytest

ROUNDS = 40
CONFINEMENT = ("rlimits", "oom_score_adj", "cgroups", "no_new_privileges", "seccomp")


def confined_bundle(attack_bundle):
    bundle = attack_bundle()
    bundle.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 201, "hard": 201},
                                 {"type": "RLIMIT_FSIZE", "soft": 1 << 20, "hard": 1 << 20}]
    bundle.set("process.oomScoreAdj", 300).set("process.noNewPrivileges", True)
    bundle.set("linux.seccomp", {"defaultAction": "SCMP_ACT_ALLOW",
                                 "syscalls": [{"names": ["acct"], "action": "SCMP_ACT_ERRNO"}]})
    return bundle


def check(seen):
    assert seen["rlimits"]["RLIMIT_NOFILE"] == {"soft": 201, "hard": 201}
    assert seen["rlimits"]["RLIMIT_FSIZE"] == {"soft": 1 << 20, "hard": 1 << 20}
    assert seen["oom_score_adj"] == 300
    assert seen["no_new_privileges"] is True and seen["seccomp"] == 2


@pytest.mark.parametrize("user", ["0:0", "1000:1000"])
def test_exec(runtime, attack_bundle, user):
    """Every one of many execs, for root and for another user, whose limits the caller may not be allowed to set any more."""
    container = runtime.running(confined_bundle(attack_bundle))
    cgroups = container.report("cgroups")
    for _ in range(ROUNDS):
        seen = container.report(*CONFINEMENT, flags=("--user", user))
        check(seen)
        assert seen["cgroups"] == cgroups


@pytest.mark.parametrize("user", [0, 1000])
def test_run(runtime, attack_bundle, user):
    for _ in range(ROUNDS // 4):
        bundle = confined_bundle(attack_bundle).set("process.user", {"uid": user, "gid": user})
        check(runtime.report(bundle, *CONFINEMENT))


def test_the_caller_has_other_limits(runtime, attack_bundle):
    """The control of the tests above: without the properties a process has what its caller has."""
    bundle = attack_bundle()
    del bundle.process["rlimits"]
    seen = runtime.report(bundle, *CONFINEMENT)
    assert seen["rlimits"]["RLIMIT_NOFILE"] != {"soft": 201, "hard": 201}
    assert seen["oom_score_adj"] != 300 and seen["seccomp"] == 0 and seen["no_new_privileges"] is False
