"""The pytest side: fixtures, skips that may be forbidden, cases that are brig's alone, leaks."""
import os
import re
import shutil
import tempfile
from pathlib import Path

import pytest

from . import leaks, ordinary_caller, settings
from .bundle import Bundle
from .ordinary_user import OrdinaryUser
from .policies import Installed
from .requirements import missing
from .runtime import Runtime


def pytest_configure(config):
    config.addinivalue_line("markers", "requires(name...): what the host must have, see brigtest/requirements.py")
    config.addinivalue_line("markers", "brig_only(reason): not for a reference runtime")


def pytest_report_header():
    return f"runtime under test: {settings.runtime_binary()}" + (" (reference)" if settings.is_reference() else "")


def _is_not_for_this_run(item):
    if settings.is_reference() and item.get_closest_marker("brig_only"):
        return True
    return ordinary_caller.active() and ordinary_caller.is_roots(item)


def pytest_collection_modifyitems(config, items):
    dropped = [item for item in items if _is_not_for_this_run(item)]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = [item for item in items if item not in dropped]


def pytest_runtest_setup(item):
    for mark in item.iter_markers("requires"):
        for name in mark.args:
            reason = missing(name)
            if reason:
                pytest.skip(reason)


def _may_be_skipped(report):
    """Some machines cannot run some cases, which another machine runs: those are named by a pattern of their reasons."""
    return bool(settings.MAY_SKIP) and re.search(settings.MAY_SKIP, str(report.longrepr)) is not None


def _forbid_skip(report):
    if settings.MUST_RUN and report.skipped and not hasattr(report, "wasxfail") and not _may_be_skipped(report):
        report.outcome = "failed"
        report.longrepr = f"skipped although BRIG_TESTS_MUST_RUN=1: {report.longrepr}"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport():
    outcome = yield
    _forbid_skip(outcome.get_result())
    if ordinary_caller.active():
        ordinary_caller.accept_refusal(outcome.get_result())


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report():
    outcome = yield
    _forbid_skip(outcome.get_result())


def pytest_sessionfinish():
    settings.remove_session_folders()


@pytest.fixture(scope="session")
def contained_session():
    """pytest itself in a private mount namespace, and parent of every orphan: what leaks can then be told."""
    if os.geteuid() == 0:
        leaks.enter_private_mounts()
    leaks.adopt_orphans()


@pytest.fixture
def leak_check(contained_session):
    """Fails the test when something is left after the other fixtures have cleaned up."""
    before = leaks.Snapshot()
    yield before
    found = before.leaks()
    if found:
        before.remove_leaks()
        pytest.fail("left behind:\n  " + "\n  ".join(found), pytrace=False)


@pytest.fixture
def workdir(leak_check):
    """A folder that a container's user can enter (pytest's own are closed to others).  BRIG_TESTS_KEEP=1 keeps it."""
    path = Path(tempfile.mkdtemp(prefix=f"{settings.TAG}-"))
    path.chmod(0o755)
    yield path
    leak_check.settle()
    if os.environ.get("BRIG_TESTS_KEEP") != "1":
        shutil.rmtree(path)


@pytest.fixture
def make_bundle(workdir):
    """make_bundle(name): for tests with more than one bundle."""
    bundles = []

    def make(name):
        (workdir / name).mkdir()
        bundles.append(Bundle(workdir / name))
        return bundles[-1]

    yield make
    for bundle in bundles:
        extra = set(os.listdir(bundle.path)) - bundle.files_before if bundle.path.exists() else set()
        assert not extra, f"the runtime left files in the bundle: {sorted(extra)}"


@pytest.fixture
def bundle(make_bundle):
    return make_bundle("bundle")


# Kept for the next container or sandbox.
KEPT_IN_STATE_ROOT = {".filters", ".sandbox-ids", ".sandbox-resolv.conf", ".sandbox-root"}


@pytest.fixture
def caller(workdir):
    """The ordinary user who calls the runtime, with BRIG_TESTS_CALLER=user; otherwise root does."""
    if not ordinary_caller.active():
        yield None
        return
    user = OrdinaryUser(workdir / "caller")
    user.give_ids()
    os.chown(workdir, user.uid, user.gid)
    umask = os.umask(0)  # he may use the sockets and files of the test
    yield user
    os.umask(umask)
    user.close()


@pytest.fixture
def make_runtime(workdir, caller):
    """make_runtime(name): for tests with more than one state root."""
    runtimes = []

    def make(name):
        (workdir / name).mkdir()
        runtimes.append(Runtime(workdir / name))
        if caller:
            runtimes[-1].call_as(caller)
            runtimes[-1].bundle_owner = caller
        return runtimes[-1]

    yield make
    leaks.reap_orphans()
    problems = [problem for runtime in runtimes for problem in runtime.close()]
    for runtime in runtimes:
        left = sorted(set(os.listdir(runtime.root)) - KEPT_IN_STATE_ROOT) if runtime.root.is_dir() else []
        problems += [f"left in the state root: {name}" for name in left]
    assert not problems, "\n".join(problems)


@pytest.fixture
def runtime(make_runtime):
    return make_runtime("runtime")


@pytest.fixture
def installed(workdir):
    """The program in a prefix of its own with the shipped policies, to which a test adds its own."""
    prefix = Installed(workdir / "prefix")
    yield prefix
    leaks.reap_orphans()
    problems = prefix.close()
    assert not problems, "\n".join(problems)
