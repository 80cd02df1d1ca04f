"""The command line under test, and what came of each call."""
import dataclasses
import itertools
import json
import os
import re
import signal
import subprocess
from pathlib import Path

from . import cgroups, settings
from .terminal import open_terminal
from .waiting import wait_for_exit, wait_until

_numbers = itertools.count(1)


def new_id():
    return f"{settings.TAG}-{next(_numbers)}"


@dataclasses.dataclass
class Result:
    argv: list
    code: int
    out: str
    err: str
    log: list  # what this call added to log.json

    def json(self):
        return json.loads(self.out)

    @property
    def message(self):
        """The last error that was logged, as containerd looks for it."""
        errors = [entry["msg"] for entry in self.log if entry["level"] == "error"]
        return errors[-1] if errors else ""

    def __str__(self):
        return (f"$ {' '.join(map(str, self.argv))}\nexit code {self.code}\n--- stdout\n{self.out}\n"
                f"--- stderr\n{self.err}\n--- log\n" + "\n".join(map(str, self.log)))


class Runtime:
    """One state root and one log.  Everything that goes through it is deleted again at the end of the test."""

    def __init__(self, folder, binary=None):
        self.folder = Path(folder)
        self.binary = binary or settings.runtime_binary()
        self.root = self.folder / "state"
        self.log = self.folder / "log.json"
        self.ids = []
        self.prefix = ()  # a program that runs the runtime, such as setpriv: for every call
        self.bundle_owner = None  # an OrdinaryUser who gets each bundle before it is used
        self._calls = itertools.count()
        self._spawned = []

    # ---- raw calls

    def command(self, *arguments, flags=None):
        """argv with the global flags that containerd gives, or with `flags` instead of them."""
        if flags is None:
            flags = ["--root", self.root, "--log", self.log, "--log-format", "json"]
        return [*map(str, self.prefix), self.binary, *map(str, flags), *map(str, arguments)]

    def call(self, *arguments, flags=None, input=None, timeout=60, prefix=(), **popen):
        """Run to the end.  Output goes through files: a detached container keeps it open.

        `prefix` is the start of the command line, for a program that runs the runtime.
        """
        argv = [*prefix, *self.command(*arguments, flags=flags)]
        logged = self.log.stat().st_size if self.log.exists() else 0
        base = self.folder / f"call{next(self._calls)}"
        (base.with_suffix(".in")).write_bytes(input.encode() if isinstance(input, str) else input or b"")
        with open(base.with_suffix(".in"), "rb") as stdin, open(base.with_suffix(".out"), "wb") as out, \
                open(base.with_suffix(".err"), "wb") as err:
            popen = {"stdin": stdin, "stdout": out, "stderr": err, **popen}
            process = subprocess.Popen(argv, **popen)
            if not wait_for_exit(process, timeout):
                process.kill()
                process.wait()
                raise AssertionError(f"no end after {timeout} s: {' '.join(argv)}\n{_text(base, '.err')}")
        self._last_output = base
        return Result(argv, process.returncode, _text(base, ".out"), _text(base, ".err"), self._read_log(logged))

    def ok(self, *arguments, **options):
        result = self.call(*arguments, **options)
        assert result.code == 0, result
        return result

    def fails(self, *arguments, text="", brig_text="", code=1, **options):
        """The call must end with `code` and an error message that matches the regular expression `text`.

        `brig_text` is for what brig must say and the reference does not.
        """
        result = self.call(*arguments, **options)
        assert result.code == code, result
        check_error(result, text)
        if not settings.is_reference():
            check_error(result, brig_text)
        return result

    def spawn(self, *arguments, flags=None, **popen):
        """A call that goes on; it is killed at the end of the test when it has not ended."""
        process = subprocess.Popen(self.command(*arguments, flags=flags), **popen)
        self._spawned.append(process)
        return process

    def spawn_on_terminal(self, *arguments, rows=24, columns=80):
        """(process, Pty): the CLI in the foreground of a new terminal of its own, as in a user's shell."""
        pty, slave = open_terminal(rows, columns)
        try:
            process = self.spawn(*arguments, stdin=slave, stdout=slave, stderr=slave,
                                 preexec_fn=lambda: _take_terminal(slave))
        finally:
            os.close(slave)
        return process, pty

    def _read_log(self, offset):
        if not self.log.is_file():
            return []
        with open(self.log) as log:
            log.seek(offset)
            return [json.loads(line) for line in log if line.strip()]

    # ---- verbs

    def run(self, bundle, *flags, id=None, code=0, text="", write=True, **options):
        """Attached `run`; `text` is looked for when a failure is expected."""
        name = self._prepare(bundle, id, write)
        arguments = ("run", "--bundle", bundle.path, *flags, name)
        if text:
            return self.fails(*arguments, code=code, text=text, **options)
        result = self.call(*arguments, **options)
        assert result.code == code, result
        return result

    def probe(self, bundle, *argv, **options):
        """What `probe ARGV...` printed as JSON, run as the container's process."""
        bundle.args("/bin/probe", *map(str, argv))
        return self.run(bundle, **options).json()

    def report(self, bundle, *names, **options):
        """The value of one report of the probe, or the object of several."""
        reports = self.probe(bundle, *names, **options)
        return reports[names[0]] if len(names) == 1 else reports

    def create(self, bundle, *flags, id=None, write=True, **options):
        name = self._prepare(bundle, id, write)
        self.ok("create", "--bundle", bundle.path, *flags, name, **options)
        return Container(self, name, bundle, self._last_output)

    def create_fails(self, bundle, *flags, id=None, write=True, **options):
        name = self._prepare(bundle, id, write)
        return self.fails("create", "--bundle", bundle.path, *flags, name, **options)

    def running(self, bundle, *flags, id=None, **options):
        """A detached container; its process is `sleep` unless the bundle's args were set."""
        if bundle.process["args"] == ["sh"]:
            bundle.args("/bin/probe", "sleep")
        name = self._prepare(bundle, id, True)
        self.ok("run", "--bundle", bundle.path, "--detach", *flags, name, **options)
        return Container(self, name, bundle, self._last_output)

    def state(self, name):
        return self.ok("state", name).json()

    def call_as(self, user):
        """Each call as the OrdinaryUser, who owns the state."""
        self.prefix, self.binary = user.prefix, user.program()
        user.own(self.folder)

    def _prepare(self, bundle, name, write=True):
        name = name or new_id()
        self.ids.append(name)
        if write:
            bundle.write()
        if self.bundle_owner:
            self.bundle_owner.own(bundle.path)
        return name

    # ---- end of the test

    def close(self):
        """Delete what is left by the contract's own means; return what could not be deleted."""
        for process in self._spawned:
            if process.poll() is None:
                process.kill()
                process.wait()
        problems = []
        for name in dict.fromkeys(self.ids):
            if (self.root / name).exists():
                result = self.call("delete", "--force", name)
                if result.code != 0:
                    problems.append(f"delete --force failed:\n{result}")
        return problems


