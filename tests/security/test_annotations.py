"""Annotations come from image labels, so from whoever made the image: CVE-2026-53488, 2026-53492 and their class.
With the operator's gate closed, which is the default, none has an effect on the container or on the host."""
import subprocess

import pytest

from brigtest import requires

REPORTS = ("caps", "rlimits", "no_new_privileges", "seccomp", "env", "ids", "umask", "oom_score_adj", "personality", "cwd",
           "hostname", "fds", "affinity", "signals", "mounts")


def hostile_annotations(canary):
    """Every name that some runtime or tool gives a meaning to, with a value that would show."""
    made = str(canary.folder / "made")
    own = ("policy", "timeout", "seccomp", "landlock", "network", "hooks", "hook", "root", "rootfs", "log", "output", "result",
           "audit", "record", "mount", "mounts", "device", "devices", "cap-add", "capabilities", "privileged", "userns",
           "gate", "unsafe", "exec", "command", "handler", "console", "pidfd", "cgroup", "egress", "allow", "no-pivot")
    annotations = {f"brig.{name}": made for name in own} | {f"io.brig.{name}": made for name in own}
    annotations |= {f"org.opencontainers.brig.{name}": made for name in own}
    annotations |= {
        "run.oci.handler": "krun", "run.oci.hooks.stdout": made, "run.oci.hooks.stderr": made,
        "run.oci.keep_original_groups": "1", "run.oci.systemd.force_cgroup_v1": made, "run.oci.pidfd_receiver": made,
        "run.oci.mount_context_type": "fscontext", "run.oci.seccomp.receiver": made, "run.oci.seccomp_fail_unknown_syscall": "1",
        "run.oci.delegate-cgroup": "/escape", "run.oci.timens_offset": "monotonic 1000000 0", "org.criu.config": made,
        "module.wasm.image/variant": "compat", "org.systemd.property.CPUWeight": "1", "krun.cpus": "1",
        "cdi.k8s.io/made": "vendor.com/class=all", "io.katacontainers.config.hypervisor.path": made,
        "dev.gvisor.flag.host-uds": "all", "io.kubernetes.cri-o.Devices": "/dev/mem", "io.podman.annotations.privileged": "TRUE",
        "user.requests.rdt.l3cbm": made, "com.docker.command": f"touch {made}",
    }
    return annotations


def seen_in(runtime, bundle):
    report = runtime.report(bundle, *REPORTS)
    report["fds"] = sorted(report["fds"])
    report["mounts"] = [(mount["target"], mount["type"], mount["options"]) for mount in report["mounts"]]
    return report


def test_none_has_an_effect(runtime, attack_bundle, canary):
    bundle = attack_bundle()
    plain = seen_in(runtime, bundle)
    bundle.set("annotations", hostile_annotations(canary))
    assert seen_in(runtime, bundle) == plain
    assert not canary.changes()


@pytest.mark.parametrize("name", ["brig.policy", "brig.timeout", "run.oci.handler", "run.oci.hooks.stdout"])
def test_each_alone_has_no_effect(runtime, attack_bundle, canary, name):
    bundle = attack_bundle()
    plain = seen_in(runtime, bundle)
    bundle.set("annotations", {name: "/no/such" if name != "brig.timeout" else "1ms"})
    assert seen_in(runtime, bundle) == plain


def test_they_are_kept_as_data(runtime, attack_bundle, canary):
    """No effect does not mean lost: state shows them, as the contract wants."""
    annotations = hostile_annotations(canary)
    container = runtime.running(attack_bundle().set("annotations", annotations))
    assert annotations.items() <= container.state["annotations"].items()


@requires("program:crun")
def test_control_annotation_with_an_effect(attack_bundle, workdir, canary):
    """crun follows `run.oci.hooks.stdout` without being asked by the operator: what the tests above look for does exist."""
    bundle = attack_bundle().args("/bin/true")
    bundle.spec["mounts"] = [mount for mount in bundle.spec["mounts"] if mount["type"] not in ("cgroup", "sysfs")]
    bundle.set("hooks.prestart", [{"path": "/bin/echo", "args": ["echo", "hello"]}])
    bundle.set("annotations", {"run.oci.hooks.stdout": str(canary.folder / "made")}).write()
    # crun refuses a host with both cgroup versions; in this mount namespace there is one.
    script = 'umount -l /sys/fs/cgroup/unified 2>/dev/null; exec crun --root "$1" run --bundle "$2" "$3"'
    command = ["unshare", "--mount", "sh", "-c", script, "sh", workdir / "crun", bundle.path, f"{workdir.name}-crun"]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert canary.changes()
