"""Real programs in the images, each under the runtime, without a network, with a read-only root, as the image's user."""
import hashlib
import io
import json
import struct
import tarfile
import zipfile
import zlib

import pytest

from brigtest import requires

pytestmark = requires("root", "program:dpkg-deb", "program:apt-get")


def images(*names):
    return pytest.mark.parametrize("image", names, indirect=True)


GIT = r"""
set -euo pipefail
[[ ${BASH_VERSINFO[0]}.${BASH_VERSINFO[1]} == 5.2 ]]
git init --quiet project && cd project
printf '%s\n' one two three >list
git add list && git commit --quiet -m 'first'
sed -i 's/two/2/' list && git commit --quiet -am 'second'
git init --quiet --bare ../other && git push --quiet ../other main
git clone --quiet ../other ../copy && git -C ../copy log --format='%an %s'
git diff HEAD~ --stat | tail -n 1
git archive HEAD | tar -t; git -C ../copy fsck --strict 2>&1; git format-patch -1 --stdout | patch -R -p1
jq -n --arg list "$(sort list | xargs)" '{$list}' -c
tar -cJf list.tar.xz list && xz -t list.tar.xz && zip -q list.zip list && unzip -qt list.zip
"""


@images("shell")
def test_git(sandbox):
    words = sandbox.run("bash", "-c", GIT).splitlines()
    assert words == ["sandbox second", "sandbox first", " 1 file changed, 1 insertion(+), 1 deletion(-)", "list",
                     "patching file list", '{"list":"one three two"}', "No errors detected in compressed data of list.zip."]


REPORT = """
import os
import numpy, pandas, matplotlib.pyplot as pyplot
from PIL import Image
frame = pandas.read_csv("/artifacts/sales.csv", parse_dates=["day"])
sums = frame.groupby("city")["sales"].sum()
print(sums.to_dict(), numpy.median(frame["sales"]))
sums.plot.bar(color=["red", "blue"])
pyplot.savefig("/artifacts/report.png", dpi=50)
with Image.open("/artifacts/report.png") as picture:
    picture.convert("RGB").resize((64, 48)).save("/artifacts/small.jpg")
"""


