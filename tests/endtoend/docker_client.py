"""A person at the docker command line."""
import fcntl
import json
import os
import subprocess
import termios
import time

import brigtest
from brigtest.terminal import open_terminal
from engine_api import EngineApi

IMAGE = "box"


def wait_until(condition, what, seconds=30):
    """As brigtest.wait_until, with pauses: asking an engine costs more than looking at a file."""
    return brigtest.wait_until(lambda: condition() or time.sleep(0.1), what, seconds)


def resize_until(pty, rows, columns, text):
    """Resize until `text` is shown: a docker client that has just come up does not notice its first SIGWINCH."""
    for _ in range(40):
        pty.resize(rows, columns + 1)
        pty.resize(rows, columns)
        try:
            return pty.read_until(text, seconds=0.5)
        except AssertionError:
            continue
    raise AssertionError(f"{text!r} did not come after a resize; the terminal showed {pty.seen!r}")


def _take_terminal():
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Docker:
    def __init__(self, engine):
        self.engine = engine
        self.api = EngineApi(engine.socket)
        self.terminals = []

    def __call__(self, *arguments, timeout=60, stdin=None):
        """Any docker command, successful or not."""
        return self.engine.run(*map(str, arguments), timeout=timeout, stdin=stdin)

    def ok(self, *arguments, **options):
        """Output of a docker command that has to succeed."""
        result = self(*arguments, **options)
        assert result.returncode == 0, f"docker {' '.join(map(str, arguments))}: {result.returncode}\n" \
                                       f"{result.stdout}{result.stderr}\n{self.engine.log()}"
        return result.stdout.rstrip("\n")

    def run(self, *arguments, network="none", **options):
        """docker run --rm with the runtime under test; `arguments` are options, the image is to be among them."""
        return self("run", "--rm", "--runtime=brig", f"--network={network}", *arguments, **options)

    def output(self, *arguments, **options):
        result = self.run(*arguments, **options)
        assert result.returncode == 0, f"docker run {' '.join(map(str, arguments))}: {result.returncode}\n" \
                                       f"{result.stdout}{result.stderr}\n{self.engine.log()}"
        return result.stdout.rstrip("\n")

    def probe(self, *words, options=(), **more):
        """What the probe says in a container of its own, as data."""
        return json.loads(self.output(*options, IMAGE, "probe", *words, **more))

    def detached(self, *arguments, network="none"):
        """Id of a container that goes on."""
        return self.ok("run", "-d", "--runtime=brig", f"--network={network}", *arguments)

    def exec_probe(self, container, *words, options=()):
        return json.loads(self.ok("exec", *options, container, "probe", *words))

    def inspect(self, container):
        """.State of a container."""
        return self.api.call("GET", f"/containers/{container}/json")["State"]

    def wait_for(self, container, **facts):
        """Wait until .State has these values."""
        def state():
            found = self.inspect(container)
            return found if all(found[key] == value for key, value in facts.items()) else None

        return wait_until(state, f"{container} to be {facts}; it is {self.inspect(container)}")

    def terminal(self, *arguments, rows=24, columns=80):
        """A docker command on a terminal of its own: (Popen, Pty)."""
        pty, slave = open_terminal(rows, columns)

        process = subprocess.Popen(self.engine.command(*arguments), stdin=slave, stdout=slave, stderr=slave,
                                   env=self.engine.environment(), preexec_fn=_take_terminal)
        os.close(slave)
        self.terminals.append((process, pty))
        return process, pty

    def close(self):
        for process, pty in self.terminals:
            if process.poll() is None:
                process.kill()
            process.wait()
            pty.close()
        for container in self.api.call("GET", "/containers/json?all=1"):
            self.api.call("DELETE", f"/containers/{container['Id']}?force=1&v=1")
