"""CVE-2025-31133: files are masked with the container's /dev/null, and whoever supplies /dev supplies what lies there."""
import json
import os
import stat

import pytest

GAPS = {"runc": "CVE-2025-31133 is open before 1.2.8"}
MASKED = ["/proc/version", "/proc/cpuinfo", "/proc/meminfo"]


def own_dev(workdir):
    """A directory of the image's making for /dev, complete but for `null`."""
    folder = workdir / "dev"
    for name in ("pts", "shm", "mqueue"):
        (folder / name).mkdir(parents=True)
    for name, minor in (("zero", 5), ("full", 7), ("random", 8), ("urandom", 9)):
        os.mknod(folder / name, stat.S_IFCHR | 0o666, os.makedev(1, minor))
    return folder


def bundle_with_own_dev(attack_bundle, dev):
    bundle = attack_bundle().args("/bin/probe", "read", *MASKED)
    bundle.spec["mounts"] = [mount for mount in bundle.spec["mounts"] if not mount["destination"].startswith("/dev")]
    bundle.mount("/dev", "bind", dev, ["bind", "rw"])
    bundle.set("linux.maskedPaths", list(MASKED))
    return bundle


def readable(outcome):
    """Masked files that give something; none when the container was refused."""
    if outcome.code != 0:
        return []
    return [f"{path} reads {text[:60]!r}" for path, text in json.loads(outcome.out).items() if text]


def make_null(dev, kind, canary):
    null = dev / "null"
    if kind == "link to proc":
        null.symlink_to("/proc/uptime")
    elif kind == "link to the host":
        null.symlink_to(canary.token)
    elif kind == "another device":
        os.mknod(null, stat.S_IFCHR | 0o666, os.makedev(1, 9))
    else:
        null.write_text("a file of the image's making")


@pytest.mark.parametrize("kind", ["link to proc", "link to the host", "file"])
def test_null_is_false(target, attack_bundle, workdir, canary, kind):
    dev = own_dev(workdir)
    make_null(dev, kind, canary)
    outcome = target.run(bundle_with_own_dev(attack_bundle, dev))
    target.judge(readable(outcome) + canary.changes(), gaps=GAPS)


def test_null_is_another_device(target, attack_bundle, workdir, canary):
    """urandom in the place of null: whatever lies on a masked file, it is not that device."""
    dev = own_dev(workdir)
    make_null(dev, "another device", canary)
    outcome = target.run(bundle_with_own_dev(attack_bundle, dev).args("/bin/probe", "stat", *MASKED))
    masks = json.loads(outcome.out) if outcome.code == 0 else {}
    target.judge([path for path, status in masks.items() if (status["major"], status["minor"]) == (1, 9)], gaps=GAPS)


def test_null_under_a_race(target, attack_bundle, workdir, swapper):
    """The true device changes places with a link while the paths are masked."""
    dev = own_dev(workdir)
    os.mknod(dev / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    (dev / "link").symlink_to("/proc/uptime")
    bundle = bundle_with_own_dev(attack_bundle, dev)
    breaches, started = [], 0
    stop = swapper(dev / "null", dev / "link")
    for _ in range(60):
        outcome = target.run(bundle, **({"linger": 300} if target.is_weak else {}))
        started += outcome.code == 0
        breaches += readable(outcome)
    swaps = stop()
    target.judge(breaches, exercised=swaps > 1000 and started > 0, gaps=GAPS)


def test_masked_and_readonly_paths_hold(target, attack_bundle):
    """The everyday case: Docker's lists are in force, for the file and for the folder. The control has no lists."""
    bundle = attack_bundle().args("/bin/probe", "read", *MASKED)
    if not target.is_weak:
        bundle.set("linux.maskedPaths", list(MASKED))
    else:
        bundle.set("linux.maskedPaths", [])
    target.judge(readable(target.run(bundle)))


def test_masked_path_is_a_link(runtime, attack_bundle, canary):
    """A masked path that the image made a link must not put a mask, or a folder, on the host."""
    bundle = attack_bundle().args("/bin/probe", "ids")
    (bundle.rootfs / "masked").symlink_to(canary.folder)
    bundle.set("linux.maskedPaths", ["/masked", "/masked/empty", "/masked/token", "/masked/made"])
    runtime.call("run", "--bundle", bundle.write().path, runtime._prepare(bundle, None))
    assert not canary.changes()
