"""What a caller can get wrong: each is refused with one clear line, and nothing is left behind.

"Nothing left" is checked by the fixtures: no mount, cgroup, process, state or file in the bundle.
"""
import json
import os
import subprocess

import pytest

from brigtest import brig_only, default_spec, wait_until


def refused(runtime, bundle, brig_text="", text="", **options):
    """create fails, says so in one line, leaves no state; the id can be used again."""
    result = runtime.create_fails(bundle, id="refused", text=text, brig_text=brig_text, **options)
    assert not (runtime.root / "refused").exists()
    assert result.out == "" or result.out.isspace()
    return result


# ---- config.json that is no JSON

NOT_JSON = {
    "empty": "", "space": " \n", "brace": "{", "truncated": json.dumps(default_spec())[:-20], "two": "{}{}",
    "single-quotes": "{'ociVersion': '1.0.2'}", "comment": "{/* no */}",
    "nul": "{\0}", "bare": "spec", "broken-utf8": b'{"ociVersion": "\xff\xfe"', "utf16": "{}".encode("utf-16"),
    "unterminated": '{"ociVersion": "1.0.2', "bad-escape": '{"ociVersion": "\\x"}', "control": '{"a": "\x01"',
}


@pytest.mark.parametrize("name", NOT_JSON)
def test_not_json(runtime, bundle, name):
    content = NOT_JSON[name]
    bundle.config.write_bytes(content if isinstance(content, bytes) else content.encode())
    refused(runtime, bundle, write=False, brig_text="config.json|JSON|json")


@brig_only("Go's decoder stops at the end of the object")
def test_text_after_the_spec(runtime, bundle):
    bundle.config.write_text(json.dumps(default_spec()) + "x")
    refused(runtime, bundle, write=False, text="config.json|JSON|json")


@pytest.mark.parametrize("document", ["[]", brig_only("runc panics", "null"), "1", '"text"', "true", "{}"])
def test_not_a_spec(runtime, bundle, document):
    bundle.config.write_text(document)
    refused(runtime, bundle, write=False, brig_text="config.json|ociVersion|root|process|object")


def test_deeply_nested(runtime, bundle):
    """No stack overflow: refused, or read and ignored as an unknown property."""
    depth = 100000
    text = json.dumps(default_spec())
    bundle.config.write_text(text[:-1] + ', "deep": ' + "[" * depth + "]" * depth + "}")
    result = runtime.call("create", "--bundle", bundle.path, "deep")
    runtime.ids.append("deep")
    assert result.code in (0, 1), result


def test_huge(runtime, bundle):
    """16 MiB of annotations: refused or taken, in a bounded time and memory."""
    bundle.set("annotations", {f"key{number}": "x" * 1024 for number in range(16384)})
    result = runtime.call("create", "--bundle", bundle.write().path, "huge")
    runtime.ids.append("huge")
    assert result.code in (0, 1), result


def test_many_mounts(runtime, bundle):
    """Few fds per mount: 300 of them work under the usual limit."""
    for number in range(300):
        bundle.mount(f"/dev/shm/m{number}", "tmpfs", "tmpfs", ["size=4k"])
    count = int(runtime.run(bundle.args("sh", "-c", "grep -c /dev/shm/m /proc/self/mountinfo")).out)
    assert count == 300


def test_duplicate_keys(runtime, bundle):
    """Taken as the JSON library does; no crash, no leak."""
    text = json.dumps(default_spec())
    bundle.config.write_text(text[:-1] + ', "hostname": "a", "hostname": "b"}')
    assert runtime.call("create", "--bundle", bundle.path, "twice").code in (0, 1)
    runtime.ids.append("twice")


# ---- values of the wrong type: path in the spec, value

