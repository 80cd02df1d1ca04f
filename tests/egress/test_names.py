"""Which names resolve, which addresses are dialled; each attack also without the defence."""
import pytest

from egress_world import HOST_ADDRESS


def test_an_allowed_name_is_reached(sandboxes):
    outcome = sandboxes.client("http", "pypi.org", 80, "pypi.org", allow=["pypi.org"])
    assert "hello from pypi.org at 93.184.216.34" in outcome.answer["got"]
    line = next(line for line in outcome.audit if line["protocol"] == "http")
    assert (line["sandbox"], line["name"], line["address"], line["port"], line["verdict"], line["rule"]) == \
        ("test", "pypi.org", "93.184.216.34", 80, "allowed", "pypi.org")
    assert line["bytes_out"] > 0 and line["bytes_in"] > 0 and line["duration"] >= 0


def test_ipv6_is_reached(sandboxes):
    outcome = sandboxes.client("http", "six.example", 80, "six.example", allow=["six.example"])
    assert "hello from six.example at 2606:4700::6" in outcome.answer["got"]


def test_names_without_regard_to_case_and_last_dot(sandboxes):
    outcome = sandboxes.client("http", "PyPI.org.", 80, "PYPI.ORG.", allow=["pypi.ORG"])
    assert "HTTP/1.1 200" in outcome.answer["got"]


@pytest.mark.parametrize("name, rules, resolves", [
    ("files.pythonhosted.org", ["*.pythonhosted.org"], True),
    ("a.b.pythonhosted.org", ["*.pythonhosted.org"], False),  # allowed, and the zone has no such name
    ("pythonhosted.org", ["*.pythonhosted.org"], False),
    ("evilpythonhosted.org", ["*.pythonhosted.org"], False),
    ("pypi.org", ["pypi.org.example", "xpypi.org", "org"], False),
])
def test_suffix_rules(sandboxes, name, rules, resolves):
    outcome = sandboxes.client("resolve", name, allow=rules)
    assert bool(outcome.answer["got"]) == resolves


def test_deny_wins(sandboxes):
    outcome = sandboxes.client("resolve", "files.pythonhosted.org", allow=["*.pythonhosted.org"], deny=["files.pythonhosted.org"])
    assert outcome.answer["error"] == "gaierror"
    assert outcome.reasons(name="files.pythonhosted.org") and set(outcome.reasons()) == {"name_denied"}
    assert not outcome.requests("dns")


def test_a_denied_port(sandboxes):
    for port, reached in ((443, False), (80, True)):
        outcome = sandboxes.client("http", "pypi.org", port, "pypi.org", allow=["pypi.org"], deny=["pypi.org:443"])
        assert bool(outcome.answer["got"]) == reached


def test_a_port_that_no_rule_names_is_refused_at_once(sandboxes):
    outcome = sandboxes.client("http", "pypi.org", 8080, "pypi.org", allow=["pypi.org"])
    assert outcome.answer["error"] == "ConnectionRefusedError"
    assert sandboxes.client("http", "pypi.org", 8080, "pypi.org", allow=["pypi.org:8080"]).answer["got"]


def test_a_port_of_another_name(sandboxes):
    outcome = sandboxes.client("http", "pypi.org", 8080, "pypi.org", allow=["pypi.org", "git.example:8080"])
    assert not outcome.answer["got"]
    assert "port_not_listed" in outcome.reasons(name="pypi.org")


@pytest.mark.parametrize("address", ["66.66.66.66", "93.184.216.34", "1111638594", "0x42424242", "66.4342338", "0102.0102.0102.0102"])
def test_direct_addresses_in_any_notation(sandboxes, address):
    """Also the address of an allowed name, before it was asked for."""
    outcome = sandboxes.client("http", address, 80, "pypi.org", allow=["pypi.org"])
    assert not outcome.answer["got"]
    assert outcome.reasons(verdict="refused") == ["address_not_handed_out"]
    assert not outcome.requests("connection")
    assert sandboxes.uncontrolled("http", address, 80, "pypi.org").answer["got"]


