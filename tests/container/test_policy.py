"""Policies: how they are found, chosen and checked, and what a container has under one."""
import json
import os
import re

import jsonschema
import pytest

from brigtest.policies import SHIPPED, host_settings

pytestmark = pytest.mark.brig_only("other runtimes have no policies")

NAMES = ["harombe", "kb-labs", "kuro-pro", "kuro-sovereign", "sandbox", "strict", "toolkata"]


def seccomp_filters(reports):
    return int(re.search(r"^Seccomp_filters:\s+(\d+)", reports["status"], re.MULTILINE).group(1))


# ---- the verb


def test_list_has_the_shipped_ones(installed):
    rows = installed.under().ok("policy", "list", "--json").json()
    assert [row["name"] for row in rows] == NAMES
    lines = installed.under().ok("policy", "list").out.splitlines()
    assert [line.split()[0] for line in lines] == ["NAME", *NAMES]


@pytest.mark.parametrize("name", NAMES)
def test_shipped_policies_hold_to_the_schema(installed, name):
    schema = json.loads((SHIPPED / "schema.json").read_text())
    jsonschema.validate(json.loads((SHIPPED / f"{name}.json").read_text()), schema)
    assert "valid" in installed.under().ok("policy", "check", SHIPPED / f"{name}.json").out


def test_schema_and_reader_refuse_the_same(installed):
    """What the schema says is unknown or of the wrong type, the reader does not take either."""
    schema = json.loads((SHIPPED / "schema.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    for number, members in enumerate([
            {"secomp": {}}, {"filesystem": {"readonlyRoot": True}}, {"filesystem": {"tmpfs": [{"size": 1}]}},
            {"limits": {"timeout": 15}}, {"resources": {"cpus": 0}}, {"network": {"mode": "off"}}, {"hooks": "none"},
            {"privileges": {"devices": ["/dev/fuse"]}}, {"filesystem": {"hidden": ["proc"]}}, {"audit": {"sink": "syslog"}}]):
        path = installed.write(f"bad-{number}", **members)
        assert list(validator.iter_errors(json.loads(path.read_text()))), members
        installed.under().fails("policy", "check", path)


@pytest.mark.parametrize("name,most", [("kuro-pro", 99), ("kuro-sovereign", 99), ("harombe", 99), ("kb-labs", 99)])
def test_show_counts_the_system_calls(installed, name, most):
    document = installed.under().ok("policy", "show", name, "--json").json()
    calls = document["systemCalls"]
    assert calls["count"] == len(set(calls["names"])) <= most
    assert not {"ptrace", "bpf", "keyctl", "mount", "unshare", "setns", "io_uring_setup", "clone3"} & set(calls["names"])
    text = installed.under().ok("policy", "show", name).out
    assert f"system calls: {calls['count']} are allowed" in text and " epoll_pwait" in text


def test_show_merges_what_is_extended(installed):
    policy = installed.under().ok("policy", "show", "kuro-sovereign", "--json").json()["policy"]
    assert policy["limits"]["timeout"] == "60s" and policy["limits"]["grace"] == "2s"
    assert policy["resources"]["memory"] == "512MiB" and policy["privileges"]["capabilities"] == []


def test_explain_says_what_and_why(installed, bundle):
    bundle.set("linux.resources.memory", {"limit": 1 << 30}).set("root.readonly", False).write()
    changes = installed.under().ok("policy", "explain", "strict", bundle.path, "--json").json()
    by_property = {change["property"]: change for change in changes}
    assert by_property["linux.resources.memory.limit"]["before"] == str(1 << 30)
    assert by_property["linux.resources.memory.limit"]["after"] == str(512 << 20)
    assert by_property["root.readonly"]["after"] == "true"
    assert "strict" in by_property["process.capabilities.bounding"]["reason"]
    assert "process.capabilities.bounding" in installed.under().ok("policy", "explain", "strict").out
    assert by_property["limits.timeout"]["after"] == "5 min" and "guard" in by_property["limits.timeout"]["reason"]
    text = installed.under().ok("policy", "explain", "strict").out
    assert "In sandboxes only (brig sandbox): limits.output, limits.log" in text


def test_explain_names_a_refusal(installed, bundle):
    bundle.namespace("network", "/proc/1/ns/net").write()
    installed.under().fails("policy", "explain", "strict", bundle.path, text="/proc/1/ns/net.*strict")


