"""Annotations of other runtimes: not followed (tests/security/test_annotations.py), and never silently."""
import pytest

from brigtest import brig_only

pytestmark = brig_only("runc says nothing")


@pytest.mark.parametrize("name,words", [
    ("run.oci.handler", "the program runs as it is, without a virtual machine"),
    ("run.oci.keep_original_groups", "the groups are those of process.user.additionalGids"),
    ("run.oci.seccomp_bpf_data", "the filter is the one of linux.seccomp"),
    ("run.oci.seccomp.receiver", "name the receiver in linux.seccomp.listenerPath"),
    ("run.oci.timens_offset", "use linux.timeOffsets"),
    ("run.oci.hooks.stdout", "hooks keep the output"),
    ("run.oci.something-new", "brig does not know it"),
    ("krun.cpus", "there is no virtual machine"),
])
def test_warning(runtime, bundle, name, words):
    bundle.set("annotations", {name: "1"}).args("true")
    result = runtime.run(bundle)
    warnings = [entry["msg"] for entry in result.log if entry["level"] == "warning"]
    assert any(f'annotation "{name}" is not followed: {words}' in message for message in warnings), result


def test_plan_tells_them(runtime, bundle):
    bundle.set("annotations", {"run.oci.handler": "krun"}).write()
    plan = runtime.ok("plan", "--format", "json", "--bundle", bundle.path).json()
    assert plan["warnings"] == ['annotation "run.oci.handler" is not followed: the program runs as it is, '
                                "without a virtual machine or another interpreter"]


def test_other_annotations_are_nobodys_business(runtime, bundle):
    bundle.set("annotations", {"org.example.key": "value"}).args("true")
    assert not runtime.run(bundle).log
