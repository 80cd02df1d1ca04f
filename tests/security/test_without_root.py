"""An ordinary user's runtime must not become more than the user: through the setuid programs that it calls, the environment,
or groups of root."""
import os
import shutil
import subprocess

import pytest

from brigtest import requires, wait_until
from brigtest.ordinary_user import OrdinaryUser

pytestmark = requires("root", "program:setpriv", "program:newuidmap", "program:newgidmap")

FAKE = "#!/bin/sh\nenv > {log}\necho \"$0\" >> {log}\nexit 1\n"


@pytest.fixture
def user(leak_check, workdir):
    user = OrdinaryUser(workdir / "user")
    user.give_ids()
    yield user
    user.close()


@pytest.fixture
def rootless(make_runtime, user):
    runtime = make_runtime("runtime")
    runtime.call_as(user)
    return runtime


@pytest.fixture
def mapped(make_bundle, user):
    bundle = make_bundle("bundle")
    user.own(bundle.path)
    return bundle


def test_helpers_are_not_looked_for_in_path(rootless, mapped, workdir):
    folder = workdir / "runtime" / "evil"
    folder.mkdir()
    log = workdir / "runtime" / "log"
    for name in ("newuidmap", "newgidmap"):
        (folder / name).write_text(FAKE.format(log=log))
        (folder / name).chmod(0o755)
    env = {"PATH": f"{folder}:{os.environ['PATH']}"}
    shown = subprocess.run(["sh", "-c", "command -v newuidmap"], env=env, capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == str(folder / "newuidmap"), "the control: whoever goes by PATH runs the attacker's"
    assert len(rootless.report(mapped, "uid_map", env=env).split()) == 6
    assert not log.exists()


def test_helpers_get_no_environment_of_the_caller(rootless, mapped, user, workdir):
    """A setuid program ignores LD_PRELOAD by itself; what else it reads is not the caller's to choose, either."""
    log = workdir / "runtime" / "log"
    user.cover("/usr/bin/newuidmap", FAKE.format(log=log), mode=0o755)
    attack = {"LD_PRELOAD": "/tmp/evil.so", "NLSPATH": "/tmp/%N", "LOCPATH": "/tmp", "TZDIR": "/tmp", "LD_AUDIT": "/tmp/x",
              "SECRET": "1"}
    env = {"PATH": os.environ["PATH"], **attack}
    control = subprocess.run(["/usr/bin/newuidmap"], env=env, capture_output=True, check=False)
    assert control.returncode == 1 and "NLSPATH=/tmp/%N" in log.read_text(), "the control: the environment would go in"
    log.unlink()
    user.own(workdir / "runtime")
    rootless.create_fails(mapped, env=env, text="newuidmap failed")
    told = log.read_text()
    assert not [name for name in attack if f"{name}=" in told], told


@pytest.mark.parametrize("host_id", [0, 1000])
def test_a_false_subuid_gives_nothing(rootless, mapped, user, host_id):
    """brig believes a file that the test put over /etc/subuid; newuidmap alone has the power, and asks for itself."""
    mapped.namespace("user").set("linux.gidMappings", [{"containerID": 0, "hostID": user.gid, "size": 1}])
    mapped.set("linux.uidMappings", [{"containerID": 0, "hostID": host_id, "size": 1}])
    mapped.set("mounts", [mount for mount in mapped.spec["mounts"] if mount["type"] != "devpts"])
    rootless.create_fails(mapped, text=f"maps host user ID {host_id}, but /etc/subuid")


def test_files_of_root_stay_closed(rootless, make_runtime, mapped, workdir):
    """Binds are cloned with the user's rights over paths, not with those of a setuid helper."""
    closed = workdir / "closed"
    (closed / "inside").mkdir(parents=True)
    (closed / "inside" / "secret").write_text("secret of root\n")
    closed.chmod(0o700)
    mapped.mount("/run", "bind", closed / "inside", ["bind"])
    mapped.args("cat", "/run/secret")
    control = make_runtime("by_root")
    assert control.run(mapped).out == "secret of root\n", "the control: root may"
    rootless.create_fails(mapped, text="permission denied")
    secret = workdir / "secret"
    secret.write_text("secret of root\n")
    secret.chmod(0o600)
    mapped.spec["mounts"][-1] = {"destination": "/run", "type": "bind", "source": str(workdir), "options": ["rbind"]}
    result = rootless.call("run", "--bundle", mapped.write().path, "reader")
    rootless.ids.append("reader")
    assert result.code != 0 and "secret of root" not in result.out


def test_the_host_tree_of_cgroups_is_not_given_away(rootless, mapped):
    """CVE-2023-25809: without a cgroup of its own the container saw the host's tree, writable."""
    mapped.spec["mounts"][-1]["options"] = ["nosuid", "noexec", "nodev", "rw"]
    assert mapped.spec["mounts"][-1]["destination"] == "/sys/fs/cgroup"
    script = "find /sys/fs/cgroup -name cgroup.procs -o -name tasks | while read f; do echo 1 > $f && echo wrote $f; done"
    (mapped.rootfs / "bin/find").symlink_to("busybox")
    own = {line.rstrip("\n").split(":", 2)[2] for line in open("/proc/self/cgroup")}
    out = rootless.run(mapped.args("sh", "-c", script + "; true")).out
    assert "wrote" not in out, (out, own)


def overwrite_after_its_end(process, find_pid):
    """What a process in the container does to the runtime: keep its program open, wait for its end, write."""
    program = os.open(f"/proc/{find_pid()}/exe", os.O_RDONLY)
    process.kill()
    process.wait()
    try:
        with open(f"/proc/self/fd/{program}", "r+b") as file:
            file.write(b"overwritten")
    except OSError as error:
        return error.strerror
    finally:
        os.close(program)
    return "written"


def test_the_program_cannot_be_overwritten(rootless, mapped, user, workdir):
    """CVE-2019-5736. Without root no read-only mount can be made of the program, so it runs as a sealed copy in memory."""
    victim = workdir / "runtime" / "victim"
    shutil.copy("/bin/sleep", victim)
    control = subprocess.Popen([victim, "1000"])
    wait_until(lambda: os.readlink(f"/proc/{control.pid}/exe") == str(victim), "the control to run")
    assert overwrite_after_its_end(control, lambda: control.pid) == "written"
    assert victim.read_bytes().startswith(b"overwritten")

    before = (workdir / "user" / os.path.basename(user.program())).read_bytes()
    mapped.args("/bin/probe", "sleep").write()
    rootless.ids.append("held")
    process = rootless.spawn("run", "--bundle", mapped.path, "held", stdin=subprocess.DEVNULL)
    wait_until(lambda: rootless.call("state", "held").code == 0 and rootless.state("held")["status"] == "running", "it to run")
    assert overwrite_after_its_end(process, lambda: process.pid) != "written"
    assert (workdir / "user" / os.path.basename(user.program())).read_bytes() == before
