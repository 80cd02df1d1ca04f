"""linux.netDevices: interfaces that move into the container, in a network namespace that stands for the host's."""
import json
import subprocess

import pytest

from brigtest import brig_only, wait_until

pytestmark = brig_only("runc has it from 1.4 on")


class Network:
    """A network namespace, held by a process."""

    def __init__(self):
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "600"])
        wait_until(lambda: open(f"/proc/{self.holder.pid}/comm").read() == "sleep\n", "the namespace")
        self.path = f"/proc/{self.holder.pid}/ns/net"

    @property
    def prefix(self):
        return ["nsenter", f"--net={self.path}"]

    def ip(self, *words):
        done = subprocess.run([*self.prefix, "ip", "-j", *words], check=True, capture_output=True, text=True)
        return json.loads(done.stdout) if done.stdout.strip() else None

    def interface(self, name):
        return next((entry for entry in self.ip("addr") if entry.get("ifname") == name), None)

    def names(self):
        return {entry["ifname"] for entry in self.ip("link") if entry} - {"lo", "ifb0", "ifb1"}

    def close(self):
        self.holder.kill()
        self.holder.wait()


@pytest.fixture
def make_network():
    networks = []

    def make():
        networks.append(Network())
        return networks[-1]

    yield make
    for network in networks:
        network.close()


@pytest.fixture
def host(make_network):
    network = make_network()
    network.ip("link", "add", "data0", "mtu", "1400", "type", "veth", "peer", "name", "far0")
    network.ip("link", "set", "far0", "up")
    return network


def inside(host, container):
    """The container's network as the tests see one."""
    network = Network.__new__(Network)
    network.path = f"/proc/{container.pid}/ns/net"
    return network


def devices(bundle, **names):
    bundle.set("linux.netDevices", {host: {"name": name} if name else {} for host, name in names.items()})
    return bundle


def facts_of(entry):
    """What must not change on the way; labels follow a rename, and an address is tried anew."""
    addresses = [{key: value for key, value in address.items() if key not in ("label", "tentative")}
                 for address in entry["addr_info"] if address["scope"] == "global" and "dynamic" not in address]
    return {"mtu": entry["mtu"], "address": entry["address"], "addr_info": addresses}


def test_interface_moves_with_its_addresses(runtime, bundle, host):
    for words in (["192.0.2.1/24", "label", "data0:web"], ["192.0.2.2/24"], ["198.51.100.1", "peer", "198.51.100.9/32"],
                  ["2001:db8::1/64", "nodad"], ["203.0.113.1/25", "noprefixroute", "metric", "77"]):
        host.ip("addr", "add", *words, "dev", "data0")
    host.ip("link", "set", "data0", "up")
    before = host.interface("data0")
    container = runtime.running(devices(bundle, data0="eth7"), prefix=host.prefix)
    after = inside(host, container).interface("eth7")
    assert facts_of(after) == facts_of(before)
    assert len(facts_of(after)["addr_info"]) == 5
    assert "UP" in after["flags"]
    assert [address["label"] for address in after["addr_info"] if address["local"] == "192.0.2.1"] == ["eth7:web"]
    assert host.names() == {"far0"}


def test_only_permanent_global_addresses_move(runtime, bundle, host):
    for words in (["192.0.2.1/24", "valid_lft", "1000", "preferred_lft", "500"], ["169.254.1.1/16", "scope", "link"],
                  ["2001:db8::9/64", "valid_lft", "1000", "preferred_lft", "500"],
                  ["2001:db8::8/64", "nodad", "valid_lft", "forever", "preferred_lft", "900"]):
        host.ip("addr", "add", *words, "dev", "data0")
    container = runtime.running(devices(bundle, data0="eth0"), prefix=host.prefix)
    found = inside(host, container).interface("eth0")["addr_info"]
    kept = {address["local"]: address for address in found if address["scope"] == "global"}
    assert list(kept) == ["2001:db8::8"]
    assert 0 < kept["2001:db8::8"]["preferred_life_time"] <= 900
    assert "169.254.1.1" not in [address["local"] for address in found]


def test_interface_keeps_its_name(runtime, bundle, host):
    container = runtime.running(devices(bundle, data0=""), prefix=host.prefix)
    assert inside(host, container).names() == {"data0"}


def test_several_interfaces(runtime, bundle, host):
    for number in range(3):
        host.ip("link", "add", f"extra{number}", "type", "veth", "peer", "name", f"distant{number}")
    devices(bundle, data0="eth%d", extra0="eth%d", extra1="", extra2="lan")
    container = runtime.running(bundle, prefix=host.prefix)
    assert inside(host, container).names() == {"eth0", "eth1", "extra1", "lan"}


def test_interface_in_a_user_namespace(runtime, bundle, host):
    host.ip("addr", "add", "192.0.2.1/24", "dev", "data0")
    bundle.in_user_namespace()
    subprocess.run(["chown", "-R", "100000:100000", bundle.rootfs], check=True)
    container = runtime.running(devices(bundle, data0="eth0"), prefix=host.prefix)
    assert inside(host, container).interface("eth0")["addr_info"][0]["local"] == "192.0.2.1"


