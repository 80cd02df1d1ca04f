"""A /proc or /sys that is not what it seems: CVE-2019-16884, 2019-19921, 2023-27561, 2023-28642, 2025-54867 (youki), 2025-52881.
Whoever chooses where /proc lies chooses what is masked, and where labels and sysctls are written to."""
import json
import os
import subprocess

import pytest

from brigtest import requires

def view(outcome):
    """The container's mounts by target, and what it may do to sensitive files; None when it was refused."""
    return json.loads(outcome.out)["mounts"] if outcome.code == 0 else None


def unprotected(outcome, kinds):
    """What is wrong with the /proc and /sys of a container that was started. A refusal is right."""
    mounts = view(outcome)
    if mounts is None:
        return []
    wrong = []
    for target, kind in kinds.items():
        found = [mount for mount in mounts if mount["target"] == target]
        if not found or found[-1]["type"] != kind or found[-1]["root"] != "/":
            wrong.append(f"{target} is {found[-1] if found else 'no mount'}")
    return wrong


def replace_by_link(bundle, name, chain):
    """/name -> chain[0] -> chain[1] ...; the last one is made a directory with the files that a runtime may write to."""
    (bundle.rootfs / name).rmdir()
    links = [f"/{name}", *chain]
    for link, destination in zip(links, chain):
        path = bundle.rootfs / link.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(destination)
    return bundle


def fake_proc(folder):
    """A directory that looks enough like procfs for a careless writer."""
    for path in ("self/attr", "self/fd", "sys/kernel", "sys/net/ipv4"):
        (folder / path).mkdir(parents=True)
    for path in ("self/attr/exec", "self/attr/current", "sysrq-trigger", "self/oom_score_adj", "sys/kernel/msgmax"):
        (folder / path).write_text("")
    return folder


# {host}: a directory that is there both on the host and, under the same path, in the image.
LINKS = {
    "absolute": ["{host}"],
    "relative": ["elsewhere"],
    "climbing": ["../../../../../../../../..{host}"],
    "nested": ["first", "second", "{host}"],
}


@pytest.mark.parametrize("name, kind", [("proc", "proc"), ("sys", "sysfs")])
@pytest.mark.parametrize("chain", LINKS.values(), ids=LINKS.keys())
def test_link_in_the_image(target, attack_bundle, workdir, name, kind, chain):
    host = workdir / "elsewhere"
    host.mkdir()
    bundle = attack_bundle().args("/bin/probe", "mounts")
    for folder in ("elsewhere", str(host).lstrip("/")):
        (bundle.rootfs / folder).mkdir(parents=True, exist_ok=True)
    replace_by_link(bundle, name, [link.format(host=host) for link in chain])
    target.judge(unprotected(target.run(bundle), {f"/{name}": kind}))
    assert not os.listdir(host)


@pytest.mark.parametrize("order", ["before", "after"])
def test_volume_at_proc(target, attack_bundle, workdir, order):
    """VOLUME /proc: a directory of the image's making instead of procfs, where the label of the process would be written."""
    fake = fake_proc(workdir / "fake")
    bundle = attack_bundle().args("/bin/busybox", "test", "-e", "/proc/sysrq-trigger", "-a", "!", "-e", "/proc/version")
    mount = {"destination": "/proc", "type": "bind", "source": str(fake), "options": ["bind", "rw"]}
    if order == "before":
        bundle.spec["mounts"].insert(0, mount)
        bundle.spec["mounts"] = [entry for entry in bundle.spec["mounts"] if entry.get("type") != "proc"]
    else:
        bundle.spec["mounts"].append(mount)
    outcome = target.run(bundle)
    target.judge(["the container runs on a fake /proc"] if outcome.code == 0 else [])


@pytest.mark.parametrize("place", ["/proc/self/attr", "/proc/sys", "/proc/cmdline", "/proc/self", "/proc/1",
                                   "/proc/sys/kernel", "/link/sys", "/proc/../proc/sys"])
