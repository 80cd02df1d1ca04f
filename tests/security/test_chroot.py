"""brig called in a chroot: the container's root has to become its mount namespace's own, or whoever joins that is on the host."""
import subprocess

import pytest

from brigtest import requires

pytestmark = [requires("root"), pytest.mark.brig_only("runc leaves the host's root to the namespace")]

# The host's files again under another root, as an installer, a build or an initramfs has them.
IN_CHROOT = 'mount --make-rprivate / && mount --rbind / "$0" && exec chroot "$0" "$@"'
POWERS = ["CAP_SYS_ADMIN", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE"]


@pytest.fixture
def in_chroot(runtime, workdir):
    (workdir / "other-root").mkdir()
    runtime.prefix = ["unshare", "--mount", "sh", "-c", IN_CHROOT, str(workdir / "other-root")]
    yield runtime
    runtime.prefix = ()


@pytest.fixture
def canary(workdir):
    path = workdir / "canary"
    path.write_text("host")
    return path


@pytest.mark.parametrize("flags", [(), ("--no-pivot",)])
def test_exec_is_in_the_container(in_chroot, bundle, canary, flags):
    bundle.file("etc/marker", "container")
    container = in_chroot.running(bundle, *flags)
    seen = container.exec("/bin/busybox", "sh", "-c", f"cat /etc/marker; test -e {canary} && echo host; ls /")
    assert seen.out.startswith("container") and "host" not in seen.out, seen


@pytest.mark.parametrize("flags", [(), ("--no-pivot",)])
def test_its_own_namespace_is_no_way_out(in_chroot, bundle, canary, flags):
    """setns to the namespace that it is in gives a process the namespace's own root."""
    bundle.capabilities(**{name: POWERS for name in ("bounding", "effective", "permitted")})
    attack = f"nsenter --mount=/proc/self/ns/mnt /bin/busybox cat {canary} 2>&1; true"
    result = in_chroot.run(bundle.args("/bin/busybox", "sh", "-c", attack), *flags)
    assert "host" not in result.out and ("No such file" in result.out or "can't" in result.out), result


def test_user_namespaces_are_refused_in_words(in_chroot, bundle):
    """By the kernel: in a chroot a process gets none."""
    bundle.namespace("user")
    for kind in ("uid", "gid"):
        bundle.set(f"linux.{kind}Mappings", [{"containerID": 0, "hostID": 700000, "size": 65536}])
    in_chroot.run(bundle.args("true"), code=1, text="in a chroot the kernel makes none")


def test_control_a_chroot_alone_is_left_so(workdir, canary):
    """What the attack does works where a process has only changed its root."""
    root = workdir / "root"
    (root / "bin").mkdir(parents=True)
    (root / "proc").mkdir()
    (root / "bin/busybox").write_bytes(open("/bin/busybox", "rb").read())
    (root / "bin/busybox").chmod(0o755)
    script = (f"mount -t proc proc {root}/proc && exec chroot {root} /bin/busybox nsenter --mount=/proc/self/ns/mnt "
              f"/bin/busybox cat {canary}")
    process = subprocess.run(["unshare", "--mount", "sh", "-c", script], capture_output=True, text=True, check=False)
    assert process.stdout == "host", process
