"""The session keyring of whoever calls the runtime holds that user's tickets and keys: the container gets one of its own."""
import ctypes
import json

from seccomp_filter import shipped_profile

SYS_ADD_KEY, SYS_KEYCTL = 248, 250
KEYCTL_JOIN_SESSION_KEYRING, KEYCTL_SEARCH, KEYCTL_READ = 1, 10, 11
SESSION_KEYRING = -3
NAME = b"key-of-the-caller"


def caller_with_a_key():
    """For preexec_fn: a session keyring with a secret, as a login session has it."""
    libc = ctypes.CDLL(None)
    libc.syscall(SYS_KEYCTL, KEYCTL_JOIN_SESSION_KEYRING, b"session-of-the-caller")
    libc.syscall(SYS_ADD_KEY, b"user", NAME, b"secret", 6, SESSION_KEYRING)


def search(runtime, bundle, *flags):
    bundle.args("/bin/probe", "syscall", "keyctl", str(KEYCTL_SEARCH), str(SESSION_KEYRING), "user", NAME.decode(), "0")
    return runtime.run(bundle, *flags, preexec_fn=caller_with_a_key).json()


def test_key_of_the_caller_is_not_found(runtime, attack_bundle):
    """With --no-new-keyring, which asks for it (the control), the key is found."""
    assert search(runtime, attack_bundle(), "--no-new-keyring")["result"] > 0
    assert search(runtime, attack_bundle())["errno"] in ("ENOKEY", "EACCES", "EPERM")


def test_key_of_the_caller_is_not_found_by_exec(runtime, attack_bundle):
    container = runtime.running(attack_bundle())
    argv = ("syscall", "keyctl", str(KEYCTL_SEARCH), str(SESSION_KEYRING), "user", NAME.decode(), "0")
    assert container.probe(*argv, preexec_fn=caller_with_a_key)["errno"] in ("ENOKEY", "EACCES", "EPERM")


def test_two_containers_do_not_share_a_keyring(runtime, attack_bundle):
    keyrings = [runtime.running(attack_bundle()).report("keyring")["serial"] for _ in range(2)]
    assert keyrings[0] != keyrings[1] and min(keyrings) > 0


def test_shipped_profile_closes_keyrings(runtime, attack_bundle):
    """keyctl knows no namespaces: a root user's keys are shared by uid. Docker's profile leaves the calls out."""
    bundle = attack_bundle()
    free = runtime.report(bundle, "keyring")
    assert free["serial"] > 0
    closed = json.loads(runtime.run(bundle.set("linux.seccomp", shipped_profile())).out)["keyring"]
    assert closed["serial"] == -1
