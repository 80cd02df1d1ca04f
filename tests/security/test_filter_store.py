"""Compiled filters are kept below the state root: a program that somebody else could have put there is not loaded.

The attack plants a program that allows everything as the one of a profile that denies.  Positive control: with the owner and
mode that the runtime itself gives, the planted program is what the container gets.
"""
import os
import shutil
import struct
from concurrent.futures import ThreadPoolExecutor

import pytest

from brigtest import brig_only

pytestmark = brig_only("crun has another store, runc none")

DENIED = {"names": ["sched_yield"], "action": "SCMP_ACT_ERRNO"}
OTHER_USER = 4321


def set_profile(bundle, *rules):
    bundle.set("linux.seccomp", {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": list(rules)})
    return bundle


def denies(runtime, bundle):
    return runtime.probe(bundle, "syscall", "sched_yield")["errno"] == "EPERM"


@pytest.fixture
def store(runtime):
    return runtime.root / ".filters"


def the_only_entry(store):
    (entry,) = store.iterdir()
    return entry


def parts_of(entry):
    data, parts = entry.read_bytes(), []
    while data:
        (size,) = struct.unpack_from("<Q", data)
        parts.append(data[8:8 + size])
        data = data[8 + size:]
    return parts


def packed(parts):
    return b"".join(struct.pack("<Q", len(part)) + part for part in parts)


@pytest.fixture
def planted(runtime, bundle, store):
    """The entry of the denying profile, with a program that denies nothing."""
    runtime.run(set_profile(bundle, {"names": ["mkdir"], "action": "SCMP_ACT_LOG"}).args("/bin/probe", "ids"))
    harmless = parts_of(the_only_entry(store))[1]
    the_only_entry(store).unlink()
    assert denies(runtime, set_profile(bundle, DENIED))
    entry = the_only_entry(store)
    key, _, skipped = parts_of(entry)
    entry.write_bytes(packed([key, harmless, skipped]))
    return entry


def test_control_a_planted_program_would_be_loaded(runtime, bundle, planted):
    assert not denies(runtime, bundle), f"{planted} was not read: this file's attacks prove nothing"


@pytest.mark.parametrize("mode", [0o660, 0o606, 0o644])
def test_open_file_is_not_read(runtime, bundle, planted, mode):
    planted.chmod(mode)
    assert denies(runtime, bundle)


def test_foreign_file_is_not_read(runtime, bundle, planted):
    os.chown(planted, OTHER_USER, OTHER_USER)
    assert denies(runtime, bundle)


@pytest.mark.parametrize("spoil", [lambda folder: folder.chmod(0o770), lambda folder: folder.chmod(0o707),
                                   lambda folder: os.chown(folder, OTHER_USER, OTHER_USER)])
def test_foreign_folder_is_not_read(runtime, bundle, planted, store, spoil):
    assert planted.exists()
    spoil(store)
    assert denies(runtime, bundle)


def test_links_are_not_followed(runtime, bundle, planted, workdir):
    elsewhere = workdir / "elsewhere"
    shutil.move(planted, elsewhere)
    planted.symlink_to(elsewhere)
    assert denies(runtime, bundle)


def test_folder_that_is_a_link_is_not_followed(runtime, bundle, planted, store, workdir):
    assert planted.exists()
    shutil.move(store, workdir / "elsewhere")
    store.symlink_to(workdir / "elsewhere")
    assert denies(runtime, bundle)


def test_program_of_another_profile_is_not_loaded(runtime, bundle, planted):
    """The name is a hash that an attacker may find a second profile for: the profile itself must be the same."""
    key, harmless, skipped = parts_of(planted)
    planted.write_bytes(packed([key[:-1] + bytes([key[-1] ^ 1]), harmless, skipped]))
    assert denies(runtime, bundle)


@pytest.mark.parametrize("keep", [0, 7, 8, 100, -1])
def test_damaged_file_is_replaced(runtime, bundle, store, keep):
    assert denies(runtime, set_profile(bundle, DENIED))
    entry = the_only_entry(store)
    whole = entry.read_bytes()
    entry.write_bytes(whole[:keep])
    assert denies(runtime, bundle)
    assert entry.read_bytes() == whole


def test_fifo_does_not_block(runtime, bundle, store):
    assert denies(runtime, set_profile(bundle, DENIED))
    entry = the_only_entry(store)
    entry.unlink()
    os.mkfifo(entry, 0o600)
    assert denies(runtime, bundle)


def test_profile_is_compiled_once(runtime, bundle, store):
    assert denies(runtime, set_profile(bundle, DENIED))
    first = the_only_entry(store).stat()
    assert denies(runtime, bundle)
    assert the_only_entry(store).stat().st_ino == first.st_ino


def test_unknown_names_are_told_each_time(runtime, bundle):
    set_profile(bundle, DENIED, {"names": ["no_such_call"], "action": "SCMP_ACT_ERRNO"}).args("/bin/probe", "ids")
    for _ in range(2):
        flags = ["--root", runtime.root, "--log", runtime.log, "--log-format", "json", "--debug"]
        result = runtime.run(bundle, flags=flags)
        assert any("no_such_call" in entry["msg"] for entry in result.log), result


def test_store_is_bounded(runtime, bundle, store):
    bundle.args("/bin/probe", "ids")
    for number in range(70):
        runtime.run(set_profile(bundle, {**DENIED, "errnoRet": number + 1}))
    assert len(list(store.iterdir())) == 64


def test_many_at_once(runtime, make_bundle, store):
    bundles = [set_profile(make_bundle(f"bundle{number}"), DENIED) for number in range(16)]
    with ThreadPoolExecutor(len(bundles)) as pool:
        assert all(pool.map(lambda bundle: denies(runtime, bundle), bundles))
    assert the_only_entry(store).stat().st_mode & 0o777 == 0o600


def test_state_verbs_pass_the_store_by(runtime, bundle, store):
    container = runtime.running(set_profile(bundle, DENIED))
    assert store.is_dir()
    assert [entry["id"] for entry in runtime.ok("list", "--format", "json").json()] == [container.id]
    runtime.fails("state", ".filters", text="does not exist")
    runtime.fails("delete", ".filters", text="does not exist")
    runtime.ok("delete", "--force", ".filters")
    assert the_only_entry(store).exists()
