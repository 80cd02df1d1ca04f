"""The broker itself: what it may do, what happens without it, its limits; and what the namespace gives."""
import contextlib
import os
import signal
import subprocess
import time

import pytest

from brigtest import wait_until
from egress_world import HERE


def status_of(pid):
    with open(f"/proc/{pid}/status") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


LOOP = """
import sys, socket
sys.path.insert(0, %r)
import client
for line in sys.stdin:
    try:
        print(client.http("pypi.org", 80, "pypi.org").splitlines()[0], flush=True)
    except OSError as error:
        print(type(error).__name__, flush=True)
    try:
        print(bool(client.http("93.184.216.34", 80, "pypi.org")), flush=True)
    except OSError as error:
        print(type(error).__name__, flush=True)
""" % str(HERE)


def ask(running):
    running.stdin.write("\n")
    running.stdin.flush()
    return [running.stdout.readline().strip() for _ in range(2)]


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP])
def test_without_the_broker_there_is_no_network(sandboxes, end):
    running = sandboxes.start("/usr/bin/python3", "-c", LOOP, allow=["pypi.org"], env={"PATIENCE": "5"})
    assert ask(running) == ["HTTP/1.1 200 OK", "True"]
    pid = running.broker_pid()
    os.kill(pid, end)
    if end == signal.SIGSTOP:
        assert ask(running) == ["gaierror", "TimeoutError"]  # nothing falls open while it hangs
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not os.path.exists(f"/proc/{pid}") or status_of(pid)["State"][0] == "Z", "the end of the broker")
    assert ask(running) == ["gaierror", "ConnectionRefusedError"]


def test_the_broker_dies_with_its_parent(sandboxes):
    running = sandboxes.start("/usr/bin/python3", "-c", LOOP, allow=["pypi.org"])
    assert ask(running)[0] == "HTTP/1.1 200 OK"
    pid = running.broker_pid()
    running.kill()
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "the end of the broker")


def test_confinement(sandboxes):
    running = sandboxes.start("/usr/bin/python3", "-c", LOOP, allow=["pypi.org"])
    assert ask(running)[0] == "HTTP/1.1 200 OK"
    pid = running.broker_pid()
    status = status_of(pid)
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"], status["Groups"].strip()) == ("1", "2", "")
    assert status["Uid"].split() == ["65534"] * 4 and status["Gid"].split() == ["65534"] * 4
    kinds = {os.readlink(f"/proc/{pid}/fd/{name}").partition(":")[0] for name in os.listdir(f"/proc/{pid}/fd")}
    assert kinds <= {"socket", "pipe", "anon_inode", "/dev/null"}
    assert os.stat(f"/proc/{pid}/ns/net").st_ino == os.stat(f"/proc/{sandboxes._world.host.pid}/ns/net").st_ino
    limits = open(f"/proc/{pid}/limits").read()
    assert "Max core file size        0 " in limits
    # What the filter is against ends it: nothing that a taken-over broker would call goes through.
    filters = subprocess.run(["grep", "Seccomp_filters", f"/proc/{pid}/status"], capture_output=True, text=True).stdout
    assert filters.split()[1] == "1"


def test_a_thousand_connections_at_once(sandboxes):
    outcome = sandboxes.client("crowd", "pypi.org", 80, "pypi.org", 1000, allow=["pypi.org"])
    assert outcome.answer["got"] == 1000
    assert len([line for line in outcome.audit if line["protocol"] == "http" and line["verdict"] == "allowed"]) == 1000


def test_more_connections_than_allowed(sandboxes):
    outcome = sandboxes.client("crowd", "pypi.org", 80, "pypi.org", 30, allow=["pypi.org"], limits={"connections": 20})
    assert outcome.answer["error"] in ("ConnectionResetError", "BrokenPipeError")
    assert outcome.reasons(verdict="refused").count("connection_limit") == 10


def test_slow_clients_are_ended(sandboxes):
    outcome = sandboxes.client("slow", "pypi.org", 80, 60, allow=["pypi.org"], limits={"head": 1000})
    assert outcome.answer["got"] < 60 and outcome.reasons(verdict="refused") == ["head_timed_out"]


def test_slow_clients_do_not_keep_others_out(sandboxes):
    program = f"""
import sys, socket
sys.path.insert(0, {str(HERE)!r})
import client
address = socket.gethostbyname("pypi.org")
slow = [client.connect(address, 443) for _ in range(300)]
for connection in slow: connection.send(b"\\x16\\x03")
print(client.http("pypi.org", 80, "pypi.org").splitlines()[0])
"""
    assert sandboxes.run("/usr/bin/python3", "-c", program, allow=["pypi.org"]).out == "HTTP/1.1 200 OK\n"


