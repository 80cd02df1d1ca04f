"""What a connection says itself: TLS server names, Host headers, and tricks with both."""
import pytest

from egress_world import HERE


def test_tls_to_an_allowed_name(sandboxes):
    outcome = sandboxes.client("tls", "pypi.org", 443, "pypi.org", allow=["pypi.org"])
    assert "hello from pypi.org" in outcome.answer["got"]
    line = next(line for line in outcome.audit if line["protocol"] == "tls")
    assert (line["name"], line["verdict"], line["port"]) == ("pypi.org", "allowed", 443)


ATTACKS = {  # words of client.py, what the audit says
    "another server name on a shared address": (("tls", "shop.example", 443, "evil.example"), "name_not_listed"),
    "another Host on a shared address": (("http", "shop.example", 80, "evil.example"), "name_not_listed"),
    "an allowed server name on the address of another": (("tls", "git.example", 443, "shop.example"), "name_of_other_address"),
    "an allowed Host on the address of another": (("http", "git.example", 80, "shop.example"), "name_of_other_address"),
    "no server name": (("tls", "shop.example", 443, "", "evil.example"), "tls_without_server_name"),
    "a Host that is an address": (("http", "shop.example", 80, "104.18.0.1"), "http_broken_host"),
    "an absolute target": (("raw", "shop.example", 80, r"GET http://evil.example/ HTTP/1.1\r\nHost: shop.example\r\n"
                            r"Connection: close\r\n\r\n"), "http_two_hosts"),
    "two Hosts": (("raw", "shop.example", 80, r"GET / HTTP/1.1\r\nHost: shop.example\r\nHost: evil.example\r\n"
                   r"Connection: close\r\n\r\n"), "http_several_hosts"),
    "a space before the colon": (("raw", "shop.example", 80, r"GET / HTTP/1.1\r\nHost : evil.example\r\nConnection: close\r\n\r\n"),
                                 "http_broken_field"),
    "bare line feeds": (("raw", "shop.example", 80, r"GET / HTTP/1.1\nHost: evil.example\nConnection: close\n\n\r\n\r\n"),
                        "http_control_character"),
    "an empty line first": (("raw", "shop.example", 80, r"\r\nGET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"),
                            "unknown_protocol"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_names_that_do_not_match(sandboxes, name):
    words, reason = ATTACKS[name]
    outcome = sandboxes.client(*words, allow=["shop.example", "git.example"])
    assert "hello from" not in (outcome.answer["got"] or "")
    assert outcome.reasons(verdict="refused")[-1] == reason
    assert not outcome.requests("request")


@pytest.mark.parametrize("name", [name for name in ATTACKS if "space" not in name and "empty" not in name and "line feeds" not in name])
def test_without_the_broker_they_arrive(sandboxes, name):
    assert "HTTP/1.1 " in sandboxes.uncontrolled(*ATTACKS[name][0]).answer["got"]


def test_a_client_learns_why(sandboxes):
    outcome = sandboxes.client("http", "shop.example", 80, "evil.example", allow=["shop.example"])
    assert "403 Forbidden" in outcome.answer["got"] and "name_not_listed" in outcome.answer["got"]
    outcome = sandboxes.client("tls", "shop.example", 443, "evil.example", allow=["shop.example"])
    assert "UNRECOGNIZED_NAME" in outcome.answer["message"].upper()


@pytest.mark.parametrize("how", ["segments", "records"])
@pytest.mark.parametrize("name, arrives", [("shop.example", True), ("evil.example", False)])
def test_fragmented_hello(sandboxes, how, name, arrives):
    outcome = sandboxes.client("fragmented_hello", "shop.example", name, how, allow=["shop.example"])
    assert bool(outcome.reasons(verdict="allowed", protocol="tls")) == arrives
    assert bool(outcome.requests("connection")) is False  # the handshake was not finished
    assert (outcome.answer["got"] == 22) == arrives, outcome.answer
    assert sandboxes.uncontrolled("fragmented_hello", "shop.example", "evil.example", how).answer["got"] == 22


def test_a_second_hello_with_another_name(sandboxes):
    outcome = sandboxes.client("two_hellos", "shop.example", "shop.example", "evil.example", allow=["shop.example"])
    assert outcome.reasons(verdict="refused", protocol="tls") == ["tls_second_server_name"]


def test_encrypted_hello(sandboxes):
    words = ("encrypted_hello", "shop.example", "shop.example")
    outcome = sandboxes.client(*words, allow=["shop.example"])
    assert outcome.answer["got"] == 21 and outcome.reasons(verdict="refused") == ["tls_encrypted_hello"]
    assert sandboxes.client(*words, allow=["shop.example"], flags=["--encrypted-hello"]).answer["got"] == 22


def test_smuggled_requests_do_not_arrive(sandboxes):
    second = r"GET /second HTTP/1.1\r\nHost: evil.example\r\n\r\n"
    attacks = {
        "pipelined": r"GET /first HTTP/1.1\r\nHost: shop.example\r\n\r\n" + second,
        "behind a body": r"POST /first HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 2\r\n\r\nab" + second,
        "behind chunks": r"POST /first HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n" + second,
    }
    for name, text in attacks.items():
        outcome = sandboxes.client("raw", "shop.example", 80, text, allow=["shop.example"])
        assert [line["path"] for line in outcome.requests()] == ["/first"], name
        assert outcome.requests()[0]["headers"]["connection"] == "close"
        control = sandboxes.uncontrolled("raw", "shop.example", 80, text.replace(r"evil.example\r\n", r"evil.example\r\nConnection: close\r\n"))
        assert [line["host"] for line in control.requests()] == ["shop.example", "evil.example"], name


def test_a_flood_behind_a_request_keeps_nobody_out(sandboxes):
    program = f"""
import socket, sys, threading
sys.path.insert(0, {str(HERE)!r})
import client
flood = client.connect("shop.example", 80)
flood.sendall(b"GET /bytes/1 HTTP/1.1\\r\\nHost: shop.example\\r\\n\\r\\n")
def pour():
    try:
        while True: flood.sendall(b"x" * 100000)
    except OSError: pass
threading.Thread(target=pour, daemon=True).start()
print(client.http("shop.example", 80, "shop.example").splitlines()[0])
"""
    outcome = sandboxes.run("/usr/bin/python3", "-c", program, allow=["shop.example"])
    assert outcome.out == "HTTP/1.1 200 OK\n", outcome.err
    assert {line["path"] for line in outcome.requests()} == {"/bytes/1", "/"}


@pytest.mark.parametrize("fields", [
    r"Content-Length: 60\r\nTransfer-Encoding: chunked", r"Content-Length: 0\r\nContent-Length: 60", r"Transfer-Encoding: xchunked",
    r"Transfer-Encoding: chunked, identity", r"Content-Length: +1", r"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    r"Content_Length: 60",
])
def test_bodies_that_servers_read_differently(sandboxes, fields):
    text = rf"POST / HTTP/1.1\r\nHost: shop.example\r\n{fields}\r\n\r\n0\r\n\r\nGET /second HTTP/1.1\r\nHost: evil.example\r\n\r\n"
    outcome = sandboxes.client("raw", "shop.example", 80, text, allow=["shop.example"])
    assert outcome.reasons(verdict="refused") == ["http_ambiguous_body"] and not outcome.requests()


@pytest.mark.parametrize("how", ["length", "chunked"])
def test_bodies_arrive_whole(sandboxes, how):
    outcome = sandboxes.client("post", "shop.example", 80, "shop.example", 300_000, how, allow=["shop.example"])
    assert outcome.answer["got"] == 300_000
    assert outcome.requests("request", method="POST")[0]["body"] == 300_000


def test_an_unknown_protocol_needs_a_rule_of_its_own(sandboxes):
    words = ("listen_first", "git.example", 22)
    outcome = sandboxes.client(*words, allow=["git.example:22"], limits={"head": 500})
    assert not outcome.answer["got"] and outcome.reasons(verdict="refused") == ["head_timed_out"]
    outcome = sandboxes.client(*words, allow=["git.example:22/tcp"])
    assert outcome.answer["got"] == "banner of the server\r\necho hello\n"
    line = next(line for line in outcome.audit if line["protocol"] == "tcp")
    assert (line["name"], line["port"], line["verdict"]) == ("git.example", 22, "allowed")


def test_any_protocol_still_needs_the_names_address(sandboxes):
    outcome = sandboxes.client("listen_first", "66.66.66.66", 22, allow=["git.example:22/tcp"])
    assert not outcome.answer["got"] and outcome.reasons() == ["address_not_handed_out"]
    assert sandboxes.uncontrolled("listen_first", "66.66.66.66", 22).answer["got"]


# ---- the proxy -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", ["connect", "socks"])
def test_proxy(sandboxes, kind):
    for then, port in (("tls:pypi.org", 443), ("http:pypi.org", 80)):
        outcome = sandboxes.client("proxy", kind, 3128, "pypi.org", port, then, allow=["pypi.org"])
        assert "hello from pypi.org" in outcome.answer["got"]
        assert next(line for line in outcome.audit if line["verdict"] == "allowed")["via"] == kind
    outcome = sandboxes.client("proxy", kind, 3128, "git.example", 22, "raw", allow=["git.example:22/tcp"])
    assert outcome.answer["got"] == "banner of the server\r\necho hello\n"


def test_proxy_in_clear(sandboxes):
    outcome = sandboxes.client("proxy", "absolute", 3128, "pypi.org", 80, "", allow=["pypi.org"])
    assert "hello from pypi.org" in outcome.answer["got"]
    assert outcome.requests()[0]["path"] == "/"


@pytest.mark.parametrize("kind, host, port, then, reason", [
    ("connect", "evil.example", 443, "tls:evil.example", "name_not_listed"),
    ("connect", "shop.example", 443, "tls:evil.example", "name_not_listed"),
    ("connect", "shop.example", 443, "tls:git.example", "name_of_other_address"),
    ("connect", "shop.example", 80, "http:evil.example", "name_not_listed"),
    ("connect", "shop.example", 22, "raw", "port_not_listed"),
    ("connect", "66.66.66.66", 443, "tls:shop.example", "address_not_handed_out"),
    ("connect", "loopback.example", 80, "http:loopback.example", "address_loopback"),
    ("connect", "host.example", 80, "http:host.example", "address_of_host"),
    ("socks", "evil.example", 443, "tls:evil.example", "name_not_listed"),
    ("socks", "shop.example", 443, "tls:evil.example", "name_not_listed"),
    ("socks", "metadata.example", 80, "http:metadata.example", "address_link_local"),
    ("socks4bytes", "66.66.66.66", 80, "http:shop.example", "address_not_handed_out"),
    ("absolute", "evil.example", 80, "", "name_not_listed"),
    ("absolute", "shop.example", 80, "evil.example", "http_two_hosts"),
    ("absolute", "private.example", 80, "", "address_private"),
])
def test_the_proxy_refuses_the_same(sandboxes, kind, host, port, then, reason):
    allow = ["shop.example", "git.example", "loopback.example", "host.example", "metadata.example", "private.example"]
    outcome = sandboxes.client("proxy", kind, 3128, host, port, then, allow=allow)
    assert "hello from" not in (outcome.answer["got"] or "")
    assert outcome.reasons(verdict="refused")[-1] == reason
    assert not outcome.requests("request") and not outcome.seen_by_host


def test_programs_that_follow_the_environment(sandboxes):
    for scheme in ("http", "https"):
        outcome = sandboxes.run("curl", "-sS", "--cacert", sandboxes._world.folder / "ca.pem", f"{scheme}://pypi.org/", allow=["pypi.org"],
                                flags=["--proxy"])
        assert "hello from pypi.org" in outcome.out, outcome.err
        assert outcome.audit[-1]["via"] in ("connect", "proxy")
