"""The shipped profiles under attack: calls that reach into the kernel, from inside a container whose bundle asks for no filter.

The control is the same call in the same bundle without the policy: it gets past every filter, to the kernel's own answer."""
import json
import os
import shutil
import subprocess

import pytest

import seccomp_filter
from brigtest import settings

pytestmark = pytest.mark.brig_only("other runtimes have no policies")

NEW_USER, NEW_NET = "0x10000000", "0x40000000"
AF_PACKET, AF_ALG, AF_VSOCK, NETLINK, NETLINK_AUDIT = "17", "38", "40", "16", "9"
# name -> (probe's words, what the kernel says to it where no filter does)
ATTACKS = {
    "AF_ALG": (["socket", AF_ALG, "5", "0"], [None, "EAFNOSUPPORT"]),
    "AF_VSOCK": (["socket", AF_VSOCK, "1", "0"], [None, "EAFNOSUPPORT", "ENODEV"]),
    "AF_PACKET": (["socket", AF_PACKET, "3", "0"], [None]),
    "netlink of the audit": (["socket", NETLINK, "3", NETLINK_AUDIT], [None, "EPROTONOSUPPORT"]),
    "io_uring_setup": (["syscall", "io_uring_setup", "1", "0"], ["EFAULT"]),
    "keyctl": (["syscall", "keyctl", "0", "-3", "1"], [None]),
    "add_key": (["syscall", "add_key", "0", "0", "0", "0", "0"], ["EFAULT"]),
    "bpf": (["syscall", "bpf", "0", "0", "0"], ["EINVAL", "EFAULT"]),
    "userfaultfd": (["syscall", "userfaultfd", "0x4000000"], ["EINVAL"]),
    "perf_event_open": (["syscall", "perf_event_open", "0", "0", "-1", "-1", "0"], ["EFAULT"]),
    "a user namespace": (["unshare", NEW_USER], [None]),
    "a network namespace": (["unshare", NEW_NET], [None]),
    "clone with a user namespace": (["syscall", "clone", "0x10000200", "0", "0", "0", "0"], ["EINVAL"]),
    "clone3": (["syscall", "clone3", "0", "0"], ["EINVAL"]),
    "join a namespace": (["setns", "/proc/1/ns/uts"], [None]),
    "mount": (["mount", "none", "/tmp", "tmpfs"], [None]),
    "process_vm_readv": (["syscall", "process_vm_readv", "1", "0", "0", "0", "0", "1"], ["EINVAL"]),
    "open_by_handle_at": (["syscall", "open_by_handle_at", "-1", "0", "0"], ["EFAULT", "EBADF"]),
    "ptrace": (["syscall", "ptrace", "0", "0", "0", "0"], [None]),
    "swapon": (["syscall", "swapon", "0", "0x80000"], ["EINVAL", "EFAULT"]),
}
# Under the filter alone, so that it is the filter that is asked: every capability stays.
PROFILE_ONLY = {"noNewPrivileges": True}


@pytest.fixture
def filtered(installed):
    """filtered(PROFILE): a runtime whose policy is that profile and nothing else."""
    def make(profile):
        installed.write(f"only-{profile}", seccomp={"profile": profile}, privileges=PROFILE_ONLY)
        return installed.under(f"only-{profile}")

    return make


def answers(runtime, bundle, names):
    lines = "\n".join(f"/bin/probe {' '.join(ATTACKS[name][0])}" for name in names)
    bundle.args("/bin/sh", "-c", lines + "\ntrue").all_capabilities()
    said = [json.loads(line)["errno"] for line in runtime.run(bundle).out.splitlines()]
    assert len(said) == len(names), said
    return dict(zip(names, said))


@pytest.mark.parametrize("profile", ["code", "program"])
def test_attacks_fail_under_the_profile(filtered, bundle, profile):
    said = answers(filtered(profile), bundle, ATTACKS)
    passed = {name: answer for name, answer in said.items() if answer not in ("EPERM", "ENOSYS")}
    assert not passed, f"{profile} lets through: {passed}"


@pytest.mark.requires("machine_kernel")
def test_attacks_get_past_without_the_profile(installed, bundle):
    said = answers(installed.under(), bundle, ATTACKS)
    stopped = {name: answer for name, answer in said.items() if answer not in ATTACKS[name][1]}
    assert not stopped, f"the control is no attack: {stopped}"


