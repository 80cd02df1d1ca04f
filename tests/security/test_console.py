"""CVE-2025-52565: /dev/console is bound to the container's pseudo-terminal by a name that the image can exchange."""
import json
import os
import stat

import pytest

from brigtest import ConsoleSocket

PTY_SLAVE_MAJORS = range(136, 144)


def dev_with_console(workdir, canary):
    """A /dev of the image's making: its console and its terminals are links to the host."""
    dev = workdir / "dev"
    (dev / "pts").mkdir(parents=True)
    for name in ("shm", "mqueue"):
        (dev / name).mkdir()
    os.mknod(dev / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    for number in range(16):
        (dev / "pts" / str(number)).symlink_to(canary.token)
    (dev / "pts/ptmx").symlink_to("/dev/ptmx")
    return dev


def console_of(target, bundle, workdir):
    """(is it a terminal, what else it is) of a new container's /dev/console; (None, "") when it was refused."""
    if target.is_weak:
        outcome = target.run(bundle.args("/bin/probe", "stat", "/dev/console"), before_pivot=["console", "dev/pts/0"])
        if outcome.code != 0:
            return None, ""
        status = json.loads(outcome.out)["/dev/console"]
        return status.get("major") in PTY_SLAVE_MAJORS, str(status)
    bundle.set("process.terminal", True).args("/bin/probe", "sleep")
    name = target.runtime._prepare(bundle, None)
    with ConsoleSocket(workdir / f"{name}.sock") as socket:
        result = target.runtime.call("create", "--bundle", bundle.path, "--console-socket", socket.path, name)
        if result.code != 0:
            return None, ""
        socket.receive().close()
    pid = target.runtime.state(name)["pid"]
    if pid == 0:
        target.runtime.ok("delete", "--force", name)
        return None, ""
    status = os.stat(f"/proc/{pid}/root/dev/console")
    target.runtime.ok("delete", "--force", name)
    return stat.S_ISCHR(status.st_mode) and os.major(status.st_rdev) in PTY_SLAVE_MAJORS, str(status)


def without_dev(attack_bundle, *kept):
    bundle = attack_bundle()
    bundle.spec["mounts"] = [mount for mount in bundle.spec["mounts"]
                             if not mount["destination"].startswith("/dev") or mount["destination"] in kept]
    return bundle


def judge(target, canary, consoles, **more):
    wrong = [what for is_terminal, what in consoles if is_terminal is False]
    target.judge(wrong + canary.changes(), **more)


@pytest.mark.parametrize("destination", ["{}/made", "{}/token"])
def test_console_is_a_link(target, attack_bundle, workdir, canary, destination):
    """The image's /dev/console leads to the host: no file is made there, no file there becomes a mount."""
    dev = dev_with_console(workdir, canary)
    (dev / "console").symlink_to(destination.format(canary.folder))
    bundle = without_dev(attack_bundle).mount("/dev", "bind", dev, ["bind", "rw"])
    judge(target, canary, [console_of(target, bundle, workdir)])


def test_console_under_a_race(target, attack_bundle, workdir, canary, swapper):
    dev = dev_with_console(workdir, canary)
    (dev / "console").write_text("")
    (dev / "link").symlink_to(canary.folder / "made")
    bundle = without_dev(attack_bundle).mount("/dev", "bind", dev, ["bind", "rw"])
    stop = swapper(dev / "console", dev / "link")
    consoles = [console_of(target, bundle, workdir) for _ in range(40)]
    judge(target, canary, consoles, exercised=stop() > 1000)


def test_terminals_are_links(target, attack_bundle, workdir, canary):
    """/dev/pts of the image's making: the number of the new terminal names a link, its ptmx is the host's."""
    dev = dev_with_console(workdir, canary)
    (dev / "ptmx").symlink_to("pts/ptmx")
    (dev / "console").write_text("")
    bundle = without_dev(attack_bundle).mount("/dev", "bind", dev, ["bind", "rw"])
    judge(target, canary, [console_of(target, bundle, workdir)])


@pytest.mark.requires("two_cpus")
def test_terminals_under_a_race(target, attack_bundle, workdir, canary, swapper):
    """The folder of terminals changes places with one of links."""
    dev = dev_with_console(workdir, canary)
    (dev / "console").write_text("")
    (dev / "pts").rename(dev / "false")
    (dev / "pts").mkdir()
    (dev / "ptmx").symlink_to("pts/ptmx")
    bundle = without_dev(attack_bundle, "/dev/pts").mount("/dev", "bind", dev, ["bind", "rw"])
    bundle.spec["mounts"].sort(key=lambda mount: mount["destination"] == "/dev/pts")
    stop = swapper(dev / "pts", dev / "false")
    consoles = [console_of(target, bundle, workdir) for _ in range(40)]
    judge(target, canary, consoles, exercised=stop() > 1000)
