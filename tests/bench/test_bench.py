"""The benchmark measures what it says: no time is asserted here, only that the figures are figures of the runs that were made."""
import json
import pathlib
import shutil
import subprocess
import sys

import pytest

from brigtest import runtime_binary, settings

BENCH = pathlib.Path(__file__).parent / "bench"
sys.path.insert(0, str(BENCH.parent))

import measuring


def bench(workdir, *arguments):
    command = [BENCH, "--build", workdir, "--rounds", "2", "--modes", "busy", "--no-docker", "--json", workdir / "out.json",
               *arguments]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False)
    return result, json.loads((workdir / "out.json").read_text())["results"] if (workdir / "out.json").exists() else []


def test_every_case(workdir):
    binary = runtime_binary()
    result, results = bench(workdir, "--parallel", "3", "--crowd", "3", "--runtimes", f"runc={binary}", f"other={binary}")
    assert result.returncode == 0, result.stdout + result.stderr
    crowds = [entry for entry in results if entry["case"] == "crowd"]
    assert [set(entry["summaries"]) for entry in crowds] == [{"floor", "runc"}, {"floor", "other"}]
    results = results[:-len(crowds)]
    assert [entry["case"] for entry in results] == ["run", "lifecycle", "exec", "state", "delete", "update", "pause", "kill",
                                                    "events", "parallel", "memory"]
    for entry in results:
        assert set(entry["summaries"]) == {"floor", "runc", "other"}
        for name, summary in entry["summaries"].items():
            assert summary["count"] == len(entry["samples"][name]) == 2
            assert 0 < summary["min"] <= summary["median"] <= summary["max"]
        ratio = entry["summaries"]["other"]["ratios"]
        assert ratio["runc"] == entry["summaries"]["other"]["median"] / entry["summaries"]["runc"]["median"]
        assert set(ratio) == {"floor", "runc"}


def test_failing_runtime_is_reported(workdir):
    """A runtime that fails has no figures, and the benchmark says so and fails; the others are still measured."""
    result, results = bench(workdir, "--cases", "run,exec", "--runtimes", f"good={runtime_binary()}", "bad=/bin/false")
    assert result.returncode == 1
    for entry in results:
        assert set(entry["failures"]) == {"bad"} and "/bin/false" in entry["failures"]["bad"]
        assert set(entry["summaries"]) == {"floor", "good"}
    assert "bad FAILED" in result.stdout


def test_missing_runtime_is_an_error(workdir):
    result, _ = bench(workdir, "--runtimes", "brig=/no/such/brig")
    assert result.returncode == 1 and "/no/such/brig" in result.stderr


@pytest.mark.parametrize("samples, median, mad, quartiles", [([3], 3, 0, (3, 3)), ([1, 2, 3, 4, 100], 3, 1, (2, 4)),
                                                             ([10, 20], 15, 5, (12.5, 17.5))])
def test_statistics(samples, median, mad, quartiles):
    summary = measuring.summarise(samples)
    assert (summary["median"], summary["mad"]) == (median, mad)
    assert (summary["quartile1"], summary["quartile3"]) == quartiles
    assert (summary["min"], summary["max"], summary["count"]) == (min(samples), max(samples), len(samples))


def test_sandboxes(workdir):
    """Each measurement gives a figure of each of its cases."""
    build = workdir / "prefix"
    (build / "bin").mkdir(parents=True)
    shutil.copy2(runtime_binary(), build / "bin/brig")
    shutil.copytree(settings.CHECKOUT / "policies", build / "share/brig/policies")
    argv = [BENCH.with_name("sandbox"), "--json", "--rounds", "3", "--cases", "begin,exec,calls", "--brig", build / "bin/brig"]
    result = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    medians = json.loads(result.stdout)
    assert {"brig run", "sandbox run", "brig exec", "sandbox exec", "a call in a sandbox"} <= set(medians)
    assert all(value > 0 for value in medians.values())
