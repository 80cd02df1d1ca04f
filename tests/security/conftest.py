"""Attack programs, the weak control, and the target of an attack: each attack runs against both."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest

from brigtest import settings
from weak import Outcome, WeakRuntime

HERE = pathlib.Path(__file__).parent


@pytest.fixture(scope="session")
def attacks():
    """Folder of the compiled attack programs: BRIG_ATTACKS, for a machine without a compiler, or made for this run."""
    if "BRIG_ATTACKS" in os.environ:
        yield pathlib.Path(os.environ["BRIG_ATTACKS"])
        return
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{settings.TAG}-attacks-"))
    for source in sorted(HERE.glob("*.c")):
        subprocess.run([os.environ.get("CC", "cc"), "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O2", "-static", "-o",
                        folder / source.stem, source], check=True)
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def weak(attacks, leak_check):
    runtime = WeakRuntime(attacks / "weak_runtime")
    yield runtime
    runtime.close()


@pytest.fixture
def attack_bundle(make_bundle, attacks):
    """attack_bundle(PROGRAM...): a Docker-like bundle with the attack programs in its /bin."""
    numbers = iter(range(1000))

    def make(*programs):
        bundle = make_bundle(f"bundle{next(numbers)}")
        for program in programs:
            shutil.copy(attacks / program, bundle.rootfs / "bin")
        bundle.set("root.readonly", False)
        bundle.process["noNewPrivileges"] = False
        bundle.capabilities(**{name: DOCKER_CAPABILITIES for name in ("bounding", "effective", "permitted")})
        return bundle

    return make


DOCKER_CAPABILITIES = [f"CAP_{name}" for name in (
    "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL "
    "AUDIT_WRITE").split()]


class Canary:
    """A tree of the host that no container may touch; `token` is a file in it that none may read."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        folder.chmod(0o755)
        self.token = folder / "token"
        self.token.write_text("secret of the host\n")
        (folder / "empty").mkdir()
        self.before = self.listing()

    def listing(self):
        found = {}
        for top, folders, files in os.walk(self.folder):
            for name in folders + files:
                path = os.path.join(top, name)
                status = os.lstat(path)
                content = open(path, "rb").read() if os.path.isfile(path) and not os.path.islink(path) else None
                found[os.path.relpath(path, self.folder)] = (oct(status.st_mode), status.st_rdev, content)
        return found

    def changes(self):
        """Words for what is not as it was."""
        after = self.listing()
        return [f"{name}: was {self.before.get(name)}, is {after.get(name)}"
                for name in sorted(self.before.keys() | after.keys()) if self.before.get(name) != after.get(name)]


@pytest.fixture
def canary(workdir):
    return Canary(workdir / "canary")


class Target:
    """One side of an attack test: the weak control, where the attack must succeed, or the runtime, where it must not."""

    def __init__(self, is_weak, runtime, weak):
        self.is_weak = is_weak
        self.runtime = runtime
        self.weak = weak

    def run(self, bundle, *flags, pass_fds=(), **weakness):
        """Runs the bundle's process to its end. `weakness` is for the control: see weak.setup_steps()."""
        if self.is_weak:
            return self.weak.run(bundle, pass_fds=pass_fds, **weakness)
        name = self.runtime._prepare(bundle, None)
        result = self.runtime.call("run", "--bundle", bundle.path, *flags, name, pass_fds=pass_fds)
        return Outcome(result.code, result.out, result.err)

    def judge(self, breaches, exercised=True, gaps=None):
        """`breaches`: what the attack got. `exercised`: the attack had its chance at all.

        `gaps`: reference runtimes (of the versions in the distribution) that are known to be open to it, and why.
        """
        reference = os.path.basename(settings.runtime_binary()) if settings.is_reference() else None
        if self.is_weak:
            assert breaches, "the attack fails even without the defence: this test proves nothing"
        elif breaches and reference in (gaps or {}):
            pytest.xfail(f"{gaps[reference]}: {breaches[:2]}")
        else:
            assert exercised, "the attack had no chance: this test proves nothing"
            assert not breaches, breaches


@pytest.fixture(params=["control", "runtime"])
def target(request, runtime, weak):
    return Target(request.param == "control", runtime, weak)


@pytest.fixture
def swapper(attacks):
    """swapper(A, B): exchanges two directory entries until the returned stop() is called, which gives the number of swaps."""
    running = []

    def start(first, second):
        process = subprocess.Popen([attacks / "swap_entries", first, second], stdout=subprocess.PIPE, text=True)
        running.append(process)

        def stop():
            process.send_signal(signal.SIGTERM)
            return int(process.communicate(timeout=10)[0])

        return stop

    yield start
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()
