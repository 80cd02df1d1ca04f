"""Networks and shared namespaces through Docker."""
import subprocess

import pytest

from docker_client import IMAGE, wait_until


def namespace(docker, container, kind):
    return docker.ok("exec", container, "readlink", f"/proc/self/ns/{kind}")


def engine_namespace(docker, kind):
    import os
    return os.readlink(f"/proc/{docker.engine.containerd.pid}/ns/{kind}")


def test_network_none_has_loopback_alone(docker):
    words = docker.output(IMAGE, "sh", "-c", "ls /sys/class/net; ip route; cat /proc/net/route | wc -l")
    assert words.split() == ["lo", "1"]
    refused = docker.run(IMAGE, "sh", "-c", "nc -w 2 172.17.0.1 80")
    assert refused.returncode != 0 and "unreachable" in refused.stderr


def test_network_host_is_the_engine_s(docker):
    container = docker.detached(IMAGE, "sleep", "100", network="host")
    assert namespace(docker, container, "net") == engine_namespace(docker, "net")
    other = docker.detached(IMAGE, "sleep", "100")
    assert namespace(docker, other, "net") != engine_namespace(docker, "net")


def test_network_bridge_and_published_port(docker):
    container = docker.detached("--publish=127.0.0.1:18080:8080", IMAGE, "sh", "-c",
                                "while :; do echo ahoy | nc -l -p 8080; done", network="bridge")
    assert "eth0" in docker.ok("exec", container, "ls", "/sys/class/net")
    client = docker.engine.in_network("sh", "-c", "busybox nc -w 5 127.0.0.1 18080 < /dev/null")

    def answer():
        return subprocess.run(client, capture_output=True, text=True, timeout=20, check=False).stdout == "ahoy\n"

    wait_until(answer, "the published port to answer")


@pytest.mark.requires("iptables", "machine_kernel")  # user-mode Linux has not what the engine's name server wants of iptables
def test_containers_on_a_bridge_reach_each_other_by_name(docker):
    try:
        docker.ok("network", "create", "harbour")
        docker.detached("--name=server", IMAGE, "sh", "-c", "while :; do echo quay | nc -l -p 7000; done", network="harbour")
        script = "until nc -w 2 server 7000 < /dev/null; do sleep 0.1; done"
        assert docker.output(IMAGE, "timeout", "20", "sh", "-c", script, network="harbour") == "quay"
    finally:
        docker("rm", "-f", "server")
        docker.ok("network", "rm", "harbour")


def test_network_of_another_container(docker):
    first = docker.detached(IMAGE, "sh", "-c", "nc -l -p 9000 -e echo shared; sleep 100")
    assert docker.output(IMAGE, "timeout", "20", "sh", "-c", "until nc 127.0.0.1 9000; do sleep 0.1; done",
                         network=f"container:{first}") == "shared"


@pytest.mark.parametrize("option, kind", [("--pid=host", "pid"), ("--ipc=host", "ipc"), ("--uts=host", "uts"),
                                          ("--cgroupns=host", "cgroup")])
def test_namespace_of_the_host(docker, option, kind):
    container = docker.detached(option, IMAGE, "sleep", "100")
    assert namespace(docker, container, kind) == engine_namespace(docker, kind)


@pytest.mark.parametrize("options, kind", [([], "pid"), (["--ipc=private"], "ipc"), ([], "uts"),
                                           (["--cgroupns=private"], "cgroup"), ([], "mnt")])
def test_namespace_of_its_own(docker, options, kind):
    container = docker.detached(*options, IMAGE, "sleep", "100")
    assert namespace(docker, container, kind) != engine_namespace(docker, kind)


def test_private_cgroup_namespace_hides_the_way_up(docker):
    words = docker.output("--cgroupns=private", IMAGE, "cat", "/proc/self/cgroup")
    assert {line.split(":", 2)[2] for line in words.split("\n")} == {"/"}


@pytest.mark.parametrize("kind, first_options", [("pid", []), ("ipc", ["--ipc=shareable"])])
def test_namespace_of_another_container(docker, kind, first_options):
    first = docker.detached(*first_options, IMAGE, "sleep", "100")
    second = docker.detached(f"--{kind}=container:{first}", IMAGE, "sleep", "101")
    own = docker.ok("exec", second, "readlink", f"/proc/self/ns/{kind}")
    assert own == docker.ok("exec", first, "readlink", f"/proc/self/ns/{kind}")


def test_shared_pid_namespace_shows_the_other_processes(docker):
    first = docker.detached(IMAGE, "sleep", "4711")
    assert "sleep 4711" in docker.output(f"--pid=container:{first}", IMAGE, "ps", "-o", "args")
    assert "sleep 4711" not in docker.output(IMAGE, "ps", "-o", "args")


def test_shared_memory_size(docker):
    words = docker.output("--shm-size=2m", IMAGE, "df", "-k", "/dev/shm")
    assert words.split("\n")[-1].split()[1] == "2048"


def test_process_1_is_the_container_s(docker):
    assert docker.output(IMAGE, "cat", "/proc/1/comm") == "cat"