def test_interface_in_a_joined_namespace(runtime, bundle, host, make_network):
    """A template is numbered around what is there; an index that is taken there changes."""
    there = make_network()
    index = host.interface("data0")["ifindex"]
    there.ip("link", "add", "eth0", "index", str(index), "type", "veth", "peer", "name", "eth0far")
    bundle.namespace("network", path=there.path)
    host.ip("addr", "add", "192.0.2.1/24", "dev", "data0")
    runtime.running(devices(bundle, data0="eth%d"), prefix=host.prefix)
    assert there.names() == {"eth0", "eth0far", "eth1"}
    assert there.interface("eth1")["addr_info"][0]["local"] == "192.0.2.1"
    assert there.interface("eth1")["ifindex"] != index


def test_hooks_and_sysctls_find_the_interface(runtime, bundle, host, workdir):
    """CNI plug-ins work in createRuntime; sysctls of an interface need the interface."""
    hook = workdir / "hook"
    hook.write_text("#!/bin/sh\npid=$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/')\n"
                    f"nsenter --net=/proc/$pid/ns/net ip -o link > {workdir}/seen\n")
    hook.chmod(0o755)
    bundle.set("hooks", {"createRuntime": [{"path": str(hook), "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]}]})
    bundle.set("linux.sysctl", {"net.ipv4.conf.eth7.forwarding": "1"})
    container = runtime.running(devices(bundle, data0="eth7"), prefix=host.prefix)
    assert "eth7" in (workdir / "seen").read_text()
    assert container.exec("cat", "/proc/sys/net/ipv4/conf/eth7/forwarding").out == "1\n"


def test_plan_shows_interfaces(runtime, bundle, host):
    devices(bundle, data0="eth7").write()
    plan = runtime.ok("plan", "--format", "json", "--bundle", bundle.path, prefix=host.prefix).json()
    assert plan["netDevices"] == [{"host": "data0", "name": "eth7"}]


@pytest.mark.parametrize("names,words", [
    ({"absent0": "eth0"}, r'linux.netDevices\["absent0"\]: the host has no such network interface \(`ip link`'),
    ({"lo": "eth0"}, r'linux.netDevices\["lo"\]: .*invalid argument'),
    ({"data0": "lo"}, r'linux.netDevices\["data0"\]: .* an interface with the name "lo" already \(.*template'),
])
def test_interface_that_cannot_move(runtime, bundle, host, names, words):
    runtime.create_fails(devices(bundle, **names), prefix=host.prefix, text=words)
    assert host.names() == {"data0", "far0"}


@pytest.mark.parametrize("names,words", [
    ({"eth/0": ""}, r'"eth/0" .* is not the name of a network interface'),
    ({"eth%d": ""}, r'"eth%d" .* is not the name of a network interface'),
    ({"data0": "eth%s"}, r'"eth%s" is not the name of a network interface'),
    ({"data0": "eth%d%d"}, r'"eth%d%d" is not the name of a network interface'),
    ({"data0": "sixteencharacter"}, r"is not the name of a network interface .*at most 15"),
    ({"data0": "same", "data1": "same"}, r'gives two interfaces the name "same"'),
])
def test_bad_names(runtime, bundle, names, words):
    runtime.create_fails(devices(bundle, **names), text=words)


def test_interface_needs_a_network_namespace(runtime, bundle):
    bundle.namespace("network", remove=True)
    runtime.create_fails(devices(bundle, data0=""), text=r'netDevices without a network namespace .*add \{"type": "network"\}')


def test_interface_needs_privilege(runtime, bundle):
    """Checked before anything is made."""
    devices(bundle, data0="").write()
    runtime.fails("plan", "--bundle", bundle.path, prefix=["unshare", "--user", "--map-root-user"],
                  text=r"linux.netDevices needs CAP_NET_ADMIN on the host \(run brig as root")


def test_failed_create_gives_interfaces_back(runtime, bundle, host):
    """With name, addresses and state; the namespace that they had moved to is gone with the container."""
    host.ip("addr", "add", "192.0.2.1/24", "dev", "data0")
    host.ip("addr", "add", "2001:db8::1/64", "nodad", "dev", "data0")
    host.ip("link", "set", "data0", "up")
    before = host.interface("data0")
    bundle.set("hooks", {"createRuntime": [{"path": "/bin/false"}]})
    runtime.create_fails(devices(bundle, data0="eth7"), prefix=host.prefix, text="createRuntime")
    after = host.interface("data0")
    assert facts_of(after) == facts_of(before) and "UP" in after["flags"]


def test_second_interface_that_fails_gives_the_first_back(runtime, bundle, host):
    host.ip("addr", "add", "192.0.2.1/24", "dev", "data0")
    before = host.interface("data0")
    runtime.create_fails(devices(bundle, data0="eth7", zzz="eth8"), prefix=host.prefix, text=r'netDevices\["zzz"\]')
    assert facts_of(host.interface("data0")) == facts_of(before)


