"""A root file system for sandboxes, and `brig sandbox` as a client would call it."""
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from brigtest import settings
from brigtest.images import make_image
from brigtest.policies import Installed
from brigtest.runtime import new_id
from brigtest.waiting import wait_until


class Sandboxes:
    """`run` gives the result object; `create` gives a Sandbox that is removed at the end of the test."""

    def __init__(self, runtime, bundle):
        self.runtime = runtime
        self.rootfs = bundle.rootfs
        self._made = []

    def arguments(self, options):
        name = new_id()
        self.runtime.ids.append(name)
        root = () if {"--rootfs", "--image"} & set(map(str, options)) else ("--rootfs", self.rootfs)
        return name, (*root, "--id", name, *options)

    def command(self, verb, *words):
        return self.runtime.command("sandbox", verb, *words)

    def call(self, verb, *words, **options):
        return self.runtime.call("sandbox", verb, *words, **options)

    def run_raw(self, *words, options=(), **more):
        _, arguments = self.arguments(options)
        return self.call("run", *arguments, "--", *words, **more)

    def run(self, *words, options=(), code=None, **more):
        """The result of `run --json -- WORDS`."""
        result = self.run_raw(*words, options=("--json", *options), **more)
        document = result.json()
        if code is not None:
            assert result.code == code, document
        return document

    def shell(self, script, **more):
        return self.run("sh", "-c", script, **more)

    def create(self, *options):
        name, arguments = self.arguments(options)
        result = self.call("create", *arguments)
        assert result.code == 0, result
        assert result.out == name + "\n"
        self._made.append(Sandbox(self, name))
        return self._made[-1]

    def close(self):
        for sandbox in self._made:
            if (self.runtime.root / sandbox.id).exists():
                self.call("rm", sandbox.id)


class Sandbox:
    def __init__(self, sandboxes, name):
        self.sandboxes = sandboxes
        self.id = name

    def call(self, verb, *words, flags=(), **options):
        return self.sandboxes.call(verb, *flags, self.id, *words, **options)

    def ok(self, verb, *words, **options):
        result = self.call(verb, *words, **options)
        assert result.code == 0, result
        return result

    def exec(self, *words, flags=(), **options):
        return self.call("exec", "--", *words, flags=("--json", *flags), **options).json()

    def shell(self, script, **options):
        return self.exec("sh", "-c", script, **options)

    def listed(self):
        entries = self.sandboxes.call("list", "--json").json()
        return next((entry for entry in entries if entry["sandbox_id"] == self.id), None)

    @property
    def gone(self):
        return not (self.sandboxes.runtime.root / self.id).exists()

    def wait_until_gone(self):
        wait_until(lambda: self.gone, f"sandbox {self.id} to be gone")


@pytest.fixture
def sandboxes(runtime, bundle, workdir):
    """Installed with its policies: a sandbox without one is not begun."""
    made = Sandboxes(runtime, bundle)
    made.installed = Installed(workdir / "prefix")
    runtime.binary = str(made.installed.binary)
    yield made
    made.close()


class ImageStore:
    """The images of the checkout, imported where a test first asks for one."""

    def __init__(self, folder):
        self.folder = folder
        self._names = set()

    def options(self, name):
        if name not in self._names:
            subprocess.run([settings.runtime_binary(), "image", "import", "--quiet", "--store", self.folder, "--name", name,
                            make_image(name).layout], check=True, capture_output=True, timeout=120)
            self._names.add(name)
        return ["--store", str(self.folder), "--image", name]


@pytest.fixture(scope="session")
def images(contained_session):
    folder = Path(tempfile.mkdtemp(prefix=f"{settings.TAG}-images-"))
    yield ImageStore(folder)
    shutil.rmtree(folder)


@pytest.fixture
def spawn(runtime):
    """A call that goes on, killed at the end of the test."""
    def start(argv, **options):
        process = subprocess.Popen(list(map(str, argv)), **options)
        runtime._spawned.append(process)
        return process
    return start
