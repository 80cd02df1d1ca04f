"""CVE-2024-21626: a descriptor of a host directory that is open in the init, and a working directory that names it."""
import contextlib
import json
import os

import pytest

from brigtest import wait_until
from weak import child_of

DESCRIPTORS = range(0, 101)


@contextlib.contextmanager
def leaky_caller(count):
    """Host directories open in the caller without close-on-exec, as a careless daemon would have them."""
    with contextlib.ExitStack() as stack:
        fds = [os.open("/", os.O_RDONLY | os.O_DIRECTORY) for _ in range(count)]
        for fd in fds:
            stack.callback(os.close, fd)
        yield fds


def ways_out(outcome):
    """What find_token found; nothing when the container was refused."""
    return json.loads(outcome.out)["ways"] if outcome.out.startswith("{") else []


def find_token(bundle, canary):
    return bundle.args("/bin/find_token", str(canary.token).lstrip("/"))


def test_cwd_in_a_descriptor(target, attack_bundle, canary):
    bundle = find_token(attack_bundle("find_token"), canary)
    breaches, refused = [], 0
    with leaky_caller(3) as fds:
        for number in DESCRIPTORS if not target.is_weak else range(3, 12):
            bundle.process["cwd"] = f"/proc/self/fd/{number}"
            outcome = target.run(bundle, pass_fds=fds, **({"leak": ["/"]} if target.is_weak else {}))
            refused += outcome.code != 0
            breaches += [f"cwd {bundle.process['cwd']}: {way}" for way in ways_out(outcome)]
    target.judge(breaches, exercised=refused > 0)


@pytest.mark.parametrize("form", ["/link", "/dir/../link", "/proc/thread-self/fd/{}", "/proc/1/fd/{}", "/proc/self/fd/{}/.",
                                  "/proc/self/fd/{}/../.."])
def test_cwd_by_a_detour(target, attack_bundle, canary, form):
    bundle = find_token(attack_bundle("find_token"), canary)
    (bundle.rootfs / "dir").mkdir()
    breaches = []
    with leaky_caller(3) as fds:
        for number in range(3, 12):
            (bundle.rootfs / "link").unlink(missing_ok=True)
            (bundle.rootfs / "link").symlink_to(f"/proc/self/fd/{number}")
            bundle.process["cwd"] = form.format(number)
            outcome = target.run(bundle, pass_fds=fds, **({"leak": ["/"]} if target.is_weak else {}))
            breaches += [f"cwd {bundle.process['cwd']}: {way}" for way in ways_out(outcome)]
    target.judge(breaches)


def test_exec_cwd_in_a_descriptor(target, attack_bundle, canary):
    """The same through exec, by the flag; a container that was started well is no excuse."""
    bundle = attack_bundle("find_token").args("/bin/probe", "sleep")
    token = str(canary.token).lstrip("/")
    breaches = []
    with leaky_caller(3) as fds:
        if target.is_weak:
            pid = start_weak(target, bundle)
            for number in fds:
                outcome = target.weak.join(pid, "/bin/find_token", token, pass_fds=fds,
                                           steps=["directory", f"/proc/self/fd/{number}"])
                breaches += ways_out(outcome)
        else:
            container = target.runtime.running(bundle)
            for number in {*DESCRIPTORS, *fds}:
                result = target.runtime.call("exec", "--cwd", f"/proc/self/fd/{number}", container.id, "/bin/find_token",
                                             token, pass_fds=fds)
                breaches += [f"--cwd /proc/self/fd/{number}: {way}" for way in ways_out(result)]
    target.judge(breaches)


def start_weak(target, bundle):
    process = target.weak.start(bundle)
    return wait_until(lambda: child_of(process, "probe"), "the control's container to run")


def found(outcome):
    return json.loads(outcome.out)


def test_no_descriptor_is_inherited(target, attack_bundle, canary):
    """The first instruction of the user's program sees standard input, output and error, and nothing else."""
    bundle = find_token(attack_bundle("find_token"), canary)
    with leaky_caller(5) as fds:
        outcome = target.run(bundle, pass_fds=fds)
    assert outcome.code == 0, outcome
    extra = set(found(outcome)["descriptors"]) - {"0", "1", "2"}
    target.judge(sorted(extra) + ways_out(outcome))


def test_no_descriptor_is_inherited_by_exec(target, attack_bundle, canary):
    bundle = attack_bundle("find_token").args("/bin/probe", "sleep")
    token = str(canary.token).lstrip("/")
    with leaky_caller(5) as fds:
        if target.is_weak:
            outcome = target.weak.join(start_weak(target, bundle), "/bin/find_token", token, pass_fds=fds)
        else:
            outcome = target.runtime.running(bundle).exec("/bin/find_token", token, pass_fds=fds)
    extra = set(found(outcome)["descriptors"]) - {"0", "1", "2"}
    target.judge(sorted(extra) + ways_out(outcome))


def test_preserved_descriptors_are_the_asked_ones(runtime, attack_bundle, canary):
    """--preserve-fds 2 keeps 3 and 4, and not one more."""
    bundle = find_token(attack_bundle("find_token"), canary)
    null = os.open("/dev/null", os.O_RDONLY)
    try:
        result = runtime.run(bundle, "--preserve-fds", "2", close_fds=False,
                             preexec_fn=lambda: [os.dup2(null, number) for number in (3, 4, 5, 6) if number != null])
    finally:
        os.close(null)
    assert set(json.loads(result.out)["descriptors"]) == {"0", "1", "2", "3", "4"}
