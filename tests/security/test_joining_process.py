"""CVE-2016-9962: what a container can take from a process that joins it, before it becomes the program that was asked for.
Includes the environment and the memory of the runtime, which hold the secrets of whoever called it."""
import json
import time

from brigtest import wait_until
from weak import child_of

SECRET = "SECRET_OF_THE_CALLER=5e2f0c"
SECONDS = 4


def watcher(attack_bundle):
    bundle = attack_bundle("watch_joiners")
    return bundle.args("/bin/watch_joiners", str(SECONDS), SECRET, "/bin/busybox", "/bin/probe", "/bin/watch_joiners")


def test_exec_gives_nothing_away(target, attack_bundle, monkeypatch):
    monkeypatch.setenv(*SECRET.split("="))
    bundle = watcher(attack_bundle)
    if target.is_weak:
        process = target.weak.start(bundle)
        pid = wait_until(lambda: child_of(process, "watch_joiners"), "the control's container to run")
        join = lambda: target.weak.join(pid, "/bin/true", steps=["leak", "/", "wait", "2000"])
    else:
        container = target.runtime.running(bundle)
        join = lambda: target.runtime.call("exec", container.id, "/bin/true")
    joins, end = 0, time.monotonic() + SECONDS - 1
    while time.monotonic() < end:
        join()
        joins += 1
    if target.is_weak:
        report = json.loads(process.communicate(timeout=20)[0])
    else:
        report = json.loads(container.wait_for_output("]}"))
    # Every join must have been seen by the watcher, or it looked elsewhere while the window was open.
    target.judge(report["breaches"], exercised=report["seen"] >= joins / 2 and report["denied"] > 0)


def test_a_second_init_gives_nothing_away(target, attack_bundle, monkeypatch):
    """Two containers in one pid namespace, as in a pod: the first watches the second come up."""
    monkeypatch.setenv(*SECRET.split("="))
    bundle = watcher(attack_bundle)
    other = attack_bundle().args("/bin/true").set("root.path", str(bundle.rootfs))
    if target.is_weak:
        process = target.weak.start(bundle)
        pid = wait_until(lambda: child_of(process, "watch_joiners"), "the control's container to run")
        start = lambda: target.weak.join(pid, "/bin/true", steps=["leak", "/", "wait", "2000"])
    else:
        container = target.runtime.running(bundle)
        other.namespace("pid", f"/proc/{container.pid}/ns/pid")
        start = lambda: target.runtime.run(other)
    end = time.monotonic() + SECONDS - 1
    while time.monotonic() < end:
        start()
    if target.is_weak:
        report = json.loads(process.communicate(timeout=20)[0])
    else:
        report = json.loads(container.wait_for_output("]}"))
    target.judge(report["breaches"], exercised=report["seen"] > 0 and report["denied"] > 0)


def test_environment_of_the_caller_stays_outside(runtime, attack_bundle, monkeypatch):
    """Neither the init nor an exec'd process is given a variable that config.json does not name."""
    monkeypatch.setenv(*SECRET.split("="))
    container = runtime.running(attack_bundle())
    seen = container.report("env") + container.exec("/bin/cat", "/proc/1/environ").out.split("\0")
    assert not [entry for entry in seen if "5e2f0c" in entry]
    assert any(entry.startswith("PATH=") for entry in seen)


def test_environment_of_another_user_is_closed(runtime, attack_bundle):
    """/proc/1/environ is root's: another user of the container does not read it, root does (the control)."""
    container = runtime.running(attack_bundle())
    assert container.probe("open", "/proc/1/environ")["result"] >= 0
    assert container.probe("open", "/proc/1/environ", flags=("--user", "1000:1000"))["errno"] == "EACCES"


def test_processes_of_the_host_are_not_seen(runtime, attack_bundle):
    """With a pid namespace of its own a container sees itself alone; with the host's (the control) it sees this test."""
    count = lambda bundle: sum(name.isdigit() for name in runtime.probe(bundle, "list", "/proc")["/proc"])
    assert count(attack_bundle()) == 1
    assert count(attack_bundle().namespace("pid", remove=True)) > 2