WRONG_TYPES = [
    ("ociVersion", 1), ("ociVersion", ["1.0.2"]), ("process", []), ("process", "sh"), ("process.args", "sh"),
    ("process.args", [1]), ("process.args", {"0": "sh"}), ("process.args", [["sh"]]), ("process.env", "A=1"),
    ("process.env", [1]), ("process.env", {"A": "1"}), ("process.cwd", 1), ("process.cwd", ["/"]),
    ("process.terminal", "false"), ("process.terminal", 1), ("process.user", "root"), ("process.user", 0),
    ("process.user.uid", "0"), ("process.user.uid", -1), ("process.user.uid", 4294967296), ("process.user.uid", 0.5),
    ("process.user.uid", 1e100), ("process.user.gid", "0"), ("process.user.additionalGids", 5),
    ("process.user.additionalGids", [-1]), ("process.user.additionalGids", ["x"]), ("process.user.umask", -1),
    ("process.capabilities", ["CAP_CHOWN"]), ("process.capabilities.bounding", "CAP_CHOWN"),
    ("process.capabilities.bounding", [1]), ("process.rlimits", {}), ("process.rlimits", [5]),
    ("process.rlimits", [{"type": "RLIMIT_CORE", "soft": -1, "hard": 1}]),
    ("process.rlimits", [{"type": "RLIMIT_CORE", "soft": "1", "hard": 1}]),
    ("process.rlimits", [{"type": "RLIMIT_CORE", "soft": 1, "hard": 18446744073709551616}]),
    ("process.noNewPrivileges", "yes"), ("process.oomScoreAdj", "0"), ("process.oomScoreAdj", 0.5),
    ("process.consoleSize", [1, 2]), ("root", "rootfs"), ("root", []), ("root.path", 1), ("root.path", ["rootfs"]),
    ("root.readonly", "true"), ("hostname", 5), ("mounts", {}), ("mounts", ["/proc"]), ("mounts", [[]]),
    ("mounts", [{"destination": 5}]), ("mounts", [{"destination": "/x", "options": "ro"}]),
    ("mounts", [{"destination": "/x", "options": [1]}]), ("hooks", []), ("hooks.prestart", {}),
    ("hooks.prestart", ["/bin/true"]), ("hooks.prestart", [{"path": 1}]),
    ("hooks.prestart", [{"path": "/bin/true", "args": "x"}]), ("hooks.prestart", [{"path": "/bin/true", "timeout": "1"}]),
    ("annotations", []), ("annotations", {"a": 1}), ("linux", []), ("linux.namespaces", {}),
    ("linux.namespaces", ["pid"]), ("linux.namespaces", [{"type": 1}]), ("linux.namespaces", [{"type": "pid", "path": 1}]),
    ("linux.uidMappings", {}), ("linux.uidMappings", [{"containerID": -1, "hostID": 0, "size": 1}]),
    ("linux.uidMappings", [{"containerID": 0, "hostID": 4294967296, "size": 1}]), ("linux.devices", {}),
    ("linux.devices", [{"path": 1}]), ("linux.devices", [{"path": "/dev/x", "type": "c", "major": "1", "minor": 1}]),
    ("linux.cgroupsPath", 5), ("linux.resources", []), ("linux.resources.devices", {}),
    ("linux.resources.devices", [{"allow": "yes"}]), ("linux.resources.memory", 5),
    ("linux.resources.memory", {"limit": "64M"}), ("linux.resources.memory", {"limit": 1e30}),
    ("linux.resources.cpu", {"shares": -1}), ("linux.resources.cpu", {"cpus": 0}), ("linux.resources.pids", 5),
    ("linux.resources.pids", {"limit": "5"}), ("linux.resources.pids", {"limit": 0.5}),
    ("linux.resources.hugepageLimits", {}), ("linux.resources.blockIO", []), ("linux.sysctl", []),
    ("linux.sysctl", {"net.ipv4.ip_forward": 1}), ("linux.seccomp", []), ("linux.seccomp", {"defaultAction": 1}),
    ("linux.seccomp", {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": {}}),
    ("linux.seccomp", {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": "sync", "action": "SCMP_ACT_LOG"}]}),
    ("linux.maskedPaths", "/proc/kcore"), ("linux.maskedPaths", [1]), ("linux.readonlyPaths", {}),
    ("linux.rootfsPropagation", 1), ("linux.mountLabel", 1),
]


@pytest.mark.parametrize("place,value", WRONG_TYPES, ids=[f"{row[0]}={json.dumps(row[1])[:30]}" for row in WRONG_TYPES])
def test_wrong_type(runtime, bundle, place, value):
    """The property is named in the message; a number beyond 64 bits is none in JSON already."""
    if place == "linux.uidMappings":
        bundle.namespace("user")
    refused(runtime, bundle.set(place, value), brig_text=place.split(".")[-1] + "|64 bits")


# ---- what must be there, or has a fixed vocabulary: place, value or None to drop it, words for brig

INVALID = [
    ("root", None, "root"),
    ("root.path", "no-such-folder", "no-such-folder"),
    ("root.path", "/no/such/folder", "/no/such/folder"),
    ("root.path", "config.json", "config.json"),
    ("root.path", "rootfs/bin/busybox", "busybox"),
    ("process.args", None, "args"),
    ("process.args", [], "args"),
    ("process.cwd", None, "cwd"),
    ("process.cwd", "", "cwd"),
    ("process.cwd", "relative", "cwd"),
    ("linux.namespaces", [{"type": "nope"}], "nope"),
    ("linux.namespaces", [{"type": ""}], "type"),
    ("linux.rootfsPropagation", "nope", "rootfsPropagation|nope"),
    ("linux.resources.devices", [{"allow": True, "type": "nope"}], "type"),
    ("process.rlimits", [{"type": "RLIMIT_NOPE", "soft": 1, "hard": 1}], "RLIMIT_NOPE"),
    ("linux.seccomp", {"defaultAction": "SCMP_ACT_NOPE"}, "SCMP_ACT_NOPE"),
    ("linux.sysctl", {"nope": "1"}, "nope"),
    ("linux.cgroupsPath", "x" * 5000, "cgroup"),
    ("hostname", "x" * 65, "hostname"),
]
LATE = "runc 1.1.5 does not check it"
INVALID_FOR_BRIG = [
    ("ociVersion", None, "ociVersion"),
    ("root.path", None, "root"),
    ("root.path", "", "root"),
    ("process.capabilities.bounding", ["CAP_NOPE"], "CAP_NOPE"),
    ("process.args", ["with\0nul"], "args|NUL|nul"),
    ("process.env", ["A=with\0nul"], "env|NUL|nul"),
    ("process.env", ["NOEQUALS"], "env|NOEQUALS"),
    ("process.env", ["=novalue"], "env"),
    ("root.path", "root\0fs", "root|NUL|nul"),
    ("process.cwd", "/with\0nul", "cwd|NUL|nul"),
    ("hostname", "bad\0name", "hostname|NUL|nul"),
    ("mounts", [{}], "destination"),
    ("linux.maskedPaths", ["relative"], "maskedPaths|relative"),
    ("linux.readonlyPaths", ["relative"], "readonlyPaths|relative"),
    ("linux.uidMappings", [{"containerID": 0, "hostID": 0, "size": 1}], "uidMappings|user"),
    ("linux.intelRdt", {"closID": "../.."}, "closID|intelRdt|Rdt"),
    ("process.ioPriority", {"class": "NOPE"}, "ioPriority|NOPE"),
    ("process.scheduler", {"policy": "NOPE"}, "scheduler|NOPE"),
    ("linux.personality", {"domain": "NOPE"}, "personality|NOPE"),
    ("linux.memoryPolicy", {"mode": "NOPE"}, "memoryPolicy|NOPE"),
]


@pytest.mark.parametrize("place,value,words",
                         [*INVALID, *(brig_only(LATE, *row) for row in INVALID_FOR_BRIG)])
def test_invalid(runtime, bundle, place, value, words):
    if value is None:
        bundle.drop(place)
    else:
        bundle.set(place, value)
    refused(runtime, bundle, brig_text=words)


def test_names_are_case_sensitive(runtime, bundle):
    """An unknown property is ignored, so a misspelt one is missing."""
    bundle.set("Process", bundle.spec.pop("process"))
    if json.loads(runtime.ok("features").out).get("annotations", {}).get("org.opencontainers.runc.version"):
        return  # Go's decoder takes any case
    refused(runtime, bundle, text="process")


# ---- ids

@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/abs", "../up", "a b", "a\tb", "a\nb", "ünïcode", "a:b", "a@b",
                                  "a*", "$x", "a;b", "\x01"])
def test_impossible_id(runtime, bundle, name):
    bundle.write()
    before = sorted(os.listdir(runtime.folder))
    result = runtime.call("create", "--bundle", bundle.path, "--", name)
    assert result.code != 0 and result.err.strip()
    assert set(os.listdir(runtime.folder)) - set(before) <= {"state", "log.json", "call0.in", "call0.out", "call0.err"}


@pytest.mark.parametrize("length", [brig_only("runc 1.1.5 fails late, at the cgroup", 1025), 5000, 100000])
def test_long_id(runtime, bundle, length):
    bundle.write()
    result = runtime.call("create", "--bundle", bundle.path, "x" * length)
    assert result.code != 0 and result.err.strip()


@pytest.mark.parametrize("verb", ["start", "state", "kill", "delete", "exec", "pause", "resume", "ps", "events", "update"])
@pytest.mark.parametrize("name", ["..", "../bundle", "a/b"])
def test_impossible_id_of_every_verb(runtime, bundle, verb, name):
    """No path outside of the state root is looked at, least of all removed."""
    bundle.write()
    extra = {"exec": ["true"], "update": ["--pids-limit", "5"]}.get(verb, [])
    result = runtime.call(verb, name, *extra) if verb != "update" else runtime.call(verb, *extra, name)
    assert result.code != 0
    assert bundle.config.exists()


@pytest.mark.parametrize("name", ["..", "../bundle", ""])
def test_forced_delete_of_an_impossible_id_removes_nothing(runtime, bundle, name):
    bundle.write()
    runtime.call("delete", "--force", name)
    assert bundle.config.exists() and bundle.rootfs.exists()


# ---- bundles

@pytest.mark.parametrize("where,words", [
    ("/no/such/bundle", "no such file or directory"), ("/etc/passwd", "not a directory"), ("", ""),
])
def test_bad_bundle(runtime, workdir, where, words):
    result = runtime.call("create", "--bundle", where, "x", cwd=workdir)
    assert result.code != 0 and words in result.err


def test_bundle_without_config(runtime, bundle):
    result = refused(runtime, bundle, write=False)
    assert "config.json" in result.err


@pytest.mark.parametrize("make", ["folder", "fifo", "dangling", "loop", "unreadable-device"])
def test_odd_config_file(runtime, bundle, make):
    """A FIFO must not hang the runtime."""
    {"folder": lambda: bundle.config.mkdir(), "fifo": lambda: os.mkfifo(bundle.config),
     "dangling": lambda: bundle.config.symlink_to("nowhere"), "loop": lambda: bundle.config.symlink_to("config.json"),
     "unreadable-device": lambda: bundle.config.symlink_to("/dev/null")}[make]()
    if make == "fifo":
        writer = os.open(bundle.config, os.O_RDWR)
        os.write(writer, b"{")
        process = runtime.spawn("create", "--bundle", bundle.path, "fifo", stderr=subprocess.DEVNULL)
        wait_until(lambda: process.poll() is not None or _reads_the_fifo(process), "the runtime to end or to read")
        os.close(writer)
        assert process.wait(20) != 0
    else:
        refused(runtime, bundle, write=False)


def _reads_the_fifo(process):
    try:
        fds = [os.readlink(f"/proc/{process.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{process.pid}/fd")]
    except OSError:
        return False
    return any(target.endswith("config.json") for target in fds)


# ---- the state root

@pytest.mark.parametrize("make", ["file", "below-a-file", "read-only"])
def test_state_root_that_cannot_be_used(runtime, bundle, workdir, make):
    root = workdir / "root"
    bundle.args("true").write()
    if make == "read-only":
        root.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "t", root], check=True)
    else:
        root.write_text("")
    try:
        where = root / "below" if make == "below-a-file" else root
        result = runtime.call("run", "--bundle", bundle.path, "x", flags=["--root", where])
        assert result.code != 0 and result.err.strip()
    finally:
        if make == "read-only":
            subprocess.run(["umount", root], check=True)


