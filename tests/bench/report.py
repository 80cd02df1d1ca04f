"""Results as text tables and as plain data, and the profile of one run."""

import os
import re
import subprocess

import measuring

MODE_TITLES = {"busy": "back to back", "idle": "after an idle gap"}


def make_result(case, mode, samples, failures):
    """Ratios compare medians of the same rounds: to the floor and to each peer that was measured."""
    summaries = {name: measuring.summarise(values) for name, values in samples.items() if values}
    for summary in summaries.values():
        summary["ratios"] = {other: summary["median"] / summaries[other]["median"]
                             for other in ("floor", "crun", "runc") if other in summaries and summaries[other]["median"]}
    return {"case": case.name, "title": case.title, "mode": mode, "unit": "KiB" if case.value == "memory" else "ms",
            "floor": case.floor_title, "summaries": summaries, "samples": samples, "failures": dict(failures)}


def as_table(result):
    count = max((summary["count"] for summary in result["summaries"].values()), default=0)
    lines = [f"{result['case']}: {result['title']}; {MODE_TITLES[result['mode']]} ({result['unit']}, n={count})",
             f"  {'':10}" + "".join(f"{column:>10}" for column in ("median", "quart. 1", "quart. 3", "MAD", "min",
                                                                 "x floor", "x crun", "x runc"))]
    digits = 0 if result["unit"] == "KiB" else 3
    for name, summary in result["summaries"].items():
        values = "".join(f"{summary[key]:10.{digits}f}" for key in ("median", "quartile1", "quartile3", "mad", "min"))
        ratios = "".join(f"{summary['ratios'][other]:10.2f}" if other in summary["ratios"] else f"{'-':>10}"
                         for other in ("floor", "crun", "runc"))
        lines.append(f"  {name:10}{values}{ratios}")
    lines.append(f"  floor = {result['floor']}")
    for name, reason in result["failures"].items():
        lines.append(f"  {name} FAILED: {reason}")
    return "\n".join(lines) + "\n"


def describe_host(facts, runtimes):
    lines = [f"host: kernel {facts['kernel']}, {facts['cpus']} x {facts['cpu_model']}, cgroup {facts['cgroup']}, "
             f"load {facts['load_average'][0]:.2f}"]
    if facts["load_average"][0] > 0.5 * (facts["cpus"] or 1):
        lines.append("note: the machine is busy; medians and ratios will be rougher than on a quiet one")
    for runtime in runtimes:
        lines.append(f"{runtime.name}: {runtime.version or 'unknown version'} ({runtime.path})"
                     + "".join(f", measured without {path}" for path in runtime.without_mounts))
    return "\n".join(lines) + "\n"


def profile(command, folder, without_mounts, slowest=25):
    """System calls of one run: counts by strace -c, then the slowest calls of a second, timed trace with their process."""
    view = []
    if without_mounts:
        unmount = " && ".join(f"umount -l {path}" for path in without_mounts)
        view = ["unshare", "--mount", "sh", "-c", unmount + ' && exec "$@"', "sh"]
    counts, trace = os.path.join(folder, "strace-counts"), os.path.join(folder, "strace-times")
    # A second container name, or the second run would meet the first one's state.
    again = command[:-1] + [command[-1] + "-again"]
    subprocess.run([*view, "strace", "-f", "-c", "-S", "calls", "-o", counts, *command], check=True, stdin=subprocess.DEVNULL)
    subprocess.run([*view, "strace", "-f", "-T", "-ttt", "-s", "60", "-o", trace, *again], check=True,
                   stdin=subprocess.DEVNULL)
    with open(counts, encoding="utf-8", errors="replace") as file:
        text = f"{' '.join(command)}\n\n{file.read()}\n"
    calls = []
    with open(trace, encoding="utf-8", errors="replace") as file:
        for line in file:
            if finished := re.match(r"(.*\S)\s*<(\d+\.\d+)>$", line):
                calls.append((float(finished.group(2)), finished.group(1)))
    text += f"slowest {slowest} of {len(calls)} finished calls (waiting included, strace's own cost included):\n"
    for took, call in sorted(calls, reverse=True)[:slowest]:
        text += f"  {took * 1000:9.3f} ms  {call[:150]}\n"
    return text
