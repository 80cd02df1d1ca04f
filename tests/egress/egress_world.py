"""A world for the sandbox: a host, an internet with its own names, certificates and registries, each a network namespace.

The host has a public address of its own (81.2.3.4) and a secret on it and on its loopback; the internet has what rules can
allow, and what nobody must reach: a metadata service, a private network, hosts that no rule names.
"""
import base64
import hashlib
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile

import pytest

from brigtest import settings, wait_until
from brigtest.network_namespace import NetworkNamespace, connect
from brigtest.requirements import missing

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).parent
EGRESS_RUN = pathlib.Path(os.environ.get("BUILD", CHECKOUT / "build")) / "tests" / "egress-run"

RESOLVER = "5.5.5.53"
HOST_ADDRESS = "81.2.3.4"
ZONE = {
    "pypi.org": ["93.184.216.34", "2606:4700::34"],
    "files.pythonhosted.org": ["151.101.0.223"],
    "registry.npmjs.org": ["104.16.1.34"],
    "git.example": ["93.184.216.22"],
    "shop.example": ["104.18.0.1"],       # on an address that it shares with ...
    "evil.example": ["104.18.0.1"],       # ... one that no rule allows
    "elsewhere.example": ["66.66.66.66"],
    "six.example": ["2606:4700::6"],
    "alias.example": ["=real.example"],
    "real.example": ["93.184.216.77"],
    "loopback.example": ["127.0.0.1", "::1"],
    "metadata.example": ["169.254.169.254"],
    "private.example": ["10.9.9.9"],
    "mapped.example": ["::ffff:10.9.9.9"],
    "nat64.example": ["64:ff9b::a09:909"],
    "host.example": [HOST_ADDRESS],
    "cable.example": ["5.5.5.1"],
    "mixed.example": ["127.0.0.1", "93.184.216.78"],
    "rebind.example": ["93.184.216.79|127.0.0.1"],
    "forged.pypi.org": ["0.0.0.0"],
    "many.example": [f"93.184.217.{number}" for number in range(1, 40)],
    "dark.example": ["93.184.218.1"],  # nothing answers there
    "*.tunnel.example": ["66.66.66.67"],
    "*.pythonhosted.org": ["151.101.0.223"],
}
INTERNET = [RESOLVER, "169.254.169.254", "10.9.9.9", *sorted(
    {address for name, addresses in ZONE.items() for value in addresses if not value.startswith("=")
     for address in value.split("|") if not name.startswith(("loopback", "host", "cable", "mapped", "nat64", "forged", "dark"))
     and address not in ("127.0.0.1", "169.254.169.254", "10.9.9.9")})]


def openssl(*words, **options):
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, **options)


def make_certificates(folder):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", folder / "ca.key", "-out",
            folder / "ca.pem", "-days", "2", "-subj", "/CN=tests of brig")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", folder / "key.pem", "-out",
            folder / "request.pem", "-subj", "/CN=servers")
    names = ",".join(f"DNS:{name}" for name in ZONE if not name.startswith("forged"))
    (folder / "extensions").write_text(f"subjectAltName={names}\n")
    openssl("x509", "-req", "-in", folder / "request.pem", "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key", "-out",
            folder / "cert.pem", "-days", "2", "-extfile", folder / "extensions")


def make_pip_index(files):
    wheel = io.BytesIO()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("demo_package.py", "answer = 42\n")
        archive.writestr("demo_package-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: demo-package\nVersion: 1.0\n")
        archive.writestr("demo_package-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("demo_package-1.0.dist-info/RECORD", "demo_package.py,,\ndemo_package-1.0.dist-info/METADATA,,\n"
                                                              "demo_package-1.0.dist-info/WHEEL,,\ndemo_package-1.0.dist-info/RECORD,,\n")
    name = "demo_package-1.0-py3-none-any.whl"
    packages = files / "files.pythonhosted.org" / "packages"
    packages.mkdir(parents=True)
    (packages / name).write_bytes(wheel.getvalue())
    simple = files / "pypi.org" / "simple" / "demo-package"
    simple.mkdir(parents=True)
    digest = hashlib.sha256(wheel.getvalue()).hexdigest()
    (simple / "index.html").write_text(
        f'<!DOCTYPE html><html><body><a href="https://files.pythonhosted.org/packages/{name}#sha256={digest}">{name}</a></body></html>')


def make_npm_registry(files):
    tarball = io.BytesIO()
    with tarfile.open(fileobj=tarball, mode="w:gz") as archive:
        for path, text in (("package/package.json", json.dumps({"name": "demo-package", "version": "1.0.0", "main": "index.js"})),
                           ("package/index.js", "module.exports = 42;\n")):
            member = tarfile.TarInfo(path)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    host = files / "registry.npmjs.org" / "demo-package"
    (host / "-").mkdir(parents=True)
    (host / "-" / "demo-package-1.0.0.tgz").write_bytes(tarball.getvalue())
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(tarball.getvalue()).digest()).decode()
    (host / "index.html").write_text(json.dumps({
        "name": "demo-package", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": {
            "name": "demo-package", "version": "1.0.0", "main": "index.js", "dist": {
                "tarball": "https://registry.npmjs.org/demo-package/-/demo-package-1.0.0.tgz", "integrity": integrity}}}}))


