"""Lengths that do not fit: CVE-2021-43784 put a string longer than 64 KiB into a message whose lengths had 16 bits, so that
its tail was read as further fields, and the container came up without its namespaces."""
import json
import os
import struct

import pytest

from brigtest import brig_only

ABOVE_16_BITS = 65536 + 100
NAMESPACES, PATH = 1, 2


def toy_message(fields):
    """The message as it was: type and length of 16 bits each; a length that does not fit is cut off."""
    return b"".join(struct.pack("<HH", kind, len(value) & 0xFFFF) + value for kind, value in fields)


def toy_fields(message):
    fields, position = {}, 0
    while position + 4 <= len(message):
        kind, length = struct.unpack_from("<HH", message, position)
        fields[kind] = message[position + 4:position + 4 + length]
        position += 4 + length
    return fields


def test_control_long_string_takes_the_namespaces():
    """The attack works against such a message: the tail of a path becomes the field of the namespaces."""
    namespaces = struct.pack("<I", 0x7E020000)
    forged = struct.pack("<HHI", NAMESPACES, 4, 0)
    path = b"/" * 8 + forged + b"A" * (65536 - len(forged))
    assert toy_fields(toy_message([(NAMESPACES, namespaces), (PATH, path)]))[NAMESPACES] == struct.pack("<I", 0)
    short = toy_fields(toy_message([(NAMESPACES, namespaces), (PATH, b"/short")]))
    assert short[NAMESPACES] == namespaces


def run(runtime, bundle):
    return runtime.call("run", "--bundle", bundle.write().path, runtime._prepare(bundle, None))


def isolation(result):
    """The namespaces of a container that did start are all its own; a refusal is right."""
    if result.code != 0:
        assert result.err.strip(), "refused without a word"
        return []
    inside = json.loads(result.out)["namespaces"]
    return [name for name in ("ipc", "mnt", "net", "pid", "uts") if inside[name] == os.stat(f"/proc/self/ns/{name}").st_ino]


def test_plain_isolation(runtime, attack_bundle):
    """The oracle of the next tests tells a shared namespace (the control) from an own one."""
    bundle = attack_bundle().args("/bin/probe", "namespaces")
    assert isolation(run(runtime, bundle)) == []
    assert isolation(run(runtime, bundle.namespace("ipc", remove=True))) == ["ipc"]


LONG = "A" * ABOVE_16_BITS
FORGED = "A" * 65528 + "\x01\x04\x02"


@pytest.mark.parametrize("place, value", [
    ("hostname", LONG), ("root.path", "/" + LONG), ("linux.cgroupsPath", "/" + LONG), ("process.cwd", "/" + LONG),
    ("linux.mountLabel", LONG), ("process.apparmorProfile", LONG), ("linux.maskedPaths", ["/" + LONG]),
    ("linux.readonlyPaths", ["/" + LONG]), ("linux.sysctl", {"kernel.msgmax": LONG}),
    ("annotations", {LONG: LONG}),
], ids=lambda value: value if isinstance(value, str) and len(value) < 40 else "")
def test_long_string(runtime, attack_bundle, place, value):
    bundle = attack_bundle().args("/bin/probe", "namespaces")
    assert isolation(run(runtime, bundle.set(place, value))) == []


@pytest.mark.parametrize("path", ["/" + LONG, "/" + "a/" * 40000, "/proc/self/ns/" + FORGED])
@pytest.mark.parametrize("kind", ["network", "pid", "ipc", "uts"])
def test_long_namespace_path(runtime, attack_bundle, kind, path):
    bundle = attack_bundle().args("/bin/probe", "namespaces")
    result = run(runtime, bundle.namespace(kind, path))
    assert result.code != 0, result


@pytest.mark.parametrize("field", ["destination", "source", "option"])
def test_long_mount(runtime, attack_bundle, field):
    bundle = attack_bundle().args("/bin/probe", "namespaces")
    bundle.mount("/" + LONG if field == "destination" else "/tmp", "tmpfs", LONG if field == "source" else "tmpfs",
                 ["mode=" + LONG] if field == "option" else [])
    assert isolation(run(runtime, bundle)) == []


def test_long_environment_arrives_whole(runtime, attack_bundle):
    """100 KiB in one variable and 3000 variables: what fits the kernel fits the runtime."""
    bundle = attack_bundle()
    bundle.process["env"] += ["LONG=" + "x" * 100000] + [f"VARIABLE_{number}={number}" for number in range(3000)]
    assert set(bundle.process["env"]) <= set(runtime.report(bundle, "env"))


