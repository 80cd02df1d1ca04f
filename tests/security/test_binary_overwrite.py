"""CVE-2019-5736: a container that opens /proc/PID/exe of the runtime and writes to it owns the host at the next start."""
import contextlib
import hashlib
import json
import pathlib
import shutil
import time

import pytest

from brigtest import Runtime, runtime_binary, wait_until
from weak import child_of

SECONDS = 4
KNOWN = ("/bin/busybox", "/bin/probe", "/bin/overwrite_runtime")


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def victim(target, workdir, attacks):
    """A copy of the binary under attack: the host's own must survive a success."""
    path = workdir / "victim"
    shutil.copy(attacks / "weak_runtime" if target.is_weak else runtime_binary(), path)
    path.chmod(0o755)
    return path


@pytest.fixture
def victim_runtime(target, victim, workdir):
    (workdir / "victim-runtime").mkdir()
    runtime = Runtime(workdir / "victim-runtime", str(victim))
    yield runtime
    problems = runtime.close()
    if not target.is_weak:
        assert not problems, problems


def attacker(attack_bundle):
    return attack_bundle("overwrite_runtime").args("/bin/overwrite_runtime", str(SECONDS), *KNOWN)


def attack(target, bundle, victim, victim_runtime, start):
    """Runs the attacker's container and `start(container or pid)` again and again; gives back the attacker's report."""
    before = digest(victim)
    end = time.monotonic() + SECONDS - 1
    if target.is_weak:
        process = target.weak.start(bundle)
        pid = wait_until(lambda: child_of(process, "overwrite_runtime"), "the control's container to run")
        # Once it is overwritten the control cannot be started any more: that is the attack's success.
        while time.monotonic() < end and digest(victim) == before:
            with contextlib.suppress(OSError):
                start(pid)
        return json.loads(process.communicate(timeout=30)[0])
    container = victim_runtime.running(bundle)
    while time.monotonic() < end:
        # ETXTBSY: an open for writing counts as a writer for the moment until the kernel sees the read-only mount.
        with contextlib.suppress(OSError):
            start(container)
    return json.loads(container.wait_for_output("}"))


def judge(target, report, victim, before):
    changed = digest(victim) != before
    target.judge([f"the binary was overwritten: {report}"] if changed else [])
    if not target.is_weak:
        assert report["writable"] == 0, report


@pytest.mark.parametrize("program", ["/bin/true", "/bin/script"])
def test_exec_into_an_attacker(target, attack_bundle, victim, victim_runtime, program):
    """The joining process itself, and a script whose interpreter is /proc/self/exe, that is: the runtime once more."""
    bundle, before = attacker(attack_bundle), digest(victim)
    bundle.file("/bin/script", "#!/proc/self/exe\n", 0o755)

    def start(container):
        if target.is_weak:
            target.weak.join(container, program, program=victim, steps=["wait", "2000"])
        else:
            victim_runtime.call("exec", container.id, program)

    judge(target, attack(target, bundle, victim, victim_runtime, start), victim, before)


@pytest.mark.parametrize("program", ["/bin/true", "/bin/script"])
def test_create_beside_an_attacker(target, attack_bundle, victim, victim_runtime, program):
    """A second container in the attacker's pid namespace, as in a pod: create, start, delete."""
    bundle, before = attacker(attack_bundle), digest(victim)
    other = attack_bundle().args(program).set("root.path", str(bundle.rootfs))
    bundle.file("/bin/script", "#!/proc/self/exe\n", 0o755)

    def start(container):
        if target.is_weak:
            target.weak.join(container, program, program=victim, steps=["wait", "2000"])
            return
        other.namespace("pid", f"/proc/{container.pid}/ns/pid").write()
        name = victim_runtime._prepare(other, None)
        if victim_runtime.call("create", "--bundle", other.path, name).code == 0:
            victim_runtime.call("start", name)
        victim_runtime.call("delete", "--force", name)

    judge(target, attack(target, bundle, victim, victim_runtime, start), victim, before)


def test_entrypoint_is_the_runtime(runtime, attack_bundle):
    """An image whose entrypoint runs /proc/self/exe gets the runtime as a program in the container, and no more than that."""
    binary = pathlib.Path(runtime_binary())
    before = digest(binary)
    bundle = attack_bundle().args("/bin/script")
    bundle.file("/bin/script", "#!/proc/self/exe\n", 0o755)
    runtime.call("run", "--bundle", bundle.write().path, runtime._prepare(bundle, None))
    assert digest(binary) == before
