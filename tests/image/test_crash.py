"""A kill or a full disk at any moment leaves a store that verifies, and a prune takes the rest away."""
import fcntl
import os
import random
import signal
import subprocess
import threading
import time

import pytest

from brigtest import brig_only, requires
from brigtest.handmade_images import Image, ImageStore, Layer

pytestmark = [requires("root"), brig_only("runc has no images")]

KILLS = int(os.environ.get("BRIG_TESTS_KILLS", "25"))


def many_files(seed, count=150):
    chance = random.Random(seed)
    layer = Layer().folder("d")
    for number in range(count):
        layer.file(f"d/{seed}-{number}", chance.randbytes(chance.randrange(40_000)))
    return layer.tar()


@pytest.fixture(scope="module")
def tars():
    return [many_files(seed) for seed in range(3)]


def test_killed_imports(store, workdir, tars):
    """BRIG_TESTS_KILLS=200 for the whole measure."""
    layout = Image(*tars, how="gzip").layout(workdir / "layout")
    command = store.runtime.command("image", "import", "--store", store.path, "--name", "x", layout, "--quiet")
    begin = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    whole = time.monotonic() - begin
    store.ok("remove", "x")
    chance = random.Random(4711)
    killed = 0
    for number in range(KILLS):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            process.wait(timeout=chance.uniform(0, whole))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed += 1
        names = store.names()
        assert names in ([], ["x"])
        assert store.json("verify", *(["--digests-only"] if number % 5 else [])) == [], f"after kill {number}"
        if names:
            store.ok("remove", "x")
        elif number % 3 == 0:
            store.ok("prune")
    assert killed > KILLS // 4, "the kills came too late to mean anything"
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    store.is_sound()


def test_full_disk(runtime, workdir, tars):
    """At many sizes, so that it happens in blobs, in layers, and in what comes last."""
    layout = Image(*tars, how="gzip").layout(workdir / "layout")
    place = workdir / "small"
    place.mkdir()
    full = 0
    for megabytes in (1, 2, 4, 6, 8, 10, 12, 14, 16, 17, 18, 19, 24):
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", place], check=True)
        try:
            store = ImageStore(runtime, place / "store")
            result = runtime.call("image", "import", "--store", store.path, "--name", "x", layout)
            if result.code != 0:
                full += 1
                assert "no space left on device" in result.message.lower() and "prune" in result.message, result
                assert store.names() == []
            assert store.json("verify", "--digests-only") == []
            store.ok("prune")
            assert os.listdir(store.path / "tmp") == []
            assert result.code == 0 or os.listdir(store.path / "layers") == []
        finally:
            subprocess.run(["umount", place], check=True)
    assert 3 < full < 13, "sizes do not fit the image any more"


def test_two_imports_at_once(store, workdir, tars):
    """They do the work once, and neither fails."""
    layout = Image(*tars, how="gzip").layout(workdir / "layout")
    commands = [store.runtime.command("image", "import", "--store", store.path, "--name", f"x{number}", "--json", layout)
                for number in range(4)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    outputs = [process.communicate()[0] for process in processes]
    assert all(process.returncode == 0 for process in processes)
    assert sorted(output.count('"newLayers":3') + output.count('"newLayers": 3') for output in outputs) == [0, 0, 0, 1]
    assert store.names() == ["x0", "x1", "x2", "x3"]
    store.is_sound()


def test_imports_beside_removals(store, workdir, tars):
    layouts = [Image(*tars[:number + 1], how="gzip").layout(workdir / f"layout{number}") for number in range(3)]
    failures = []

    def work(number):
        for _ in range(4):
            imported = subprocess.run(store.runtime.command("image", "import", "--store", store.path, "--name", f"x{number}",
                                                            layouts[number]), capture_output=True, text=True, check=False)
            removed = subprocess.run(store.runtime.command("image", "remove", "--store", store.path, f"x{number}"),
                                     capture_output=True, text=True, check=False)
            failures.extend(result.stderr for result in (imported, removed) if result.returncode != 0)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert os.listdir(store.path / "layers") == [] and store.names() == []


def test_readers_do_not_wait(store, workdir, tars):
    """Somebody holds the lock of a removal; who only looks is not kept."""
    store.ok("import", "--name", "x", Image(*tars).layout(workdir / "layout"))
    with open(store.path / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert store.names() == ["x"]
        assert store.json("inspect", "x")["layers"]
