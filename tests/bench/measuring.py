"""Starting programs through the spawner, and what is said about a series of samples."""

import dataclasses
import os
import select
import statistics
import subprocess
import tempfile


@dataclasses.dataclass
class Step:
    """One program of a batch. `orphans`: wait afterwards until so many container inits have ended in this batch."""
    arguments: list
    timed: bool = True
    orphans: int = 0


@dataclasses.dataclass
class StepResult:
    exit_status: int
    nanoseconds: int
    peak_kib: int
    waited_nanoseconds: int


class StepFailed(Exception):
    """A measured program did not end with status 0: there is nothing to report about it."""


class Spawner:
    """Client of spawner.c: one long-lived process per runtime, in the mount namespace which that runtime needs."""

    answer_timeout_seconds = 120

    def __init__(self, program, without_mounts=()):
        arguments = [program]
        for path in without_mounts:
            arguments += ["--without-mount", path]
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
                                        bufsize=0, cwd="/", env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
        self.unread = b""

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=10)
        self.process.stdout.close()
        self.errors.close()

    def run(self, steps, together=False):
        """Runs the batch; gives back one StepResult per step and the nanoseconds of the whole batch."""
        request = f"{len(steps)} {int(together)}\n".encode()
        for step in steps:
            request += f"{len(step.arguments)} {step.orphans}\n".encode()
            request += b"".join(os.fsencode(argument) + b"\0" for argument in step.arguments)
        self.errors.seek(0, os.SEEK_END)
        errors_from = self.errors.tell()
        self.process.stdin.write(request)
        results = [StepResult(*map(int, self._read_line(steps).split())) for _ in steps]
        total = int(self._read_line(steps))
        for step, result in zip(steps, results):
            if result.exit_status != 0:
                raise StepFailed(f"{' '.join(step.arguments)}\n  ended with status {result.exit_status}: "
                                 f"{self._errors_since(errors_from)}")
        return results, total

    def _read_line(self, steps):
        while b"\n" not in self.unread:
            readable, _, _ = select.select([self.process.stdout], [], [], self.answer_timeout_seconds)
            chunk = os.read(self.process.stdout.fileno(), 65536) if readable else b""
            if not chunk:
                self.process.kill()
                commands = "; ".join(" ".join(step.arguments) for step in steps)
                reason = "ended" if readable else f"gave no answer for {self.answer_timeout_seconds} s"
                raise StepFailed(f"the spawner {reason} while running: {commands}\n  {self._errors_since(0)}")
            self.unread += chunk
        line, self.unread = self.unread.split(b"\n", 1)
        return line

    def _errors_since(self, position):
        self.errors.seek(position)
        return self.errors.read().decode(errors="replace").strip()[-2000:] or "(nothing on standard error)"


def summarise(samples):
    """Median, spread and extremes of one series, in the unit of the samples."""
    ordered = sorted(samples)
    median = statistics.median(ordered)
    quartiles = statistics.quantiles(ordered, n=4, method="inclusive") if len(ordered) > 1 else [median] * 3
    return {
        "count": len(ordered),
        "median": median,
        "quartile1": quartiles[0],
        "quartile3": quartiles[2],
        "mad": statistics.median(abs(sample - median) for sample in ordered),
        "min": ordered[0],
        "max": ordered[-1],
    }