@pytest.mark.parametrize("profile", ["code", "program"])
def test_sockets_that_programs_need(filtered, bundle, profile):
    for family in ("1", "2", "10", "16"):
        assert filtered(profile).probe(bundle, "socket", family, "1" if family != "16" else "3", "0")["errno"] is None


@pytest.mark.requires("machine_kernel")
@pytest.mark.parametrize("profile", ["code", "program"])
def test_other_architectures_and_x32(filtered, attack_bundle, attacks, profile):
    """The filter as the kernel has it, asked about numbers that this machine may not run."""
    container = filtered(profile).running(attack_bundle())
    filters = seccomp_filter.installed_filters(attacks / "dump_filter", container.pid)
    assert len(filters) == 1

    def passes(architecture, number):
        return seccomp_filter.answer(filters, architecture, number)[0] in (seccomp_filter.ALLOW, seccomp_filter.LOG)

    assert passes("x86_64", 0)
    for number in range(0, 470):
        assert not passes("i386", number) and not passes("arm", number) and not passes("aarch64", number), number
        assert not passes("x86_64", number | seccomp_filter.X32_BIT), number


@pytest.mark.requires("machine_kernel")
@pytest.mark.parametrize("profile", ["code", "program"])
def test_the_count_is_what_the_kernel_lets_through(filtered, installed, attack_bundle, attacks, profile):
    """Every number is put to the installed filter: no call passes that `policy show` does not list."""
    container = filtered(profile).running(attack_bundle())
    filters = seccomp_filter.installed_filters(attacks / "dump_filter", container.pid)
    listed = installed.under().ok("policy", "show", f"only-{profile}", "--json").json()["systemCalls"]
    open_numbers = [number for number in range(0, 600)
                    if any(seccomp_filter.answer(filters, "x86_64", number, *arguments)[0] == seccomp_filter.ALLOW
                           for arguments in ((0,), (1,), (0, 0x1000), (0, 0, 0x1000)))]
    assert len(open_numbers) <= listed["count"]
    if profile == "code":
        assert len(open_numbers) == listed["count"] < 100


TYPE_INTO_TERMINAL = """
import fcntl, termios
try:
    fcntl.ioctl(0, termios.TIOCSTI, b"x"); print("typed")
except OSError as error:
    print(error.errno)
"""


def host_program(bundle, program):
    """A program of the host with its libraries, and what it needs of /usr: read-only."""
    for folder in ("usr", "lib", "lib64"):
        (bundle.rootfs / folder).mkdir(exist_ok=True)
        bundle.mount(f"/{folder}", "bind", os.path.realpath(f"/{folder}"), ["rbind", "ro"])
    return shutil.which(program, path="/usr/bin")