def test_direct_ipv6_addresses(sandboxes):
    for address in ("2606:4700::6", "::ffff:66.66.66.66", "::ffff:4242:4242"):
        outcome = sandboxes.client("http", address, 80, "pypi.org", allow=["pypi.org"])
        assert not outcome.answer["got"] and not outcome.requests("connection")
        assert outcome.reasons(verdict="refused") == ["address_not_handed_out"]
        assert sandboxes.uncontrolled("http", address, 80, "pypi.org").answer["got"]


@pytest.mark.parametrize("name, reason", [
    ("loopback.example", "address_loopback"), ("metadata.example", "address_link_local"), ("private.example", "address_private"),
    ("host.example", "address_of_host"), ("cable.example", "address_of_host"), ("mapped.example", "address_embeds_ipv4"),
    ("nat64.example", "address_embeds_ipv4"),
])
def test_names_that_lead_where_nobody_may_go(sandboxes, name, reason):
    outcome = sandboxes.client("resolve", name, allow=[name])
    assert outcome.answer["error"] == "gaierror"
    assert reason in outcome.reasons(name=name, verdict="refused")
    assert sandboxes.uncontrolled("resolve", name).answer["got"]
    reached = sandboxes.client("http", name, 80, name, allow=[name])
    assert not reached.answer["got"] and not reached.seen_by_host and not reached.requests("connection")


@pytest.mark.parametrize("name, address", [("metadata.example", "169.254.169.254"), ("private.example", "10.9.9.9"),
                                           ("host.example", HOST_ADDRESS), ("loopback.example", "::1")])
def test_those_places_are_there(sandboxes, name, address):
    """The positive control: without the broker each of them answers."""
    assert f"hello from {name} at {address}" in sandboxes.uncontrolled("http", name, 80, name).answer["got"]


def test_addresses_that_are_never_dialled_are_left_out(sandboxes):
    outcome = sandboxes.client("resolve", "mixed.example", allow=["mixed.example"])
    assert outcome.answer["got"] == ["93.184.216.78"]
    assert sandboxes.uncontrolled("resolve", "mixed.example").answer["got"] == ["127.0.0.1", "93.184.216.78"]


def test_rebinding_after_the_first_answer(sandboxes):
    """The name has a good address first and 127.0.0.1 from then on: what it has at the second look is not handed out."""
    program = """
import socket
for turn in range(2):
    try:
        print(socket.gethostbyname("rebind.example"))
    except OSError as error:
        print(type(error).__name__)
"""
    outcome = sandboxes.run("/usr/bin/python3", "-c", program, allow=["rebind.example"])
    assert outcome.out.splitlines()[-1] == "gaierror" and "127.0.0.1" not in outcome.out
    assert "address_loopback" in outcome.reasons(name="rebind.example")
    assert "127.0.0.1" in sandboxes.run("/usr/bin/python3", "-c", program, flags=["--uncontrolled"]).out


def test_private_addresses_by_opting_in(sandboxes):
    assert not sandboxes.client("http", "private.example", 80, "private.example", allow=["private.example"],
                                allow_addresses=["10.8.0.0/16"]).answer["got"]
    outcome = sandboxes.client("http", "private.example", 80, "private.example", allow=["private.example"],
                               allow_addresses=["10.9.0.0/16"])
    assert "hello from private.example at 10.9.9.9" in outcome.answer["got"]


def test_aliases(sandboxes):
    outcome = sandboxes.client("http", "alias.example", 80, "alias.example", allow=["alias.example"])
    assert "hello from alias.example at 93.184.216.77" in outcome.answer["got"]
    assert not sandboxes.client("resolve", "real.example", allow=["alias.example"]).answer["got"]


def test_nothing_leaves_for_names_that_are_not_allowed(sandboxes):
    names = ["secret-data-1.tunnel.example", "a" * 63 + ".tunnel.example", "x.pypi.org"]
    for name in names:
        for kind in (1, 16, 28, 65):
            outcome = sandboxes.client("query", "127.0.0.1", name, kind, allow=["pypi.org"])
            assert outcome.answer["got"]["code"] == 3
            assert not outcome.requests("dns"), "the query left the host"
    assert "name_not_listed" in outcome.reasons(protocol="dns")
    control = sandboxes.uncontrolled("query", "5.5.5.53", "secret-data-1.tunnel.example", 16)
    assert control.requests("dns", name="secret-data-1.tunnel.example", type="TXT")


