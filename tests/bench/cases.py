"""What is measured: each case is a batch of programs per round, and what of it counts."""

import dataclasses
import itertools
import typing

from measuring import Step


@dataclasses.dataclass
class Runtime:
    name: str
    path: str
    version: str
    state_root: str
    without_mounts: tuple = ()

    def command(self, *arguments):
        return [self.path, "--root", self.state_root, *arguments]


@dataclasses.dataclass
class Site:
    """Where the run happens: built tools, bundles, and names no other run uses."""
    floor: str
    true: str
    root_file_system: str
    true_bundle: str
    pause_bundle: str
    parallel: int
    prefix: str
    numbers: typing.Iterator = dataclasses.field(default_factory=itertools.count)

    def new_name(self):
        return f"{self.prefix}-{next(self.numbers)}"


@dataclasses.dataclass
class Case:
    """`steps(runtime, site, standing)`: the batch of one round; `standing` is the container that stays up, if any."""
    name: str
    title: str
    floor_title: str
    steps: typing.Callable
    floor_steps: typing.Callable
    needs_standing_container: bool = False
    together: bool = False
    with_idle_gaps: bool = True
    value: str = "time"
    lacking: tuple = ()  # runtimes without this verb
    rounds_share: int = 1  # of the rounds that were asked for, one in so many


def run_true(runtime, site, _standing):
    return [Step(runtime.command("run", "--bundle", site.true_bundle, site.new_name()))]


def run_floor(site):
    return [Step([site.floor, site.root_file_system, "/bin/true"])]


def run_do_nothing(site):
    return [Step([site.true])]


def create_start_delete(runtime, site, _standing):
    name = site.new_name()
    return [
        Step(runtime.command("create", "--bundle", site.true_bundle, name)),
        Step(runtime.command("start", name), orphans=1),
        Step(runtime.command("delete", name)),
    ]


def exec_true(runtime, _site, standing):
    return [Step(runtime.command("exec", standing, "/bin/true"))]


def state(runtime, _site, standing):
    return [Step(runtime.command("state", standing))]


def delete_force(runtime, site, _standing):
    name = site.new_name()
    return [
        Step(runtime.command("run", "--detach", "--bundle", site.pause_bundle, name), timed=False),
        Step(runtime.command("delete", "--force", name)),
    ]


def update(runtime, site, standing):
    return [Step(runtime.command("update", "--memory", str((255 + next(site.numbers) % 2) << 20), standing))]


def pause(runtime, _site, standing):
    return [Step(runtime.command("pause", standing)), Step(runtime.command("resume", standing))]


def kill(runtime, site, _standing):
    name = site.new_name()
    return [
        Step(runtime.command("run", "--detach", "--bundle", site.pause_bundle, name), timed=False),
        Step(runtime.command("kill", name, "KILL"), orphans=1),
        Step(runtime.command("delete", name), timed=False),
    ]


def stats(runtime, _site, standing):
    return [Step(runtime.command("events", "--stats", standing))]


def create_for_memory(runtime, site, _standing):
    name = site.new_name()
    return [
        Step(runtime.command("create", "--bundle", site.true_bundle, name)),
        Step(runtime.command("delete", "--force", name), timed=False),
    ]


def run_many(runtime, site, _standing):
    return [run_true(runtime, site, None)[0] for _ in range(site.parallel)]


CASES = [
    Case("run", "run true, Docker's seccomp profile, memory, cpu and pids limits",
         "namespaces, mounts, pivot_root and exec by a static program", run_true, run_floor),
    Case("lifecycle", "create + start + delete (without the time in which `true` ends)",
         "namespaces, mounts, pivot_root and exec by a static program", create_start_delete, run_floor),
    Case("exec", "exec true in a running container", "fork, exec and wait of a static program",
         exec_true, run_do_nothing, needs_standing_container=True),
    Case("state", "state of a running container", "fork, exec and wait of a static program",
         state, run_do_nothing, needs_standing_container=True),
    Case("delete", "delete --force of a running container", "fork, exec and wait of a static program",
         delete_force, run_do_nothing),
    Case("update", "update --memory of a running container", "fork, exec and wait of a static program",
         update, run_do_nothing, needs_standing_container=True),
    Case("pause", "pause and resume", "fork, exec and wait of a static program",
         pause, run_do_nothing, needs_standing_container=True),
    Case("kill", "kill of a running container", "fork, exec and wait of a static program", kill, run_do_nothing),
    Case("events", "events --stats of a running container", "fork, exec and wait of a static program",
         stats, run_do_nothing, needs_standing_container=True, lacking=("crun",)),
    Case("parallel", "parallel starts: `run true`, all at once, time per start",
         "as many floor programs at once, time per start", run_many,
         lambda site: [run_floor(site)[0] for _ in range(site.parallel)], together=True, with_idle_gaps=False, rounds_share=3),
    Case("memory", "peak resident memory of create (the largest process of the call)",
         "a static program that does nothing", create_for_memory, run_do_nothing, with_idle_gaps=False, value="memory"),
]


def crowd_case(live):
    """Its floor is the same runtime with no container alive."""
    return Case("crowd", f"run true with {live} containers alive", "the same runtime with none alive", run_true, None,
                with_idle_gaps=False)


def sample_of(case, steps, results, total_nanoseconds):
    """One number of a round: milliseconds, or KiB for memory."""
    timed = [result for step, result in zip(steps, results) if step.timed]
    if case.value == "memory":
        return max(result.peak_kib for result in timed)
    if case.together:
        return total_nanoseconds / len(steps) / 1e6
    return sum(result.nanoseconds for result in timed) / 1e6
