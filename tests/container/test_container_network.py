"""The names of a policy (network.mode allow) in a container that was created by hand."""
import json
import os
import signal
import sys

import pytest

from brigtest import settings
from brigtest.ordinary_user import OrdinaryUser
from brigtest.waiting import wait_until

sys.path.insert(0, str(settings.CHECKOUT / "tests" / "egress"))
from egress_world import RESOLVER, world  # noqa: E402,F401  a fixture

pytestmark = pytest.mark.brig_only("other runtimes have no policies")

ASK = "busybox nslookup -type=a pypi.org; busybox nslookup -type=a elsewhere.example; "
# busybox cannot resolve names without libraries.
FETCH = "import urllib.request as u; print(u.urlopen('http://{}/simple/demo-package/', timeout=8).read())"


@pytest.fixture
def names(world, installed, workdir, bundle):  # noqa: F811
    """Called from the host of that world, whose name server it uses."""
    (workdir / "resolv.conf").write_text(f"nameserver {RESOLVER}\n")
    use = f'mount --bind {workdir}/resolv.conf /etc/resolv.conf && exec "$@"'
    installed.write("names", network={"mode": "allow", "allow": ["pypi.org"]})
    runtime = installed.under("names")
    runtime.prefix = [*world.host.command("unshare", "--mount", "--propagation", "slave", "sh", "-c", use, "sh")]
    return runtime


@pytest.fixture
def python(bundle):
    for folder in ("/usr", "/lib", "/lib64"):
        bundle.mount(folder, "bind", folder, ["rbind", "ro"])
    return lambda name: bundle.args("/usr/bin/python3", "-c", FETCH.format(name))


def test_the_named_domain_and_nothing_else(names, python, bundle):
    result = names.run(bundle.args("sh", "-c", ASK + "true"))
    assert "93.184.216.34" in result.out and "NXDOMAIN" in result.out, result
    assert "demo_package-1.0" in names.run(python("pypi.org")).out
    for other in ("elsewhere.example", "66.66.66.66"):
        refused = names.run(python(other), code=1)
        assert "demo_package" not in refused.out and "Error" in refused.err, refused


def test_control_without_a_container(world):  # noqa: F811
    """What the container does not reach is there."""
    seen = world.host.run("sh", "-c", f'/usr/bin/python3 -c "{FETCH.format("66.66.66.66")}" || true')
    assert "not found" in seen.stderr.lower() or seen.stdout, seen


def test_the_policys_name_service_wins_over_the_bundles(names, bundle, workdir):
    (workdir / "other").write_text("nameserver 66.66.66.66\n")
    bundle.mount("/etc/resolv.conf", "bind", str(workdir / "other"), ["bind", "rw"])
    result = names.run(bundle.args("sh", "-c", "cat /etc/resolv.conf; echo x > /etc/resolv.conf"), code=1)
    assert "nameserver 127.0.0.1" in result.out and "66.66" not in result.out


def test_when_the_guard_is_killed_there_is_no_network(names, bundle):
    bundle.args("sh", "-c", "while true; do if busybox nslookup -type=a pypi.org 127.0.0.1 | grep -q 93.184; then echo yes; "
                            "else echo no; fi; sleep 0.2; done")
    container = names.create(bundle)
    container.start()
    container.wait_for_output("yes")
    guard = json.loads((names.root / container.id / "brig.json").read_text())["guard"]
    os.kill(guard, signal.SIGKILL)
    container.wait_for_output("no")
    wait_until(lambda: not os.path.exists(f"/proc/{guard}") or "Z" in open(f"/proc/{guard}/stat").read(), "the guard to end")
    container.delete("--force")


def test_without_root_the_broker_is_the_users(installed, bundle, workdir):
    """In the container's own user namespace; whatever is asked for, the broker answers."""
    user = OrdinaryUser(workdir / "user")
    runtime = None
    try:
        installed.write("names", network={"mode": "allow", "allow": ["pypi.org"]})
        runtime = installed.under("names")
        runtime.prefix = user.prefix
        runtime.root = user.folder / "state"
        runtime.root.mkdir(parents=True)
        user.own(runtime.folder, runtime.root)
        bundle.file("etc/resolv.conf")  # which the user could not make in root's folder
        result = runtime.run(bundle.args("sh", "-c", "cat /etc/resolv.conf; busybox nslookup -type=a elsewhere.example; true"))
    finally:
        if runtime is not None:
            runtime.prefix = ()
        user.close()
    assert "nameserver 127.0.0.1" in result.out and "NXDOMAIN" in result.out, result