@pytest.mark.parametrize("options", ["size=4k,nr_inodes=1", "size=4k,nr_inodes=2", "size=4k,nr_inodes=3"])
def test_full_state_root(runtime, bundle, workdir, options):
    """Half-made state is undone; nothing keeps running."""
    root = workdir / "full"
    root.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "t", root], check=True)
    try:
        if "nr_inodes=1" not in options:
            (root / "filler").write_bytes(b"x" * 4096)
        bundle.set("annotations", {f"key{number}": "x" * 100 for number in range(100)})
        bundle.args("/bin/probe", "sleep").write()
        result = runtime.call("create", "--bundle", bundle.path, "x", flags=["--root", root])
        assert result.code != 0
        assert "no space left" in result.err.lower()
        assert set(os.listdir(root)) <= {"filler"}
    finally:
        subprocess.run(["umount", root], check=True)


CORRUPT = {"empty": b"", "brace": b"{", "array": b"[]", "null": b"null", "text": b"not json", "zeros": bytes(4096),
           "object": b"{}", "types": b'{"id": 5, "pid": "x", "init_process_pid": "y", "bundle": [], "created": 1}'}


def state_files(runtime, container):
    """The JSON files of a container's state, whatever a runtime calls them."""
    folder = runtime.root / container.id
    found = []
    for path in folder.iterdir():
        if path.is_file() and path.stat().st_size and path.read_bytes()[:1] in b"{[":
            found.append(path)
    return found


