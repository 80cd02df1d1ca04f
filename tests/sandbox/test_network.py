"""The network of a sandbox: the domains that were named and nothing else. The broker's own attacks are in tests/egress."""
import json
import sys

import pytest

from brigtest import settings
from brigtest.audit import lines_of

sys.path.insert(0, str(settings.CHECKOUT / "tests" / "egress"))
from egress_world import RESOLVER, world  # noqa: E402,F401  a fixture

# busybox cannot resolve names without libraries: the host's files are the root.
ROOT = ["--rootfs", "/"]
GET = "timeout 20 /usr/bin/python3 -c 'import urllib.request as u; print(u.urlopen(\"http://{}/simple/demo-package/\", timeout=8).read())'"


@pytest.fixture
def online(world, sandboxes, workdir):  # noqa: F811
    """Calls are made from the host of that world, whose name server they use."""
    (workdir / "resolv.conf").write_text(f"nameserver {RESOLVER}\n")
    use = f'mount --bind {workdir}/resolv.conf /etc/resolv.conf && exec "$@"'
    sandboxes.runtime.prefix = [*world.host.command("unshare", "--mount", "--propagation", "slave", "sh", "-c", use, "sh")]
    return sandboxes


def test_the_named_domain_and_nothing_else(online, workdir):
    script = "; ".join(f"{GET.format(name)} && echo reached {name}" for name in ("pypi.org", "elsewhere.example", "66.66.66.66"))
    audit = workdir / "audit"
    result = online.shell(script, options=[*ROOT, "--network", "allow", "--allow-domain", "pypi.org", "--audit", audit])
    assert "demo_package-1.0" in result["stdout"] and "reached pypi.org" in result["stdout"], result
    assert "reached elsewhere" not in result["stdout"] and "reached 66" not in result["stdout"]
    assert result["network"]["allowed"] == ["pypi.org:80"]
    assert "elsewhere.example" in result["network"]["refused"] and "66.66.66.66:80" in result["network"]["refused"]
    lines = [line for line in lines_of(audit) if line["event"] == "network"]
    assert {line["verdict"] for line in lines} == {"allowed", "refused"}
    assert all(line["policy"] == "sandbox" for line in lines)


def test_control_without_a_sandbox(world):  # noqa: F811
    """What the sandbox does not reach is there."""
    seen = world.host.run("sh", "-c", GET.format("66.66.66.66") + " || true")
    assert "not found" in seen.stderr.lower() or seen.stdout


def test_without_the_option_there_is_no_network(online):
    result = online.shell(GET.format("pypi.org"), options=ROOT)
    assert not result["success"] and result["network"] == {"allowed": [], "refused": []}


def test_in_a_sandbox_that_stays(online):
    sandbox = online.create(*ROOT, "--allow-domain", "pypi.org")
    assert "demo_package-1.0" in sandbox.shell(GET.format("pypi.org"))["stdout"]
    result = sandbox.shell(GET.format("files.pythonhosted.org"))
    assert not result["success"] and "files.pythonhosted.org" in result["network"]["refused"]
    sandbox.ok("rm")


def test_options_that_do_not_fit(sandboxes):
    for options, words in ((["--network", "allow"], "reaches nothing"), (["--network", "host"], "none or allow"),
                           (["--network", "none", "--allow-domain", "pypi.org"], "reaches nothing"),
                           (["--allow-domain", "1.2.3.4"], "1.2.3.4")):
        result = sandboxes.run_raw("true", options=options)
        assert result.code == 125 and words in result.err, result


def test_a_policy_without_network_refuses(sandboxes):
    result = sandboxes.run("true", options=["--policy", "strict", "--allow-domain", "pypi.org"], code=126)
    assert (result["reason"], result["error"]) == ("refused", "RefusedError") and "no network" in result["message"]


def test_a_policy_that_names_domains(sandboxes, workdir, online):
    from test_confinement import write_policy
    policy = write_policy(sandboxes, network={"mode": "allow", "allow": ["pypi.org", "*.example:80"]})
    assert "demo_package-1.0" in sandboxes.shell(GET.format("pypi.org"), options=[*ROOT, *policy])["stdout"]
    refused = sandboxes.run("true", options=[*policy, "--allow-domain", "registry.npmjs.org"], code=126)
    assert "not among the destinations" in refused["message"]
    narrowed = sandboxes.shell(GET.format("pypi.org"), options=[*ROOT, *policy, "--allow-domain", "real.example:80"])
    assert not narrowed["success"] and "pypi.org" in narrowed["network"]["refused"]


def test_a_killed_broker_leaves_no_network(online):
    sandbox = online.create(*ROOT, "--allow-domain", "pypi.org")
    supervisor = sandbox.listed()["supervisor_pid"]
    children = [int(pid) for pid in open(f"/proc/{supervisor}/task/{supervisor}/children").read().split()]
    broker = [pid for pid in children if pid != sandbox.listed()["pid"]]
    assert len(broker) == 1
    import os
    import signal
    os.kill(broker[0], signal.SIGKILL)
    result = sandbox.shell(GET.format("pypi.org"))
    assert not result["success"] and result["network"]["allowed"] == []
    assert json.loads(sandbox.ok("stats", flags=["--json"]).out)["sandbox_id"] == sandbox.id


def test_an_ordinary_users_sandbox(online, workdir, bundle):
    """Names alone: an overlay over the host's root is not for ordinary users, and busybox can only ask for addresses."""
    from brigtest.ordinary_user import OrdinaryUser
    from test_sandbox_rootless import BEST_EFFORT
    user = OrdinaryUser(workdir / "user")
    user.own(online.runtime.folder)
    bundle.file("etc/resolv.conf")  # where the sandbox's own is mounted: the user could not make it
    online.runtime.prefix = [*online.runtime.prefix, *user.prefix]
    try:
        result = online.shell("busybox nslookup -type=a pypi.org; busybox nslookup -type=a elsewhere.example",
                              options=[*BEST_EFFORT, "--allow-domain", "pypi.org"])
    finally:
        online.runtime.prefix = ()
        user.close()
    assert "93.184.216.34" in result["stdout"] and "66.66.66.66" not in result["stdout"], result
    assert result["network"]["refused"] == ["elsewhere.example"]
