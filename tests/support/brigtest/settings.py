"""What is under test and where things are."""
import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
SUPPORT = CHECKOUT / "tests" / "support"
REFERENCE_RUNTIMES = ("runc", "crun", "youki")

# A tag in every container id, cgroup and path of this run: leaks are told from a neighbour's containers by it.
TAG = f"bt{os.getpid()}x"

MUST_RUN = os.environ.get("BRIG_TESTS_MUST_RUN") == "1"
MAY_SKIP = os.environ.get("BRIG_TESTS_MAY_SKIP", "")

# "user": the runtime is called by an ordinary user, who owns bundles and state.
CALLER = os.environ.get("BRIG_TESTS_CALLER", "root")

# Whom engines ask for cgroups: the runtime itself, or systemd.
CGROUP_DRIVER = os.environ.get("BRIG_ENGINE_CGROUP_DRIVER", "cgroupfs")


@functools.cache
def runtime_binary():
    wanted = os.environ.get("BRIG", str(CHECKOUT / "build" / "brig"))
    found = shutil.which(wanted)
    if found is None:
        raise RuntimeError(f"BRIG={wanted} is not an executable; build it with make, or set BRIG=runc")
    return os.path.abspath(found)


@functools.cache
def is_reference():
    """True when another runtime than brig is tested, to prove that the tests are right."""
    return os.path.basename(runtime_binary()) in REFERENCE_RUNTIMES


def probe_path():
    return helper_path("probe")


@functools.cache
def helper_path(name):
    """A static program of support/NAME.c: from BRIG_HELPERS, from beside the binary under test, or compiled for this run."""
    source = SUPPORT / f"{name}.c"
    for folder in (os.environ.get("BRIG_HELPERS"), Path(runtime_binary()).parent / "tests", CHECKOUT / "build" / "tests"):
        candidate = Path(folder or "/", name)
        if os.access(candidate, os.X_OK) and candidate.stat().st_mtime >= source.stat().st_mtime:
            return candidate
    return _compile(source)


def _compile(source):
    folder = Path(tempfile.mkdtemp(prefix=f"{TAG}-{source.stem}-"))
    _session_folders.append(folder)
    subprocess.run(["gcc", "-O1", "-static", "-o", folder / source.stem, source], check=True)
    return folder / source.stem


_session_folders = []


def remove_session_folders():
    for folder in _session_folders:
        shutil.rmtree(folder, ignore_errors=True)