def test_mount_inside_proc(target, attack_bundle, workdir, place):
    """Something of the image's making over a file that the runtime, or the kernel's administrator, writes to."""
    fake = fake_proc(workdir / "fake")
    source = fake / "sysrq-trigger" if place == "/proc/cmdline" else fake / "sys"
    (source / "marker" if source.is_dir() else source).write_text("marker")
    bundle = attack_bundle()
    (bundle.rootfs / "link").symlink_to("proc")
    bundle.mount(place, "bind", source, ["bind", "rw"])
    bundle.args("/bin/sh", "-c", 'test -e "$0/marker" || grep -q marker "$0" 2>/dev/null', place)
    outcome = target.run(bundle)
    target.judge([f"{place} is of the image's making"] if outcome.code == 0 else [])


def redirected(fake, outcome, value):
    breaches = []
    if (fake / "sys/kernel/msgmax").read_text():
        breaches.append("the sysctl was written to a file of the image's making")
        (fake / "sys/kernel/msgmax").write_text("")
    if outcome.code == 0 and json.loads(outcome.out)["kernel.msgmax"] != value:
        breaches.append(f"the sysctl has no effect: {outcome.out}")
    return breaches


@pytest.mark.parametrize("place", ["/proc/sys", "/link/sys"])
def test_sysctl_is_not_redirected(target, attack_bundle, workdir, place):
    """CVE-2025-52881: a sysctl of config.json is written to the kernel or the container is refused; never to a fake."""
    fake = fake_proc(workdir / "fake")
    bundle = attack_bundle().args("/bin/probe", "sysctl", "kernel.msgmax")
    (bundle.rootfs / "link").symlink_to("proc")
    bundle.set("linux.sysctl", {"kernel.msgmax": "54321"})
    bundle.mount(place, "bind", fake / "sys", ["bind", "rw"])
    target.judge(redirected(fake, target.run(bundle), "54321"))


def test_sysctl_under_a_race(target, attack_bundle, workdir, swapper):
    """CVE-2025-52881: the same while an entry of a volume changes between a directory and a link into /proc."""
    volume = workdir / "volume"
    (volume / "place").mkdir(parents=True)
    (volume / "link").symlink_to("../proc/sys")
    fake = fake_proc(workdir / "fake")
    bundle = attack_bundle().args("/bin/probe", "sysctl", "kernel.msgmax")
    (bundle.rootfs / "volume").mkdir()
    bundle.mount("/volume", "bind", volume, ["bind", "rw"])
    bundle.mount("/volume/place", "bind", fake / "sys", ["bind", "rw"])
    breaches, started = [], 0
    stop = swapper(volume / "place", volume / "link")
    for number in range(40):
        value = str(54000 + number)
        bundle.set("linux.sysctl", {"kernel.msgmax": value})
        outcome = target.run(bundle, **({"linger": 300} if target.is_weak else {}))
        started += outcome.code == 0
        breaches += redirected(fake, outcome, value)
    swaps = stop()
    target.judge(breaches, exercised=swaps > 1000 and started > 0, gaps={"runc": "CVE-2025-52881 is open before 1.2.8"})


@requires("program:strace")
def test_every_write_to_procfs_is_an_expected_one(runtime, attack_bundle, workdir):
    """strace as the oracle of CVE-2025-52881: the files of procfs that a start writes to, by the kernel's own paths."""
    trace = workdir / "trace"
    bundle = attack_bundle().args("/bin/true").set("linux.sysctl", {"kernel.msgmax": "54321"})
    bundle.set("process.oomScoreAdj", 100)
    name = runtime._prepare(bundle, None)
    argv = runtime.command("run", "--bundle", bundle.path, name)
    subprocess.run(["strace", "-f", "-y", "-e", "trace=write,pwrite64", "-o", trace, *argv], check=True,
                   stdin=subprocess.DEVNULL)
    written = [line.split("<", 1)[1].split(">", 1)[0] for line in trace.read_text().splitlines()
               if "write(" in line and "<" in line]
    procfs = [path for path in written if path.endswith(("/oom_score_adj", "/msgmax", "/uid_map", "/gid_map", "/setgroups"))
              or path.startswith("/proc/")]
    assert any(path.endswith("/kernel/msgmax") for path in procfs), written
    expected = ("/oom_score_adj", "/sys/kernel/msgmax", "/kernel/msgmax", "/attr/exec", "/attr/keycreate", "/loginuid")
    assert not [path for path in procfs if not path.endswith(expected)], procfs