@pytest.mark.parametrize("name", [brig_only("runc panics", name) if name == "null" else name for name in CORRUPT])
def test_corrupt_state(runtime, bundle, name):
    """Every verb says so in words, list goes on with the others, and forced delete removes it."""
    other = runtime.running(bundle)
    container = runtime.running(bundle)
    saved = {path: path.read_bytes() for path in state_files(runtime, container)}
    assert saved, "no state file was found"
    for path in saved:
        path.write_bytes(CORRUPT[name])
    for verb in ("state", "start", "kill", "pause", "ps"):
        result = runtime.call(verb, container.id)
        assert result.code in (0, 1) and (result.code == 0 or result.err.strip()), result
    listed = runtime.call("list", "--format", "json")
    assert listed.code == 0 and other.id in [entry["id"] for entry in listed.json()]
    for path, content in saved.items():
        path.write_bytes(content)
    container.delete("--force")


@brig_only("runc tells the position in the JSON, not the file")
@pytest.mark.parametrize("name", CORRUPT)
def test_forced_delete_of_corrupt_state(runtime, bundle, name):
    """Removes all of it, or says which file is broken: never half of it."""
    container = runtime.running(bundle)
    saved = {path: path.read_bytes() for path in state_files(runtime, container)}
    for path in saved:
        path.write_bytes(CORRUPT[name])
    result = runtime.call("delete", "--force", container.id)
    if result.code == 0:
        assert not (runtime.root / container.id).exists()
    else:
        assert any(path.name in result.err for path in saved), result
        for path, content in saved.items():
            path.write_bytes(content)