def test_words_that_are_none(installed):
    for words in ([], ["show"], ["remove", "strict"], ["list", "strict"], ["check"]):
        installed.under().fails("policy", *words)


# ---- files


def test_unknown_policy(installed, bundle):
    installed.under("missing").create_fails(bundle, text='there is no policy "missing".*/etc/brig/policies')


@pytest.mark.parametrize("name", ["../strict", "/etc/passwd", "a/b", "UPPER", ".."])
def test_no_path_is_a_name(installed, bundle, name):
    runtime = installed.under()
    bundle.write()
    flags = ["--root", runtime.root, "--log", runtime.log, "--log-format", "json", "--policy", name]
    runtime.fails("create", "--bundle", bundle.path, "x", flags=flags, text="is not the name of a policy")


@pytest.mark.parametrize("spoil", [
    lambda installed, path: path.chmod(0o666), lambda installed, path: path.chmod(0o664),
    lambda installed, path: os.chown(path, 1000, 1000), lambda installed, path: installed.policies.chmod(0o777),
    lambda installed, path: os.chown(installed.policies, 1000, 1000),
])
def test_a_file_that_others_could_write_is_refused(installed, bundle, spoil):
    spoil(installed, installed.write("mine"))
    installed.under("mine").create_fails(bundle, text="others could weaken it")


def test_a_seccomp_profile_that_others_could_write_is_refused(installed, bundle):
    (installed.policies / "seccomp/code.json").chmod(0o666)
    installed.under("kuro-pro").create_fails(bundle, text="code.json.*others could weaken it")


def test_a_misspelt_condition_of_a_profile_is_refused(installed):
    profile = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
        {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "arg": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]}]}
    (installed.policies / "seccomp/mine.json").write_text(json.dumps(profile))
    path = installed.write("mine", seccomp={"profile": "mine"}, privileges={"noNewPrivileges": True})
    installed.under().fails("policy", "check", path, text=r"syscalls\[0\].arg is not a known property")


def test_a_misspelt_call_to_deny_is_refused(installed):
    path = installed.write("mine", seccomp={"profile": "code", "deny": ["ptrcae"]}, privileges={"noNewPrivileges": True})
    installed.under().fails("policy", "check", path, text='"ptrcae" is no system call')


def test_extending_in_a_circle(installed):
    installed.write("one", extends="two")
    path = installed.write("two", extends="one")
    installed.under().fails("policy", "check", path, text="round in a circle")


def test_a_policy_has_the_name_of_its_file(installed):
    path = installed.write("mine")
    path.write_text('{"name": "other"}')
    installed.under().fails("policy", "check", path, text='the name is "other"')


# ---- choosing


def test_by_option(installed, bundle):
    runtime = installed.under()
    flags = ["--root", runtime.root, "--log", runtime.log, "--log-format", "json"]
    bundle.args("/bin/probe", "caps")
    assert runtime.run(bundle, flags=flags).json()["caps"]["bounding"]
    assert not runtime.run(bundle, flags=[*flags, "--policy", "strict"]).json()["caps"]["bounding"]


def test_the_option_wins_over_the_name(installed, bundle):
    installed.write("open")
    runtime = installed.under("strict")
    flags = ["--root", runtime.root, "--log", runtime.log, "--log-format", "json", "--policy", "open"]
    bundle.args("/bin/probe", "caps")
    assert runtime.run(bundle, flags=flags).json()["caps"]["bounding"]


def test_default_of_the_host(installed, bundle):
    bundle.args("/bin/probe", "caps")
    runtime = installed.under()
    by_host = runtime.run(bundle, prefix=host_settings(installed.folder, defaultPolicy="strict")).json()
    assert not by_host["caps"]["bounding"]
    assert runtime.run(bundle, prefix=host_settings(installed.folder)).json()["caps"]["bounding"]


def test_settings_of_the_host_are_checked(installed, bundle):
    bundle.write()
    installed.under().fails("create", "--bundle", bundle.path, "x", text="defaultPolice is not a known property",
                            prefix=host_settings(installed.folder, defaultPolice="strict"))


def test_annotation_only_where_the_host_allows_it(installed, bundle):
    bundle.set("annotations", {"brig.policy": "strict"}).args("/bin/probe", "caps")
    result = installed.under().run(bundle)
    assert result.json()["caps"]["bounding"]
    assert any("brig.policy" in entry["msg"] and "is not followed" in entry["msg"] for entry in result.log)
    allowed = host_settings(installed.folder, allowAnnotations=True)
    assert not installed.under().run(bundle, prefix=allowed).json()["caps"]["bounding"]


