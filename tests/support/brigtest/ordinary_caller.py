"""BRIG_TESTS_CALLER=user: the contract's cases as an ordinary user calls the runtime.

A case passes, or brig refuses in words that name what is missing without root; a case that is about root itself is not run.
"""
import re

from . import settings

# What brig says where the kernel gives an ordinary user no means.
REFUSALS = (
    r"without root", r"needs root", r"joining needs", r"as root: ", r"in a user namespace (proc|sysfs|devices) ",
    r"mqueue needs an IPC namespace", r"this ID is not mapped", r"is not mapped by linux\.[ug]idMappings",
    r"error setting (scheduler|ioPriority): .*operation not permitted", r"mount_setattr .*operation not permitted",
)

# (name of a test, or of some of its cases; why it is root's)
ROOTS = [
    (r"test_invalid\[linux\.(cgroupsPath|uidMappings-value33)", "without a cgroup its path is not used; a user namespace is added"),
    (r"test_mappings_without_user_namespace_are_refused", "a user namespace is added"),
    (r"test_pid_file_that_cannot_be_written\[/etc-|test_bad_console_socket\[/etc/passwd-", "the file's mode refuses first"),
    (r"test_exec_in_a_(missing_)?sub_cgroup", "there is no cgroup"),
    (r"test_delete_works_after_the_cgroup_was_removed", "there is no cgroup"),
    (r"test_ps_(table|of_created)|test_events_(interval|end_w)", "there is no cgroup"),
    (r"test_host\[cgroup\]", "a cgroup namespace is added"),
    (r"test_namespaces_and_capabilities_are_taken|test_user_namespace_without_mapping", "maps ids that are not the user's"),
    (r"test_rootless_flag\[|test_list_(json|table)\[", "the caller's own name and choice are root's"),
    (r"test_runtime_hook_can_work_on_the_network_namespace", "enters the namespace of another user namespace"),
    (r"test_missing_calls\.py::test_(what_is|with)", "the filter of support/without_calls.c is set without no_new_privs"),
    (r"test_bind_without_recursion_leaves_submounts_out", "the kernel locks the mounts below"),
    (r"test_tmpfs_options\[options3-|test_setuid_program\[False-0\]", "looks from outside the user namespace"),
    (r"test_read_only_proc_paths", "the file's mode refuses first"),
    (r"test_capability_that_the_host_lacks|test_capabilities_are_what_counts\[CAP_MKNOD", "of a user namespace"),
    (r"test_device_of_the_spec_over_a_default_one", "the host's device is bound, with its mode"),
    (r"test_session_keyring\[create-flags1\]", "compares with root's keyring"),
]


def active():
    return settings.CALLER == "user"


def is_roots(item):
    return any(re.search(pattern, item.nodeid) for pattern, _ in ROOTS)


def refusal_in(report):
    """The words of brig by which a failed case was refused, or None."""
    lines = str(report.longrepr).splitlines()
    said = (line.partition("brig: ")[2] for line in lines if re.match(r"E +brig: ", line))
    return next((line for line in said if any(re.search(words, line) for words in REFUSALS)), None)


def accept_refusal(report):
    """What is left behind at the end is a failure, whatever was said."""
    words = refusal_in(report) if report.failed and report.when != "teardown" else None
    if words:
        report.outcome = "skipped"
        report.longrepr = (__file__, 0, f"refused in words: {words}")
