"""brig inspect on sandboxes: the init is brig's own, the programs in it are judged."""
import subprocess


def examine(sandbox):
    return sandbox.sandboxes.runtime.ok("inspect", "--json", sandbox.id).json()


def findings(document, topic):
    return [finding for finding in document["findings"] if finding["topic"] == topic]


def weak(document):
    return {finding["topic"]: finding["severity"] for finding in document["findings"]
            if finding["severity"] not in ("none", "unknown") and "does not confine it" not in finding["detail"]}


def test_a_sandbox_with_nothing_but_its_policy(sandboxes):
    document = examine(sandboxes.create())
    assert weak(document) == {"seccomp-profile": "low"}, document["findings"]
    assert document["policies"] == ["sandbox"] and document["namespaces"]["user"] == "own"
    assert findings(document, "system-calls")[0]["detail"].startswith("filters are loaded")


def test_a_policy_with_few_calls_leaves_nothing(sandboxes):
    sandbox = sandboxes.create("--policy", "kuro-pro")
    document = examine(sandbox)
    assert weak(document) == {}, document["findings"]
    shown = sandboxes.runtime.ok("policy", "show", "kuro-pro", "--json").json()["systemCalls"]
    counted = document["system_calls"]
    # `policy show` counts names, of which some are other architectures'.
    assert set(counted["calls"]) <= set(shown["names"]) and counted["count"] < 100


def test_a_program_in_it_is_filtered(sandboxes):
    sandbox = sandboxes.create()
    program = subprocess.Popen(sandboxes.command("exec", sandbox.id, "--", "sh", "-c", "echo; sleep 60; true"), stdout=subprocess.PIPE)
    try:
        program.stdout.readline()
        document = examine(sandbox)
    finally:
        sandbox.ok("rm")
        program.wait()
        program.stdout.close()
    assert [process["seccomp"]["mode"] for process in document["processes"]][:2] == ["none", "filter"]
    assert document["processes"][0]["name"] == "brig-init"
    assert findings(document, "system-calls")[0]["detail"].startswith("every process is filtered")


def test_the_name_of_a_network_by_domain(sandboxes):
    sandbox = sandboxes.create("--network", "allow", "--allow-domain", "pypi.org")
    document = examine(sandbox)
    assert document["network"]["named_hosts_only"] is True
    assert findings(document, "network")[0]["severity"] == "none"
    assert "egress broker" in findings(document, "network")[0]["detail"]