PYTHON = """
import asyncio, concurrent.futures, hashlib, json, multiprocessing, os, pathlib, shutil, socket, sqlite3, subprocess, tempfile, threading
def square(x): return x * x
if __name__ == "__main__":
    folder = pathlib.Path(tempfile.mkdtemp())
    (folder / "a").write_text("x" * 100000)
    os.rename(folder / "a", folder / "b"); os.symlink("b", folder / "c"); os.chmod(folder / "b", 0o600)
    shutil.copytree(folder, folder.parent / "copy", symlinks=True); shutil.copyfile(folder / "b", folder / "d")
    base = sqlite3.connect(folder / "base"); base.execute("create table t(a)"); base.commit(); base.close()
    threads = [threading.Thread(target=square, args=(2,)) for _ in range(4)]
    [t.start() for t in threads]; [t.join() for t in threads]
    assert subprocess.run(["/bin/sh", "-c", "echo hi; exit 3"], capture_output=True).returncode == 3
    for way in ("fork", "spawn"):
        with multiprocessing.get_context(way).Pool(2) as pool: assert pool.map(square, range(4)) == [0, 1, 4, 9]
    async def serve():
        async def answer(reader, writer):
            writer.write(await reader.read(5)); await writer.drain(); writer.close()
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"hello"); assert await reader.read() == b"hello"; server.close()
        process = await asyncio.create_subprocess_exec("/bin/true"); assert await process.wait() == 0
    asyncio.run(serve())
    with concurrent.futures.ThreadPoolExecutor(2) as pool: list(pool.map(square, [1, 2]))
    shutil.rmtree(folder)
    print("done", hashlib.sha256(os.urandom(8)).digest_size)
"""
NODE = """
const fs = require('fs'), os = require('os'), child = require('child_process'), http = require('http'), path = require('path');
const {Worker, isMainThread, parentPort} = require('worker_threads');
if (!isMainThread) { parentPort.postMessage(42); } else {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'x-'));
  fs.writeFileSync(folder + '/a', 'x'.repeat(1e5)); fs.renameSync(folder + '/a', folder + '/b'); fs.copyFileSync(folder + '/b', folder + '/c');
  if (child.execSync('echo sub').toString() !== 'sub\\n') process.exit(2);
  new Worker(__filename).on('message', message => {
    const server = http.createServer((request, response) => response.end('ok ' + message)).listen(0, '127.0.0.1', () =>
      http.get({host: '127.0.0.1', port: server.address().port}, response => {
        let text = ''; response.on('data', part => text += part);
        response.on('end', () => { server.close(); fs.rmSync(folder, {recursive: true}); require('crypto').randomBytes(4); console.log('done', text); });
      }));
  });
}
"""
BASH = """
set -eu
cd "$(mktemp -d)"; echo hi > a; cp a b; mv b c; ln -s a d; chmod 600 a; mkdir -p q/w; ls -la | sort | wc -l
find . -type f | xargs grep -l hi; sed -i s/hi/ho/ a; tar czf x.tgz a c; rm -r q; tar xzf x.tgz; diff a c || true
(sleep 0.05 & wait); trap 'echo term' TERM; kill -TERM $$; for i in 1 2 3; do echo $i; done | while read -r l; do echo "$l"; done
timeout 5 true; head -c 10 /dev/urandom | od -x > /dev/null; dd if=/dev/zero of=z bs=1k count=4 2> /dev/null; touch -d yesterday c; stat a > /dev/null
cat <<< here; printf '%s\\n' "done $(( 6 * 7 )) $(date +%Y | wc -c)"
"""


@pytest.mark.requires("machine_kernel")
@pytest.mark.parametrize("policy", ["kuro-sovereign", "harombe", "kb-labs"])
@pytest.mark.parametrize("program,file,text,said", [
    ("python3", "main.py", PYTHON, "done 32"), ("node", "main.js", NODE, "done ok 42"), ("bash", "main.sh", BASH, "done 42 5")],
    ids=["python", "node", "bash"])
def test_programs_that_must_run(installed, bundle, policy, program, file, text, said):
    """The tight profile and the rest of the policy leave CPython, Node and Bash their work."""
    if shutil.which(program, path="/usr/bin") is None:
        pytest.skip(f"needs {program} of the distribution")
    bundle.set("root.readonly", False)
    bundle.file(f"usr-local/{file}", text)
    path = host_program(bundle, program)
    bundle.mount("/workspace", "bind", bundle.rootfs / "usr-local", ["bind", "ro"])
    (bundle.rootfs / "workspace").mkdir()
    # As root tar wants to give the files to their owners, which no policy lets it.
    bundle.args(path, f"/workspace/{file}").set("process.user", {"uid": 1000, "gid": 1000})
    result = installed.under(policy).run(bundle, timeout=120)
    assert said in result.out, result


def test_typing_into_a_terminal(filtered, installed, bundle):
    """TIOCSTI puts keys into the terminal of whoever looks at it."""
    allowed = "/proc/sys/dev/tty/legacy_tiocsti"
    before = None
    if os.path.exists(allowed):
        before = open(allowed, encoding="ascii").read()
        if before.strip() == "0":
            pytest.skip("needs a kernel that allows TIOCSTI, to show that the filter is what stops it")
    path = host_program(bundle, "python3")
    bundle.file("type.py", TYPE_INTO_TERMINAL)
    bundle.set("process.terminal", True).args(path, "/type.py")
    said = {}
    for name, runtime in (("open", installed.under()), ("filtered", filtered("program"))):
        bundle.write()
        process, pty = runtime.spawn_on_terminal("run", "--bundle", bundle.path, f"{settings.TAG}-{name}")
        said[name] = pty.read_until("\n")
        process.wait(timeout=30)
        pty.close()
    assert "typed" in said["open"] and "1" in said["filtered"] and "typed" not in said["filtered"]