def test_idle_connections_are_ended(sandboxes):
    outcome = sandboxes.client("raw", "git.example", 22, "", allow=["git.example:22/tcp"], limits={"idle": 500})
    assert outcome.reasons(protocol="tcp") == ["idle"]


def test_a_server_that_does_not_answer(sandboxes):
    outcome = sandboxes.client("http", "dark.example", 80, "dark.example", allow=["dark.example"], limits={"connect": 1000})
    assert "502" in outcome.answer["got"] and outcome.reasons(verdict="failed", protocol="http")[-1].startswith("server_")


def test_a_limit_of_bytes(sandboxes):
    words = ("raw", "pypi.org", 80, r"GET /bytes/3000000 HTTP/1.1\r\nHost: pypi.org\r\n\r\n")
    outcome = sandboxes.client(*words, allow=["pypi.org"], limits={"bytes": 1_000_000})
    assert not outcome.answer["got"] and "byte_limit" in outcome.reasons(verdict="refused")
    assert next(line for line in outcome.audit if line["protocol"] == "http")["bytes_in"] <= 1_000_000
    assert len(sandboxes.client(*words, allow=["pypi.org"], limits={"bytes": 4_000_000}).answer["got"]) > 3_000_000


def test_a_rate_of_bytes(sandboxes):
    def seconds(limits):
        outcome = sandboxes.client("raw", "pypi.org", 80, r"GET /bytes/3000000 HTTP/1.1\r\nHost: pypi.org\r\n\r\n", allow=["pypi.org"],
                                   limits=limits)
        assert len(outcome.answer["got"]) > 3_000_000
        return next(line["duration"] for line in outcome.audit if line["protocol"] == "http")

    assert seconds({"bytes_per_second": 1_000_000}) > 2.5
    assert any(seconds({}) < 2.5 for _ in range(3))


def test_a_rate_of_queries(sandboxes):
    program = """
import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(("127.0.0.1", 53)); s.settimeout(1)
message = struct.pack("!HHHHHH", 1, 256, 1, 0, 0, 0) + b"\\x04evil\\x07example\\0" + struct.pack("!HH", 1, 1)
for _ in range(150): s.send(message)
answers = 0
try:
    while s.recv(1000): answers += 1
except OSError: print(answers)
"""
    outcome = sandboxes.run("/usr/bin/python3", "-c", program, allow=["pypi.org"], limits={"queries_per_second": 10})
    assert 20 <= int(outcome.out) <= 60
    assert "query_rate" in outcome.reasons()
    assert int(sandboxes.run("/usr/bin/python3", "-c", program, allow=["pypi.org"]).out) == 150


@contextlib.contextmanager
def audit_unread(running):
    """Who reads the broker's audit stands still; the program, which has said "on", goes on."""
    assert running.stdout.readline() == "on\n"
    parent = int(status_of(running.broker_pid())["PPid"])
    os.kill(parent, signal.SIGSTOP)
    try:
        running.stdin.write("\n")
        running.stdin.flush()
        yield
    finally:
        os.kill(parent, signal.SIGCONT)


def test_what_the_broker_has_not_told_yet_is_told_at_the_end(sandboxes):
    """More than a pipe holds, and nobody reads before the program has ended."""
    program = """
import socket, sys
print("on", flush=True)
sys.stdin.readline()
for number in range(800):
    with socket.socket() as c:
        c.settimeout(20)
        try:
            c.connect(("66.66.66.66", 80)); c.recv(1)
        except OSError: pass
print("done", flush=True)
"""
    running = sandboxes.start("/usr/bin/python3", "-c", program, allow=["pypi.org"], limits={"connections_per_second": 100000})
    with audit_unread(running):
        assert running.stdout.readline() == "done\n"
        time.sleep(0.2)  # until the program has ended: then its end is seen first
    outcome = running.finish()
    assert len(outcome.reasons(address="66.66.66.66")) == 800


