"""Devices that were not given: made by mknod, brought by the image, brought by a volume."""
import json
import os
import stat

import pytest

DENY_ALL = [{"allow": False, "access": "rwm"}]
EVERYTHING = [{"allow": True, "access": "rwm"}]


def device_of_the_host(kind):
    """A device that root on this host can open and that no container is given: (b|c, major, minor)."""
    names = {"block": ["loop0", "loop7", "vda", "sda", "nvme0n1", "zram0"],
             "character": ["loop-control", "fuse", "hwrng", "vga_arbiter", "btrfs-control"]}[kind]
    for name in names:
        try:
            os.close(os.open(f"/dev/{name}", os.O_RDONLY | os.O_NONBLOCK))
        except OSError:
            continue
        number = os.stat(f"/dev/{name}").st_rdev
        return kind[0], os.major(number), os.minor(number)
    pytest.skip(f"needs a host where root can open one of {', '.join(names)}")


@pytest.fixture(params=["block", "character"])
def device(request):
    return device_of_the_host(request.param)


def open_brought(target, bundle, device, mode="r"):
    """Whether a device node that the image brings can be opened."""
    kind, major, minor = device
    os.mknod(bundle.rootfs / "node", (stat.S_IFBLK if kind == "b" else stat.S_IFCHR) | 0o666, os.makedev(major, minor))
    outcome = target.run(bundle.args("/bin/probe", "open", "/node", mode))
    return outcome.code == 0 and json.loads(outcome.out)["result"] >= 0


def test_device_of_the_image(target, attack_bundle, device):
    bundle = attack_bundle().set("linux.resources.devices", DENY_ALL)
    target.judge([f"{device} was opened"] if open_brought(target, bundle, device) else [])


def test_given_device_of_the_image_opens(runtime, attack_bundle):
    """The reverse: what the rules allow does open, so that refusing everything does not pass."""
    container = runtime.running(attack_bundle().set("linux.resources.devices", DENY_ALL))
    for name in ("null", "zero", "full", "random", "urandom"):
        assert container.probe("open", f"/dev/{name}", "r")["result"] >= 0, name


def test_device_made_inside(runtime, attack_bundle, device):
    """CAP_MKNOD is in Docker's set; the rules decide. With a rule that allows everything (the control) it works."""
    opened = {}
    for title, rules in (("all", EVERYTHING), ("none", DENY_ALL)):
        container = runtime.running(attack_bundle().set("linux.resources.devices", rules))
        container.exec("/bin/probe", "mknod", "/tmp/node", *map(str, device))
        opened[title] = container.probe("open", "/tmp/node", "r")["result"] >= 0
    assert opened == {"all": True, "none": False}


def test_made_inside_by_exec_with_more_capabilities(runtime, attack_bundle, device):
    """exec --cap adds capabilities, not devices."""
    container = runtime.running(attack_bundle().set("linux.resources.devices", DENY_ALL))
    flags = ("--cap", "CAP_MKNOD", "--cap", "CAP_SYS_ADMIN")
    container.exec("/bin/probe", "mknod", "/tmp/node", *map(str, device), flags=flags)
    assert container.probe("open", "/tmp/node", "rw", flags=flags)["errno"] in ("EPERM", "ENOENT")


def test_order_of_rules(runtime, attack_bundle, device):
    """The last rule that fits decides; a later denial takes back an earlier permission, and the other way round."""
    kind, major, minor = device
    rule = {"type": kind, "major": major, "minor": minor, "access": "rwm"}
    opened = {}
    for title, last in (("allowed", True), ("denied", False)):
        rules = [*DENY_ALL, dict(rule, allow=not last), dict(rule, allow=last)]
        container = runtime.running(attack_bundle().set("linux.resources.devices", rules))
        container.exec("/bin/probe", "mknod", "/tmp/node", *map(str, device))
        opened[title] = container.probe("open", "/tmp/node", "r")["result"] >= 0
    assert opened == {"allowed": True, "denied": False}


def test_device_numbers_of_default_devices(runtime, attack_bundle):
    """/dev/null is null and not what the image would like it to be."""
    container = runtime.running(attack_bundle())
    numbers = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}
    status = container.probe("stat", *(f"/dev/{name}" for name in numbers))
    assert {name: (status[f"/dev/{name}"]["major"], status[f"/dev/{name}"]["minor"]) for name in numbers} == numbers