@brig_only("runc does not look at the start time alone")
def test_reused_pid_is_not_taken_for_the_container(runtime, bundle):
    """State that names a living process which is not the container's: never signalled."""
    container = runtime.running(bundle)
    pid = container.pid
    container.stop()
    bystander = subprocess.Popen(["sleep", "600"])
    try:
        for path in state_files(runtime, container):
            path.write_text(path.read_text().replace(str(pid), str(bystander.pid)))
        assert container.status == "stopped"
        container.delete("--force")
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


# ---- process.json and flags

@pytest.mark.parametrize("flags", [brig_only("runc takes -1 for none", ["--preserve-fds=-1"]),
                                   ["--preserve-fds", "many"], ["--preserve-fds", "1000000"]])
def test_bad_preserve_fds(runtime, bundle, flags):
    bundle.args("true")
    runtime.ids.append("x")
    assert runtime.call("create", *flags, "--bundle", bundle.write().path, "x").code != 0


@pytest.mark.parametrize("place,value", [
    ("args", []), ("args", "sh"), ("cwd", ""), ("cwd", "x"), ("user", 5), ("user", {"uid": -1}),
    ("user", {"uid": 4294967296}), ("env", "A=1"), ("capabilities", []), ("rlimits", [{"type": "RLIMIT_NOPE"}]),
    ("terminal", "no"), ("args", ["/no/such"]), ("args", None), ("cwd", None),
])
def test_bad_process_json(runtime, bundle, workdir, place, value):
    process = {"args": ["true"], "cwd": "/", "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0}}
    process[place] = value
    if value is None:
        del process[place]
    (workdir / "process.json").write_text(json.dumps(process))
    container = runtime.running(bundle)
    container.exec_fails(flags=["--process", workdir / "process.json"])
    assert container.status == "running"
    assert runtime.ok("ps", "--format", "json", container.id).json() == [container.pid]


@pytest.mark.parametrize("path,words", [
    ("/no/such/folder/pid", "no such file or directory"), ("/etc", "is a directory|file exists"),
    ("/proc/pid", "no such file or directory|permission denied|not permitted"),
])
def test_pid_file_that_cannot_be_written(runtime, bundle, path, words):
    """The container must not stay when its pid cannot be told."""
    bundle.args("/bin/probe", "sleep").write()
    runtime.fails("create", "--pid-file", path, "--bundle", bundle.path, "nopid", text=words)
    assert not (runtime.root / "nopid").exists()
