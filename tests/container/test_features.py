"""`features` claims only what create takes and this kernel does."""
import pytest

from brigtest import brig_only, requires, schemas

pytestmark = brig_only("runc 1.1.5 has no mount options and no flags in it, and claims for its own build")


@pytest.fixture
def features(runtime):
    document = runtime.ok("features").json()
    assert schemas.errors("features", document) == []
    return document


def taken(runtime, bundle):
    """create would take it: `plan` says so without making anything."""
    return runtime.call("plan", "--bundle", bundle.write().path)


def runs(runtime, bundle):
    runtime.run(bundle.args("true"))


def test_versions(features):
    assert (features["ociVersionMin"], features["ociVersionMax"]) == ("1.0.0", "1.3.0")


def test_hooks_are_taken(runtime, bundle, features):
    bundle.set("hooks", {name: [{"path": "/bin/true"}] for name in features["hooks"]})
    runs(runtime, bundle)
    assert len(features["hooks"]) == 6


# Not for a new file system: what a mount must be besides.
FOR_BINDS = {"bind", "rbind", "copy-symlink", "src-nofollow"}
NEED_MORE = {"remount", "idmap", "ridmap", "tmpfs-upper"}


def test_mount_options_are_taken(runtime, bundle, features, workdir):
    """Each alone, on a tmpfs or a bind, by the kernel; one that is unknown would be an error of the file system."""
    (workdir / "source").mkdir()
    spec = bundle.copy_spec()
    for option in sorted(set(features["mountOptions"]) - NEED_MORE):
        bundle.spec = {**spec, "mounts": list(spec["mounts"])}
        if option in FOR_BINDS:
            bundle.mount("/tried", "bind", workdir / "source", [option, "bind"])
        else:
            bundle.mount("/tried", "tmpfs", "tmpfs", [option])
        result = runtime.call("run", "--bundle", bundle.args("true").write().path, "option")
        assert result.code == 0, (option, result)
    bundle.spec = {**spec, "mounts": list(spec["mounts"])}
    bundle.mount("/tried", "tmpfs", "tmpfs", ["no-such-option"])
    runtime.create_fails(bundle, text="no-such-option")


@pytest.mark.parametrize("option", sorted(NEED_MORE))
@pytest.mark.requires("host_root")
def test_mount_options_that_need_more_are_listed(runtime, bundle, features, option, workdir):
    assert option in features["mountOptions"]
    if option == "remount":
        bundle.mount("/dev/shm", "tmpfs", "tmpfs", ["remount", "ro"])
    elif option == "tmpfs-upper":
        lower = bundle.rootfs.rename(workdir / "lower")
        bundle.rootfs.mkdir()
        bundle.spec["mounts"].insert(0, {"destination": "/", "type": "overlay", "source": "overlay",
                                         "options": [f"lowerdir={lower}", option]})
    else:
        bundle.mount("/tried", "tmpfs", "tmpfs", [f"{option}=uids=0-5-1;gids=0-5-1"])
    runs(runtime, bundle)


def test_namespaces_and_capabilities_are_taken(runtime, bundle, features):
    assert len(features["linux"]["namespaces"]) == 8
    for kind in features["linux"]["namespaces"]:
        bundle.namespace(kind)
    bundle.in_user_namespace()
    bundle.capabilities(bounding=features["linux"]["capabilities"])
    assert taken(runtime, bundle).code == 0
    assert "CAP_CHECKPOINT_RESTORE" in features["linux"]["capabilities"]


def test_cgroups(features):
    cgroup = features["linux"]["cgroup"]
    assert cgroup["v1"] and cgroup["v2"] and cgroup["rdma"]
    assert isinstance(cgroup["systemd"], bool) and isinstance(cgroup["systemdUser"], bool)


def profile(bundle, **members):
    rule = {"names": ["sync"], "action": "SCMP_ACT_ERRNO"}
    bundle.set("linux.seccomp", {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule], **members})
    return bundle, rule


def test_seccomp_words_are_taken(runtime, bundle, features, workdir):
    claimed = features["linux"]["seccomp"]
    assert claimed["enabled"]
    for action in claimed["actions"]:
        _, rule = profile(bundle)
        rule["action"] = action
        if action == "SCMP_ACT_NOTIFY":
            bundle.linux["seccomp"]["listenerPath"] = str(workdir / "listener")
        assert taken(runtime, bundle).code == 0, action
    for operator in claimed["operators"]:
        _, rule = profile(bundle)
        rule["args"] = [{"index": 0, "value": 1, "valueTwo": 1, "op": operator}]
        runs(runtime, bundle)
    for architecture in claimed["archs"]:
        profile(bundle, architectures=["SCMP_ARCH_X86_64", architecture])
        runs(runtime, bundle)
    for flag in claimed["knownFlags"]:
        profile(bundle, flags=[flag])
        assert taken(runtime, bundle).code == 0, flag


def test_supported_flags_are_the_kernels(runtime, bundle, features):
    """What is listed the kernel takes when the filter is loaded; what is only known it refuses."""
    claimed = features["linux"]["seccomp"]
    assert set(claimed["supportedFlags"]) <= set(claimed["knownFlags"])
    for flag in claimed["knownFlags"]:
        profile(bundle, flags=[flag])
        result = runtime.call("run", "--bundle", bundle.args("true").write().path, "flag")
        alone = flag != "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"  # only together with a listener
        assert (result.code == 0) == (flag in claimed["supportedFlags"] and alone) or not alone, (flag, result)


def test_switches(features):
    linux = features["linux"]
    for name in ("apparmor", "selinux", "intelRdt", "netDevices"):
        assert linux[name]["enabled"] is True, name
    assert linux["intelRdt"]["schemata"] and linux["intelRdt"]["monitoring"]
    assert linux["mountExtensions"]["idmap"]["enabled"] is True


@requires("memory_policy")
def test_memory_policy_words_are_taken(runtime, bundle, features):
    claimed = features["linux"]["memoryPolicy"]
    assert len(claimed["modes"]) == 7 and len(claimed["flags"]) == 3
    for mode in claimed["modes"]:
        bundle.set("linux.memoryPolicy", {"mode": mode, "nodes": "" if mode in ("MPOL_DEFAULT", "MPOL_LOCAL") else "0"})
        runs(runtime, bundle)
    for flag in claimed["flags"]:
        bundle.set("linux.memoryPolicy", {"mode": "MPOL_BIND", "nodes": "0", "flags": [flag]})
        runs(runtime, bundle)


def test_annotations(features):
    assert features["annotations"]["brig.version"]
    assert features["annotations"]["io.github.seccomp.libseccomp.version"]
    known = {"bundle", "org.systemd.property.", "org.criu.config"}
    assert set(features.get("potentiallyUnsafeConfigAnnotations", [])) <= known