def pixels_of(png):
    """(width, height, the filtered bytes): enough to tell a picture from an empty one."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    offset, data, size = 8, b"", None
    while offset < len(png):
        length, kind = struct.unpack_from(">I4s", png, offset)
        body = png[offset + 8:offset + 8 + length]
        assert struct.unpack_from(">I", png, offset + 8 + length)[0] == zlib.crc32(kind + body)
        size = struct.unpack(">II", body[:8]) if kind == b"IHDR" else size
        data += body if kind == b"IDAT" else b""
        offset += 12 + length
    return (*size, zlib.decompress(data))


@images("python")
def test_pandas(sandbox):
    sandbox.file("sales.csv", "day,city,sales\n2024-01-01,Rome,3\n2024-01-02,Oslo,5\n2024-01-03,Rome,4\n")
    assert sandbox.run("python3", "-c", REPORT) == "{'Oslo': 5, 'Rome': 7} 4.0\n"
    width, height, pixels = pixels_of((sandbox.artifacts / "report.png").read_bytes())
    assert (width, height) == (320, 240) and len(set(pixels)) > 20
    assert (sandbox.artifacts / "small.jpg").read_bytes()[:3] == b"\xff\xd8\xff"
    assert (sandbox.artifacts / "report.png").stat().st_uid == 1000


@images("python")
def test_python_modules(sandbox):
    script = ("import sqlite3, ssl, zoneinfo, lzma, ctypes, multiprocessing; print(zoneinfo.ZoneInfo('Europe/Berlin'), "
              "len(ssl.create_default_context().get_ca_certs()) > 50, multiprocessing.Pool(2).map(abs, [-1, -2]))")
    assert sandbox.run("python3", "-c", script) == "Europe/Berlin True [1, 2]\n"


NODE = """
const http = require("node:http"), crypto = require("node:crypto"), zlib = require("node:zlib"), tls = require("node:tls");
const { publicKey, privateKey } = crypto.generateKeyPairSync("ed25519");
const server = http.createServer((request, response) => {
  const signature = crypto.sign(null, Buffer.from(request.url), privateKey);
  response.end(zlib.gzipSync(signature));
}).listen(0, "localhost", async () => {
  const answer = await fetch(`http://localhost:${server.address().port}/sign/me`);
  const signature = zlib.gunzipSync(Buffer.from(await answer.arrayBuffer()));
  console.log(answer.status, crypto.verify(null, Buffer.from("/sign/me"), publicKey, signature),
              new Intl.NumberFormat("de-DE").format(1234.5), tls.getCiphers().length > 10, process.version.split(".")[0]);
  server.close();
});
"""


@images("node", "node-npm")
def test_node(sandbox):
    assert sandbox.run("node", "-e", NODE) == "200 true 1.234,5 true v18\n"


def npm_package(name, files, **more):
    """A package as `npm pack` makes it, and what a registry says of it."""
    files = {"package.json": json.dumps({"name": name, "version": "1.0.0", **more}), **files}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for path, text in files.items():
            entry = tarfile.TarInfo(f"package/{path}")
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


REGISTRY = """
const http = require("node:http"), fs = require("node:fs"), path = require("node:path"), { spawn } = require("node:child_process");
const files = "/artifacts";
const server = http.createServer((request, response) => {
  const file = path.join(files, path.basename(request.url));
  if (request.url.endsWith(".tgz")) return response.end(fs.readFileSync(file));
  if (!fs.existsSync(file + ".json")) { response.statusCode = 404; return response.end("{}"); }
  response.setHeader("content-type", "application/json");
  response.end(fs.readFileSync(file + ".json", "utf8").replaceAll("REGISTRY", `http://127.0.0.1:${server.address().port}`));
}).listen(0, "127.0.0.1", () => {
  spawn("bash", ["-c", process.argv[1]], { stdio: "inherit", env: { ...process.env, npm_config_registry:
    `http://127.0.0.1:${server.address().port}` } }).on("exit", code => process.exit(code));
});
"""

INSTALL = """
set -e
npm init -y >/dev/null
npm install --silent greeting
node -e 'console.log(require("greeting")("sandbox"))'
npx --offline greet
npm ls --all --parseable | sort | xargs -n1 basename | xargs
rm -rf node_modules && npm ci --silent && cat node_modules/words/installed
npm pkg set scripts.say='echo said by $npm_lifecycle_event' && npm run --silent say
npm pack --silent && npm install --silent --no-save /artifacts/words.tgz
npm install --silent missing-package || echo refused: $?
"""


@images("node-npm")
def test_npm_installs_from_a_registry(sandbox):
    packages = {
        "words": npm_package("words", {"index.js": "exports.hello = name => `hello, ${name}`"},
                             scripts={"postinstall": "echo by a script >installed"}),
        "greeting": npm_package("greeting", {"index.js": "module.exports = name => require('words').hello(name)",
                                             "cli.js": "#!/usr/bin/env node\nconsole.log('from the command line')"},
                                dependencies={"words": "^1.0.0"}, bin={"greet": "cli.js"}),
    }
    for name, data in packages.items():
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            package = json.load(tar.extractfile("package/package.json"))
        package["dist"] = {"tarball": f"REGISTRY/{name}.tgz", "shasum": hashlib.sha1(data).hexdigest()}
        sandbox.file(f"{name}.tgz", data)
        sandbox.file(f"{name}.json", json.dumps({"name": name, "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": package}}))
    words = sandbox.run("node", "-e", REGISTRY, INSTALL).splitlines()
    assert words == ["hello, sandbox", "from the command line", "workspace greeting words", "by a script", "said by say",
                     "workspace-1.0.0.tgz", "refused: 1"]


@images("node-npm")
def test_node_gyp_says_why_it_cannot(sandbox):
    sandbox.file("native.tgz", npm_package("native", {"binding.gyp": "{}"}))
    words = sandbox.run("npm", "install", "/artifacts/native.tgz", code=1)
    assert "this image has no compiler" in words


def wheel():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("greeting.py", "def main():\n    print('hello from a wheel')\n")
        folder = "greeting-1.0.dist-info"
        archive.writestr(f"{folder}/METADATA", "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n")
        archive.writestr(f"{folder}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{folder}/entry_points.txt", "[console_scripts]\ngreet = greeting:main\n")
        archive.writestr(f"{folder}/RECORD", "".join(f"{name},,\n" for name in archive.namelist()))
    return buffer.getvalue()


PIP = """
set -e
python3 -m venv venv
venv/bin/pip --quiet install --no-index --find-links /artifacts greeting
venv/bin/greet
venv/bin/pip list --format freeze | grep greeting
pip --quiet install --no-index --find-links /artifacts --target /workspace/target greeting
PYTHONPATH=target python3 -c 'import greeting; greeting.main(); print(greeting.__file__)'
HOME=/workspace pip --quiet install --no-warn-script-location --no-index /artifacts/greeting-1.0-py3-none-any.whl 2>&1
ls .local/bin
pip --quiet install --no-index missing-package 2>/dev/null || echo refused: $?
"""


@images("python-pip")
def test_pip_installs_a_wheel(sandbox):
    sandbox.file("greeting-1.0-py3-none-any.whl", wheel())
    words = sandbox.run("bash", "-c", PIP).splitlines()
    assert words == ["hello from a wheel", "greeting==1.0", "hello from a wheel", "/workspace/target/greeting.py", "greet",
                     "refused: 1"]
