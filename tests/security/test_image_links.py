"""Directories of the image that are links out of it, where a runtime makes files before it enters the root:
CVE-2025-24965 (/.config of a handler), 2026-47766 and 2026-41579 (/dev), and their neighbours /dev/pts, /dev/shm, /etc, /run."""
import shutil

import pytest

DIRECTORIES = ["dev", "dev/pts", "dev/shm", "dev/mqueue", "etc", "run", "root", "home"]


def make_link(bundle, name, destination):
    path = bundle.rootfs / name
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(destination)


def without_mounts_below_dev(bundle):
    bundle.spec["mounts"] = [mount for mount in bundle.spec["mounts"] if not mount["destination"].startswith("/dev")]


@pytest.mark.parametrize("form", ["{}", "../../../../../../../..{}"], ids=["absolute", "climbing"])
@pytest.mark.parametrize("name", DIRECTORIES)
def test_directory_is_a_link(target, attack_bundle, canary, workdir, name, form):
    """Once with Docker's mounts, once with an image that brings its own /dev, where the link is not hidden by a tmpfs."""
    source = workdir / "resolv.conf"
    source.write_text("nameserver\n")
    for own_dev in (True,) if target.is_weak else (True, False):
        bundle = attack_bundle().args("/bin/probe", "ids")
        if own_dev:
            without_mounts_below_dev(bundle)
        make_link(bundle, name, form.format(canary.folder))
        # As engines do with /etc/resolv.conf, /etc/hostname and secrets: binds whose targets the runtime makes.
        bundle.mount(f"/{name}/deep/made", "bind", source, ["bind", "ro"])
        bundle.set("process.cwd", f"/{name}/work" if not target.is_weak else "/")
        target.run(bundle)
    target.judge(canary.changes(), gaps={"runc": "CVE-2026-41579 is open in 1.1"})


@pytest.mark.parametrize("name", ["null", "console", "ptmx", "stdin", "fd", "tty"])
def test_device_is_a_link(target, attack_bundle, canary, name):
    """An image without a mount at /dev brings its own /dev/NAME, a link to the host."""
    bundle = attack_bundle().args("/bin/probe", "ids")
    without_mounts_below_dev(bundle)
    (bundle.rootfs / "dev" / name).symlink_to(canary.folder / "made")
    if target.is_weak:
        # The control makes its devices by path below /dev, and follows /dev itself, not the last component.
        shutil.rmtree(bundle.rootfs / "dev")
        (bundle.rootfs / "dev").symlink_to(canary.folder)
    target.run(bundle)
    target.judge(canary.changes())


def test_handler_files_are_not_written(target, attack_bundle, canary):
    """CVE-2025-24965: a file that a handler drops into the root before it is entered, at a path that the image made a link."""
    bundle = attack_bundle().args("/bin/probe", "ids")
    for name in (".krun_config.json", ".brig.json", ".containerenv", ".dockerenv"):
        (bundle.rootfs / name).symlink_to(canary.token)
    bundle.set("annotations", {"run.oci.handler": "krun"})
    target.run(bundle, **({"before_pivot": ["write", ".krun_config.json", "{}"]} if target.is_weak else {}))
    target.judge(canary.changes())