@pytest.mark.parametrize("server", ["5.5.5.53", "8.8.8.8", "2001:4860:4860::8888", "127.0.0.1"])
def test_any_name_server_is_the_broker(sandboxes, server):
    outcome = sandboxes.client("query", server, "data.tunnel.example", allow=["pypi.org"])
    assert outcome.answer["got"]["code"] == 3 and not outcome.requests("dns")
    for tcp in ("", "tcp"):
        outcome = sandboxes.client("query", server, "pypi.org", 1, tcp, allow=["pypi.org"])
        assert outcome.answer["got"] == {"code": 0, "answers": 1, "size": 42}


def test_only_a_name_and_its_kind_go_upstream(sandboxes):
    """Letter case is a channel, and so are other types: neither gets out, nor does a TXT record come in."""
    outcome = sandboxes.client("query", "127.0.0.1", "PyPi.OrG", 1, allow=["pypi.org"])
    assert outcome.answer["got"]["answers"] == 1
    assert [line["name"] for line in outcome.requests("dns")] == ["pypi.org"]
    for kind in (16, 65, 255, 12, 33):
        outcome = sandboxes.client("query", "127.0.0.1", "pypi.org", kind, allow=["pypi.org"])
        assert outcome.answer["got"]["code"] == 0 and outcome.answer["got"]["answers"] == 0
        assert not outcome.requests("dns")


@pytest.mark.parametrize("name", ["a" * 63 + "." + "b" * 63 + "." + "c" * 63 + "." + "d" * 61, "pypi.org\\x00.evil.example", "pypi org"])
def test_long_and_odd_names(sandboxes, name):
    outcome = sandboxes.client("query", "127.0.0.1", name, allow=["pypi.org"])
    assert outcome.answer["got"]["code"] == 3 and not outcome.requests("dns")


def test_broken_queries(sandboxes):
    outcome = sandboxes.client("query", "127.0.0.1", "pypi.org", 1, "", 2, allow=["pypi.org"])
    assert outcome.answer["got"]["code"] == 1
    too_long = ".".join(["a" * 63] * 5)
    assert sandboxes.client("query", "127.0.0.1", too_long, allow=["pypi.org"]).answer["got"]["code"] == 1


def test_forged_answers_are_not_taken(sandboxes):
    """The name server's port sends answers with a wrong id and for a wrong name before the right one."""
    outcome = sandboxes.client("resolve", "pypi.org", 4, allow=["pypi.org"])
    assert outcome.answer["got"] == ["93.184.216.34"]


def test_many_addresses_fit_into_an_answer(sandboxes):
    outcome = sandboxes.client("query", "127.0.0.1", "many.example", allow=["many.example"])
    assert outcome.answer["got"]["answers"] == 8 and outcome.answer["got"]["size"] < 512


def test_a_silent_name_server(sandboxes):
    outcome = sandboxes.client("resolve", "silent.example", allow=["silent.example"])
    assert outcome.answer["error"] == "gaierror"
    assert len(outcome.requests("dns", name="silent.example")) >= 2, "it is asked again"


@pytest.mark.parametrize("rule, words", [
    ("*", "matches everything"), ("10.0.0.1", "IP address"), ("0x7f.1", "IP address"), ("pypi..org", "empty label"),
    ("https://pypi.org", "URL"), ("pypi.org/simple", "path"), ("pypi.org:0", "port"), ("pypi.org:70000", "port"), ("a.*.org", "first label"),
    ("bücher.example", "xn--"), ("-a.example", "hyphen"), ("pypi.org:53", "port 53"), ("pypi.org:3128", "proxy"), ("pypi.org/tcp", "port"),
])
def test_bad_rules_are_explained(sandboxes, rule, words):
    outcome = sandboxes.run("true", allow=[rule])
    assert outcome.code == 125 and words in outcome.err