class Container:
    def __init__(self, runtime, name, bundle, output):
        self.runtime = runtime
        self.id = name
        self.bundle = bundle
        self._output = output

    @property
    def state(self):
        return self.runtime.state(self.id)

    @property
    def exists(self):
        return (self.runtime.root / self.id).exists()

    @property
    def status(self):
        return self.state["status"]

    @property
    def pid(self):
        return self.state["pid"]

    @property
    def out(self):
        """What the container has written to its standard output."""
        return _text(self._output, ".out")

    @property
    def err(self):
        return _text(self._output, ".err")

    def verb(self, verb, *arguments, **options):
        return self.runtime.ok(verb, self.id, *arguments, **options)

    def fails(self, verb, *arguments, **options):
        return self.runtime.fails(verb, self.id, *arguments, **options)

    def start(self):
        return self.verb("start")

    def kill(self, sig="KILL", *flags):
        return self.runtime.ok("kill", *flags, self.id, sig)

    def delete(self, *flags):
        return self.runtime.ok("delete", *flags, self.id)

    def wait_for(self, status):
        wait_until(lambda: self.status == status, f"{self.id} to be {status}")
        return self

    def stop(self):
        self.kill("KILL")
        return self.wait_for("stopped")

    def wait_for_output(self, text):
        return wait_until(lambda: text in self.out and self.out, f"{text!r} in the output of {self.id}")

    def exec(self, *argv, flags=(), code=0, **options):
        result = self.runtime.call("exec", *flags, self.id, *argv, **options)
        assert result.code == code, result
        return result

    def exec_fails(self, *argv, flags=(), code=255, **options):
        return self.runtime.fails("exec", *flags, self.id, *argv, code=code, **options)

    def probe(self, *argv, flags=(), **options):
        return self.exec("/bin/probe", *map(str, argv), flags=flags, **options).json()

    def report(self, *names, flags=(), **options):
        reports = self.probe(*names, flags=flags, **options)
        return reports[names[0]] if len(names) == 1 else reports

    def cgroup(self, controller):
        return cgroups.of_process(self.pid)[controller]

    def cgroup_file(self, controller, name):
        return (self.cgroup(controller) / name).read_text().strip()


def check_error(result, text=""):
    """The contract of every failure: logged as JSON at level error, and told on stderr too, although there is a log."""
    assert result.code != 0, result
    assert result.err.strip(), f"nothing on stderr\n{result}"
    if any("log-format" in str(word) for word in result.argv):
        assert result.message, f"no error in the log\n{result}"
    told = result.message or result.err
    assert re.search(text, told), f"no match for {text!r}\n{result}"
    assert re.search(text, result.err), f"stderr does not match {text!r}\n{result}"
    if not settings.is_reference():
        assert "\n" not in result.message.strip(), f"the message has more than one line\n{result}"


def _text(base, ending):
    path = base.with_suffix(ending)
    return path.read_text(errors="replace")


def _take_terminal(slave):
    import fcntl
    import termios
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