def test_annotation_can_only_tighten(installed, bundle):
    installed.write("wide", resources={"memory": "1GiB", "pids": 1000})
    bundle.set("annotations", {"brig.policy": "wide"})
    runtime = installed.under("strict")
    allowed = host_settings(installed.folder, allowAnnotations=True)
    container = runtime.running(bundle, prefix=allowed)
    assert int(container.cgroup_file("pids", "pids.max")) == 128
    assert not container.report("caps")["bounding"]
    bundle.set("annotations", {"brig.policy": "../../etc/passwd"}).write()
    runtime.fails("create", "--bundle", bundle.path, "x", text="is not the name of a policy", prefix=allowed)


# ---- under a policy


def test_plan_has_it(installed, bundle):
    bundle.write()
    plan = installed.under("strict").ok("plan", "--bundle", bundle.path, "--format", "json").json()
    assert plan["policies"] == ["strict/program"] and plan["root"]["readonly"]


def test_what_a_container_has(installed, bundle):
    bundle.set("root.readonly", False).set("process.noNewPrivileges", False).all_capabilities()
    bundle.set("process.oomScoreAdj", -500).set("linux.maskedPaths", []).set("linux.readonlyPaths", [])
    reports = installed.under("strict").report(bundle, "caps", "no_new_privileges", "status", "rlimits", "oom_score_adj",
                                               "mounts")
    assert not any(reports["caps"].values())
    assert reports["no_new_privileges"] and seccomp_filters(reports) == 1 and reports["oom_score_adj"] == 0
    assert reports["rlimits"]["RLIMIT_NOFILE"] == {"soft": 1024, "hard": 1024}
    assert reports["rlimits"]["RLIMIT_CORE"] == {"soft": 0, "hard": 0}
    mounts = {mount["target"] if "target" in mount else mount["destination"]: mount for mount in reports["mounts"]}
    assert "/tmp" in mounts and "/proc/sys" in mounts


@pytest.mark.parametrize("path,answer", [("/new", "EROFS"), ("/proc/sys/kernel/domainname", "EROFS"), ("/tmp/new", None)])
def test_where_it_may_write(installed, bundle, path, answer):
    bundle.set("root.readonly", False).set("linux.readonlyPaths", [])
    assert installed.under("strict").probe(bundle, "write-file", path, "x")["errno"] == answer
    assert installed.under().probe(bundle, "write-file", path, "x")["errno"] is None


def test_binds_are_read_only_but_where_the_policy_says(installed, bundle, workdir):
    for name in ("artifacts", "other"):
        (workdir / name).mkdir()
        (bundle.rootfs / name).mkdir()
        bundle.mount(f"/{name}", "bind", workdir / name, ["rbind", "rw"])
    for name, answer in (("artifacts", None), ("other", "EROFS")):
        bundle.set("process.user", {"uid": 0, "gid": 0})
        assert installed.under("kuro-pro").probe(bundle, "write-file", f"/{name}/x", "x")["errno"] == answer


def test_environment(installed, bundle):
    installed.write("mine", env={"allow": ["PATH", "LC_*"], "set": {"HOME": "/tmp"}})
    bundle.process["env"] += ["SECRET=1", "LC_ALL=C", "HOME=/root"]
    assert set(installed.under("mine").report(bundle, "env")) == {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "HOME=/tmp"}


def test_hooks_are_removed_or_refused(installed, bundle, workdir):
    bundle.set("hooks", {"poststart": [{"path": "/bin/touch", "args": ["touch", str(workdir / "ran")]}]})
    bundle.args("/bin/true")
    installed.under("strict").run(bundle)
    assert not (workdir / "ran").exists()
    installed.write("refusing", hooks="refused")
    installed.under("refusing").create_fails(bundle, text="hooks is a list of 1, but the policy refusing")
    installed.under().run(bundle)
    assert (workdir / "ran").exists()


def test_missing_namespaces_are_added(installed, bundle):
    for kind in ("network", "ipc", "uts", "cgroup"):
        bundle.namespace(kind, remove=True)
    bundle.drop("hostname")
    inside = installed.under("strict").report(bundle, "namespaces")
    for name in ("net", "ipc", "uts", "pid", "cgroup"):
        assert inside[name] != os.stat(f"/proc/self/ns/{name}").st_ino