def test_an_audit_that_nobody_reads_stops_the_sandbox(sandboxes):
    """What cannot be reported is not let through."""
    program = """
import socket, sys
print("on", flush=True)
sys.stdin.readline()
for number in range(6000):
    with socket.socket() as c:
        c.settimeout(2)
        try:
            c.connect(("66.66.66.66", 80)); c.recv(1)
        except TimeoutError:
            print("waits", flush=True); break
        except OSError: pass
else:
    print("went on")
"""
    running = sandboxes.start("/usr/bin/python3", "-c", program, allow=["pypi.org"], limits={"connections_per_second": 100000})
    with audit_unread(running):
        assert running.stdout.readline() == "waits\n"
    outcome = running.finish()
    assert len(outcome.reasons(reason="address_not_handed_out")) > 500


# ---- the namespace -------------------------------------------------------------------------------------------------------

def test_udp_other_than_names_is_refused(sandboxes):
    for target in ("pypi.org", "93.184.216.34", "2606:4700::34", "8.8.8.8"):
        outcome = sandboxes.client("datagram", target, 443, allow=["pypi.org"])
        assert outcome.answer["error"] == "ConnectionRefusedError"


def test_echo_requests_get_no_answer(sandboxes):
    control = sandboxes.uncontrolled("echo_request", "93.184.216.34")
    assert control.answer["got"]
    outcome = sandboxes.client("echo_request", "93.184.216.34", allow=["pypi.org"], flags=["--weak"])
    assert outcome.answer["error"] == "TimeoutError"


@pytest.mark.parametrize("words", [("packet", "raw", 0x0300), ("inet", "raw", 255)])
def test_raw_and_packet_sockets_need_capabilities(sandboxes, words):
    assert sandboxes.client("open_socket", *words, allow=["pypi.org"]).answer["error"] == "PermissionError"
    assert sandboxes.client("open_socket", *words, allow=["pypi.org"], flags=["--weak"]).answer["got"]


def test_even_with_capabilities_there_is_no_way_out(sandboxes):
    """A program that may change routes and send raw packets has a namespace that leads nowhere."""
    script = "ip route flush table local; ip route add default dev lo; ip link add v type veth peer name w; ip link set v up; " \
             "exec /usr/bin/python3 $0 http 66.66.66.66 80 pypi.org"
    outcome = sandboxes.run("sh", "-c", script, str(HERE / "client.py"), allow=["pypi.org"], flags=["--weak"],
                            env={"PATIENCE": "5"})
    assert '"got": null' in outcome.out and not outcome.requests("connection")


def test_abstract_sockets_of_the_host(sandboxes):
    """They belong to a network namespace."""
    name = f"brig-egress-{os.getpid()}"
    server = sandboxes._world.host.start(
        "/usr/bin/python3", "-c", "import socket\ns=socket.socket(socket.AF_UNIX); s.bind('\\0%s'); s.listen(); print('on', flush=True)\n"
        "while True:\n    c, _ = s.accept(); c.send(b'secret'); c.close()" % name, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout.readline() == "on\n"
        assert sandboxes.uncontrolled("abstract", name).answer["got"] == "secret"
        assert sandboxes.client("abstract", name, allow=["pypi.org"]).answer["error"] == "ConnectionRefusedError"
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


def test_a_namespace_with_an_interface_is_not_taken(sandboxes):
    """It would have a way around the broker."""
    outcome = sandboxes.run("true", allow=["pypi.org"], flags=["--before", "ip link add extra type veth peer name other && ip link set extra up"])
    assert outcome.code == 125 and "an interface besides lo" in outcome.err


ORDINARY = ("setpriv", "--reuid=12345", "--regid=12345", "--clear-groups")


@pytest.mark.parametrize("prefix", [(), ORDINARY])
def test_in_a_user_namespace_and_by_an_ordinary_user(sandboxes, workdir, prefix):
    workdir.chmod(0o777)
    outcome = sandboxes.client("tls", "pypi.org", 443, "pypi.org", allow=["pypi.org"], flags=["--user-namespace"], prefix=prefix)
    assert "hello from pypi.org" in outcome.answer["got"]
    for words in (("http", "66.66.66.66", 80, "pypi.org"), ("tls", "shop.example", 443, "shop.example")):
        outcome = sandboxes.client(*words, allow=["pypi.org"], flags=["--user-namespace"], prefix=prefix)
        assert not outcome.answer["got"] and not outcome.requests("connection")


def test_own_servers_of_the_sandbox_work(sandboxes):
    program = """
import socket
s = socket.create_server(("127.0.0.1", 9000))
c = socket.create_connection(("localhost", 9000), timeout=5)
d, _ = s.accept(); d.send(b"mine"); print(c.recv(10).decode())
"""
    assert sandboxes.run("/usr/bin/python3", "-c", program, allow=["pypi.org"]).out == "mine\n"