def test_too_long_environment_is_an_error(runtime, attack_bundle):
    """A single string above the kernel's 128 KiB: E2BIG and words, not a cut string."""
    bundle = attack_bundle().args("/bin/probe", "env")
    bundle.process["env"].append("LONG=" + "x" * 140000)
    result = run(runtime, bundle)
    assert result.code != 0 and result.err.strip(), result


def test_long_list_is_in_force_to_its_end(runtime, attack_bundle):
    """A list of 100 KiB: its last entry masks like its first."""
    padding = [f"/no/such/{'x' * 200}/{number}" for number in range(500)]
    bundle = attack_bundle().set("linux.maskedPaths", ["/proc/version", *padding, "/proc/cpuinfo"])
    assert runtime.probe(bundle, "read", "/proc/version", "/proc/cpuinfo") == {"/proc/version": "", "/proc/cpuinfo": ""}
    free = runtime.probe(attack_bundle(), "read", "/proc/cpuinfo")["/proc/cpuinfo"]
    assert free


def test_many_groups_arrive_whole(runtime, attack_bundle):
    groups = list(range(1000, 61000))
    bundle = attack_bundle().set("process.user", {"uid": 0, "gid": 0, "additionalGids": groups})
    assert set(runtime.report(bundle, "ids")["groups"]) >= set(groups)


NUL = "\0"


@pytest.mark.parametrize("place, value", [
    ("root.path", f"rootfs{NUL}/../.."), ("process.cwd", f"/{NUL}/proc/self/fd/3"),
    brig_only("the kernel takes it, runc passes it", "hostname", f"here{NUL}there"),
    ("process.args", [f"/bin/probe{NUL}x", "ids"]), ("process.env", [f"PATH=/bin{NUL}LD_PRELOAD=/x"]),
    ("linux.maskedPaths", [f"/proc/version{NUL}x"]), ("linux.readonlyPaths", [f"/proc/sys{NUL}x"]),
    ("linux.cgroupsPath", f"/brig{NUL}/x"), ("linux.sysctl", {f"kernel.msgmax{NUL}x": "54321"}),
], ids=lambda value: value if isinstance(value, str) and NUL not in value else "")
def test_embedded_zero_byte(runtime, attack_bundle, place, value):
    """JSON can hold a zero byte, a path cannot: what is checked must not be another string than what is used."""
    bundle = attack_bundle().args("/bin/probe", "ids").set(place, value)
    result = run(runtime, bundle)
    assert result.code != 0 and result.err.strip(), result


@pytest.mark.parametrize("field", ["destination", "source", "options"])
def test_embedded_zero_byte_in_a_mount(runtime, attack_bundle, workdir, field):
    bundle = attack_bundle().args("/bin/probe", "ids").mount("/tmp", "bind", workdir, ["bind", "ro"])
    mount = bundle.spec["mounts"][-1]
    mount[field] = [f"ro{NUL}x", "bind"] if field == "options" else mount[field] + f"{NUL}x"
    assert run(runtime, bundle).code != 0


def id_map(count):
    return [{"containerID": number, "hostID": 100000 + 2 * number, "size": 1} for number in range(count)]


def user_namespace(attack_bundle, count):
    bundle = attack_bundle().namespace("user")
    bundle.spec["mounts"] = [mount for mount in bundle.spec["mounts"] if mount["type"] not in ("cgroup", "sysfs", "mqueue")]
    bundle.set("linux.uidMappings", id_map(count)).set("linux.gidMappings", id_map(count))
    os.chown(bundle.rootfs, 100000, 100000)
    return bundle


def test_long_id_map_arrives_whole(runtime, attack_bundle):
    """As many lines as fit the kernel's page, and every one of them as asked."""
    bundle = user_namespace(attack_bundle, 200)
    bundle.spec["mounts"] = [mount for mount in bundle.spec["mounts"] if mount["destination"] != "/dev/pts"]
    lines = [list(map(int, line.split())) for line in runtime.report(bundle, "uid_map").splitlines()]
    assert lines == [[number, 100000 + 2 * number, 1] for number in range(200)]


def test_too_long_id_map_is_an_error(runtime, attack_bundle):
    """More than 64 KiB of map: refused, and no container with another map, or with none."""
    bundle = user_namespace(attack_bundle, 6000).args("/bin/probe", "uid_map")
    result = run(runtime, bundle)
    assert result.code != 0 and result.err.strip(), result