class World:
    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(exist_ok=True)
        make_certificates(folder)
        make_pip_index(folder / "files")
        make_npm_registry(folder / "files")
        (folder / "zone.json").write_text(json.dumps(ZONE))
        self.internet = NetworkNamespace()
        self.host = NetworkNamespace()
        connect(self.host, self.internet, ["5.5.5.1/24", "2600:5::1/64"], ["5.5.5.2/24", "2600:5::2/64"])
        for address in INTERNET:
            self.internet.run("ip", "address", "add", address, "dev", "lo", *(["nodad"] if ":" in address else []))
        for address in (HOST_ADDRESS, "10.0.0.1"):
            self.host.run("ip", "address", "add", address, "dev", "lo")
        self.host.run("ip", "route", "add", "default", "via", "5.5.5.2")
        self.host.run("ip", "-6", "route", "add", "default", "via", "2600:5::2")
        self.internet.run("ip", "route", "add", HOST_ADDRESS, "via", "5.5.5.1")
        self._servers = []
        for namespace in (self.internet, self.host):  # the host has the same servers: what they tell is its secret
            place = folder / ("internet" if namespace is self.internet else "host")
            place.mkdir()
            for name in ("zone.json", "cert.pem", "key.pem"):
                shutil.copy(folder / name, place)
            names = [RESOLVER] if namespace is self.internet else []
            (place / "files").symlink_to(folder / "files")
            server = namespace.start("/usr/bin/python3", CHECKOUT / "tests/support/internet.py", place, *names,
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self._servers.append(server)
            assert server.stdout.readline() == "ready\n"

    def close(self):
        for server in self._servers:
            server.stdin.close()
            server.wait()
            server.stdout.close()
        self.host.close()
        self.internet.close()

    def log(self, place="internet"):
        path = self.folder / place / "requests.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture(scope="session")
def world(contained_session):
    for need in ("root", "program:openssl", "program:ip", "program:nsenter"):
        if missing(need):
            pytest.skip(missing(need))
    assert EGRESS_RUN.exists(), f"{EGRESS_RUN} is missing: make egress-tests builds it"
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{settings.TAG}-egress-"))
    folder.chmod(0o755)
    made = World(folder)
    yield made
    made.close()
    shutil.rmtree(folder)


class Outcome:
    def __init__(self, code, out, err, audit, seen, seen_by_host):
        self.code, self.out, self.err = code, out, err
        self.audit = audit  # the broker's lines
        self.seen = seen    # what arrived in the internet
        self.seen_by_host = seen_by_host

    def reasons(self, **members):
        """Of the decisions that have these members."""
        return [line["reason"] for line in self.audit if all(line[name] == value for name, value in members.items())]

    def requests(self, kind="request", **members):
        return [line for line in self.seen if line["kind"] == kind and all(line.get(name) == value for name, value in members.items())]


class Running:
    def __init__(self, world, process, audit, pid_file):
        self._world, self._process, self._audit, self._pid_file = world, process, audit, pid_file
        self._before = len(world.log()), len(world.log("host"))

    @property
    def stdin(self):
        return self._process.stdin

    @property
    def stdout(self):
        return self._process.stdout

    def broker_pid(self):
        wait_until(lambda: self._pid_file.exists(), "the broker's pid")
        return int(self._pid_file.read_text())

    def audit(self):
        return [json.loads(line) for line in self._audit.read_text().splitlines()] if self._audit.exists() else []

    def finish(self, timeout=300):
        out, err = self._process.communicate(timeout=timeout)
        return Outcome(self._process.returncode, out, err, self.audit(), self._world.log()[self._before[0]:],
                       self._world.log("host")[self._before[1]:])

    def kill(self):
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


class Sandboxes:
    """start(COMMAND..., allow=[...]) runs a command behind a broker; without allow, in the host's own network."""

    def __init__(self, world, workdir):
        self._world, self._workdir = world, workdir
        self._running = []

    def start(self, *command, allow=(), deny=(), allow_addresses=(), limits=None, flags=(), resolver=RESOLVER, env=None, prefix=()):
        number = len(self._running)
        audit, pid_file = self._workdir / f"audit{number}.jsonl", self._workdir / f"pid{number}"
        words = [*prefix, EGRESS_RUN, "--resolver", resolver, "--audit", audit, "--pid-file", pid_file, *flags]
        for option, values in (("--allow", allow), ("--deny", deny), ("--allow-address", allow_addresses)):
            for value in values:
                words += [option, value]
        for name, value in (limits or {}).items():
            words += ["--limit", f"{name}={value}"]
        environment = {"PATH": os.environ["PATH"], "HOME": str(self._workdir), "LANG": "C.UTF-8", "CA": str(self._world.folder / "ca.pem"),
                       **(env or {})}
        process = self._world.host.start(*words, "--", *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         stderr=subprocess.PIPE, text=True, env=environment)
        self._running.append(Running(self._world, process, audit, pid_file))
        return self._running[-1]

    def run(self, *command, **options):
        return self.start(*command, **options).finish()

    def client(self, *words, **options):
        """client.py in a sandbox; its answer is the outcome's `answer`."""
        outcome = self.run("/usr/bin/python3", HERE / "client.py", *map(str, words), **options)
        assert outcome.code == 0, outcome.err
        outcome.answer = json.loads(outcome.out)
        return outcome

    def uncontrolled(self, *words, **options):
        """The same without a sandbox: what a test's attack does when nothing is against it."""
        return self.client(*words, flags=["--uncontrolled"], **options)

    def close(self):
        for running in self._running:
            running.kill()


@pytest.fixture
def sandboxes(world, leak_check, workdir):
    made = Sandboxes(world, workdir)
    yield made
    made.close()


sys.path.insert(0, str(HERE))
