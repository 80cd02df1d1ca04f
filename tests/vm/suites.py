#!/usr/bin/python3
"""Runs in the guest: one suite after the other, what they say as it comes, a table at the end.

usage: suites.py [--quick] [SUITE|PATH|option of pytest]...

Without names all suites are run; --quick takes a selection of a few minutes. BRIG_GUEST tells which machine this is.
"""
import os
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree
from pathlib import Path
from typing import NamedTuple

CHECKOUT = Path(__file__).resolve().parents[2]
GUEST = os.environ.get("BRIG_GUEST", "uml")
ENGINES = [f"tests/endtoend/test_{name}.py" for name in
           ("docker_lifecycle", "docker_namespaces", "docker_run", "docker_userns", "containerd")]


# Debian's user-mode kernel has no tables for IP.
ENGINE_SETTINGS = '{"iptables": false, "ip6tables": false}' if GUEST == "uml" else "{}"


class Suite(NamedTuple):
    name: str
    paths: list
    environment: dict = {}


SUITES = [
    Suite("guest", ["tests/vm/guest"]),
    Suite("container", ["tests/container"]),
    Suite("security", ["tests/security"]),
    Suite("sandbox", [f"tests/sandbox/test_{name}.py" for name in
                      ("result", "sandbox_lifecycle", "files", "attach", "confinement", "sandbox_inspect", "sandbox_rootless")],
          {"BRIG_SANDBOX_CROWD": "20", "BRIG_SANDBOX_SERIES": "50"}),  # one slow processor
    Suite("docker", ENGINES),
    Suite("docker-systemd", ENGINES, {"BRIG_ENGINE_CGROUP_DRIVER": "systemd"}),
    Suite("podman", ["tests/endtoend/test_podman.py"]),
    Suite("podman-systemd", ["tests/endtoend/test_podman.py"], {"BRIG_ENGINE_CGROUP_DRIVER": "systemd"}),
]

# What cgroup v2 and systemd can change, one test of each kind.
QUICK = [
    Suite("guest", ["tests/vm/guest"]),
    Suite("container", ["tests/container/test_cgroups.py", "tests/container/test_lifecycle.py"]),
]

# Skips that are right in a machine, as patterns of their reasons: the other machine or the host runs these cases.
MAY_SKIP = {
    "uml": ["needs cgroup v1", "needs a cgroup v1", "needs two CPUs", "controller cpuset", "needs iptables", "boot time",
            "needs a kernel with /proc/irq", "needs a kernel with NUMA", "schedule in real time", "CONFIG_RT_GROUP_SCHED", "needs a CRIU",
            "user-mode Linux", "needs Linux 6.2 with Landlock", "root can open one of", "systemd removes the cgroup before"],
    "qemu": ["needs cgroup v1", "needs a cgroup v1", "CONFIG_RT_GROUP_SCHED", "systemd removes the cgroup before"],
}


class Outcome(NamedTuple):
    suite: str
    code: int
    seconds: float
    numbers: dict

    def row(self):
        counts = "  ".join(f"{self.numbers.get(name, 0):>8}" for name in ("tests", "failures", "errors", "skipped"))
        return f"{self.suite:<16}{counts}  {self.seconds:>7.0f} s  {'ok' if self.code == 0 else f'exit code {self.code}'}"


def run(suite, options):
    print(f"==== {suite.name}: {' '.join(suite.paths)}", flush=True)
    report = Path(tempfile.mkdtemp()) / "report.xml"
    environment = {**os.environ, **suite.environment, "BRIG_TESTS_MUST_RUN": "1", "BRIG_TESTS_MAY_SKIP": "|".join(MAY_SKIP[GUEST]),
                   "BRIG_ENGINE_SETTINGS": ENGINE_SETTINGS, "PYTHONDONTWRITEBYTECODE": "1"}
    started = time.monotonic()
    code = subprocess.run([sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *suite.paths, *options], cwd=CHECKOUT,
                          env=environment, check=False).returncode
    return Outcome(suite.name, code, time.monotonic() - started, numbers_of(report))


def numbers_of(report):
    if not report.exists():
        return {}
    suite = xml.etree.ElementTree.parse(report).getroot().find("testsuite")
    return {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}


def chosen(words):
    """(suites, options for pytest) of the command line; a path is a suite of its own."""
    suites, options, known = [], [], {suite.name: suite for suite in SUITES}
    quick = "--quick" in words
    words = [word for word in words if word != "--quick"]
    for number, word in enumerate(words):
        if word in known and not (number and words[number - 1] in ("-k", "-m")):
            suites.append(known[word])
        elif re.match(r"tests/[\w/.:\[\]-]+$", word):
            suites.append(Suite("paths", [word]))
        else:
            options.append(word)
    return suites or (QUICK if quick else SUITES), options


def main():
    suites, options = chosen(sys.argv[1:])
    outcomes = [run(suite, options) for suite in suites]
    print(f"\n{GUEST:<16}{'tests':>8}  {'failures':>8}  {'errors':>8}  {'skipped':>8}")
    for outcome in outcomes:
        print(outcome.row())
    return 1 if not outcomes or any(outcome.code for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