def test_exec_is_under_the_policy_too(installed, bundle):
    """As with docker exec --privileged: what the caller asks for is not above what the policy keeps."""
    bundle.set("process.noNewPrivileges", False)
    container = installed.under("strict").running(bundle)
    plain = installed.under()  # exec knows the policy from the state and not from its caller
    everything = {"args": ["/bin/probe", "caps", "no_new_privileges", "status"], "cwd": "/", "user": {"uid": 0, "gid": 0},
                  "capabilities": {name: ["CAP_SYS_ADMIN"] for name in ("bounding", "effective", "permitted")}}
    file = installed.folder / "process.json"
    file.write_text(json.dumps(everything))
    for reports in (plain.ok("exec", "--process", file, container.id).json(),
                    plain.ok("exec", "--cap", "CAP_SYS_ADMIN", container.id, "/bin/probe", "caps", "no_new_privileges",
                             "status").json()):
        assert not any(reports["caps"].values())
        assert reports["no_new_privileges"] and seccomp_filters(reports) == 1


def test_exec_holds_to_the_policy_as_it_was(installed, bundle):
    path = installed.write("mine", privileges={"capabilities": [], "noNewPrivileges": True})
    container = installed.under("mine").running(bundle)
    path.unlink()
    assert not any(container.report("caps").values())


def test_without_a_policy_exec_gets_what_it_asks_for(runtime, bundle):
    container = runtime.running(bundle)
    assert "CAP_SYS_ADMIN" in json.dumps(container.report("caps", flags=["--cap", "CAP_SYS_ADMIN"]))


def test_update_stays_below_the_policy(installed, bundle):
    container = installed.under("strict").running(bundle)
    assert container.cgroup_file("pids", "pids.max") == "128"
    result = container.runtime.ok("update", "--pids-limit", "100000", container.id)
    assert container.cgroup_file("pids", "pids.max") == "128"
    assert any("policy strict" in entry["msg"] for entry in result.log)
    container.runtime.ok("update", "--pids-limit", "10", container.id)
    assert container.cgroup_file("pids", "pids.max") == "10"


def test_memory_and_cpu(installed, bundle):
    bundle.set("linux.resources.memory", {"limit": 4 << 30, "swap": -1})
    container = installed.under("kuro-pro").running(bundle)
    memory = container.cgroup("memory")
    limit = memory / ("memory.max" if (memory / "memory.max").exists() else "memory.limit_in_bytes")
    assert int(limit.read_text()) == 128 << 20


# ---- two filters


def errno_rule(*names):
    return {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": list(names), "action": "SCMP_ACT_ERRNO", "errnoRet": 13}]}


@pytest.fixture
def denying(installed):
    installed.write("denying", seccomp={"profile": "program", "deny": ["getpgrp"]}, privileges={"noNewPrivileges": True})
    return installed.under("denying")


def test_a_call_needs_the_leave_of_both_filters(denying, bundle):
    bundle.set("linux.seccomp", errno_rule("sched_yield"))
    assert seccomp_filters({"status": denying.report(bundle, "status")}) == 2
    for call, answer in (("sched_yield", "EACCES"), ("getpgrp", "EPERM"), ("getpid", None)):
        assert denying.probe(bundle, "syscall", call)["errno"] == answer
    container = denying.running(bundle.args("/bin/probe", "sleep"))
    for call, answer in (("sched_yield", "EACCES"), ("getpgrp", "EPERM"), ("getpid", None)):
        assert container.probe("syscall", call)["errno"] == answer


def test_a_bundle_that_denies_seccomp_gets_the_second_filter_by_prctl(denying, bundle):
    bundle.set("linux.seccomp", errno_rule("seccomp"))
    assert denying.probe(bundle, "syscall", "getpgrp")["errno"] == "EPERM"


def test_a_bundle_that_allows_no_second_filter_does_not_start(denying, bundle):
    profile = errno_rule("seccomp", "prctl")
    profile["syscalls"][0]["errnoRet"] = 1
    bundle.set("linux.seccomp", profile).args("/bin/true")
    denying.run(bundle, code=1, text="the second one cannot be loaded")


def test_the_filter_is_compiled_once(denying, bundle):
    filters = denying.root / ".filters"
    bundle.args("/bin/true")
    denying.run(bundle)
    kept = {entry.name: entry.stat().st_ino for entry in filters.iterdir()}
    denying.run(bundle)
    assert len(kept) == 1 and {entry.name: entry.stat().st_ino for entry in filters.iterdir()} == kept
