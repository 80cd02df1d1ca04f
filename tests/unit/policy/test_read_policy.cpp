#include "base/text.hpp"
#include "policy/read_policy.hpp"

#include <criterion/criterion.h>

using namespace brig;
using namespace brig::policy;

namespace {

Result<Policy> read(std::string_view text)
{
    auto document = Json::parse(text);
    cr_assert(document.has_value(), "%s", std::string(text).c_str());
    return read_policy(document->view());
}

void expect_refused(const std::string& members, const char* part)
{
    auto policy = read(R"({"name": "p", )" + members + "}");
    cr_assert(!policy, "%s is taken", members.c_str());
    cr_expect(policy.error().kind() == ErrorKind::invalid);
    cr_expect(contains(policy.error().message(), part), "%s: %s", members.c_str(), policy.error().message().c_str());
}

} // namespace

Test(read_policy, every_property)
{
    auto policy = read(R"({
        "name": "all", "description": "d", "$comment": "free text",
        "seccomp": {"profile": "program", "deny": ["ptrace"], "$comment": "here too"},
        "namespaces": {"own": true, "join": false, "requireUser": true, "user": "own"},
        "privileges": {"capabilities": ["CAP_CHOWN"], "noNewPrivileges": true, "oomScoreAdj": 100, "realTime": false,
                       "sysctls": ["kernel.shm_rmid_forced"], "devices": ["c 10:229"]},
        "filesystem": {"readOnlyRoot": true, "safeMounts": true, "tmpfs": [{"path": "/tmp", "size": "64MiB", "executable": true}],
                       "tmpfsSize": 4096, "binds": [{"path": "/artifacts", "mode": "rw"}], "otherBinds": "refused",
                       "hidden": ["/proc/keys"], "readOnly": ["/proc/sys"],
                       "landlock": {"read": ["/etc"], "readWrite": ["/tmp"], "execute": ["/usr"]}},
        "env": {"allow": ["PATH", "LC_*"], "set": {"HOME": "/tmp"}},
        "resources": {"memory": "128MiB", "swap": 0, "cpus": 0.5, "pids": 64, "disk": "1GiB", "openFiles": 256, "fileSize": "1k",
                      "coreSize": 0, "io": {"readPerSecond": "1MiB", "writePerSecond": 5, "readOperationsPerSecond": 6,
                                            "writeOperationsPerSecond": 7}},
        "hooks": "removed",
        "limits": {"timeout": "15s", "grace": "500ms", "idleTimeout": "5m", "maxLifetime": "30m", "output": "1MiB", "log": "2MiB",
                   "programs": 4, "sandboxes": 2},
        "artifacts": {"count": 16, "size": "10MiB", "extensions": [".png"], "mimeTypes": ["image/png"]},
        "network": {"mode": "allow", "allow": ["PyPI.org.", "*.pythonhosted.org:443"], "deny": ["bad.example"], "connections": 8,
                    "bytes": "1GiB", "bytesPerSecond": "1MiB"},
        "approval": {"command": ["/usr/bin/ask", "--now"], "timeout": "1m"},
        "audit": {"sink": "file:/var/log/brig/audit.log"}})");
    cr_assert(policy.has_value(), "%s", policy.error().message().c_str());
    cr_expect(policy->seccomp.profile == "program" && policy->seccomp.deny.front() == "ptrace");
    cr_expect(policy->namespaces.own && !policy->namespaces.may_join && policy->namespaces.require_user);
    cr_expect(policy->namespaces.user == UserNamespace::own);
    cr_expect(policy->privileges.capabilities->size() == 1 && policy->privileges.no_new_privileges
              && !policy->privileges.real_time);
    cr_expect(*policy->privileges.lowest_oom_score_adj == 100 && policy->privileges.devices->front().minor == 229);
    const Filesystem& files = policy->filesystem;
    cr_expect(files.read_only_root && files.safe_mounts && *files.tmpfs_bytes == 4096);
    cr_expect(*files.tmpfs.front().bytes == 64 << 20 && files.tmpfs.front().executable);
    cr_expect(files.binds.front().mode == BindMode::read_write && files.other_binds == BindMode::refused);
    cr_expect(files.landlock->read_write.front() == "/tmp");
    cr_expect(policy->environment.allow->size() == 2 && policy->environment.set.at("HOME") == "/tmp");
    cr_expect(*policy->resources.memory_bytes == 128 << 20 && *policy->resources.swap_bytes == 0);
    cr_expect(*policy->resources.milli_cpus == 500 && *policy->resources.io.read_bytes_per_second == 1 << 20);
    cr_expect(policy->hooks == Hooks::removed);
    cr_expect(*policy->limits.timeout_ms == 15000 && *policy->limits.grace_ms == 500 && *policy->limits.idle_ms == 300000);
    cr_expect(*policy->artifacts.count == 16 && policy->artifacts.extensions->front() == ".png");
    cr_expect(policy->network.mode == NetworkMode::allow && policy->network.allow[0].text() == "pypi.org");
    cr_expect(policy->network.allow[1].subdomains && *policy->network.allow[1].port == 443);
    cr_expect(policy->approval->timeout_ms == 60000 && policy->audit.file == "/var/log/brig/audit.log");
}

Test(read_policy, misspelt_properties_are_refused)
{
    expect_refused(R"("secomp": {})", "secomp is not a known property");
    expect_refused(R"("seccomp": {"profil": "x"})", "seccomp.profil is not a known property");
    expect_refused(R"("filesystem": {"tmpfs": [{"path": "/tmp", "bytes": 1}]})", "filesystem.tmpfs[0].bytes");
    expect_refused(R"("resources": {"io": {"read": 1}})", "resources.io.read");
    expect_refused(R"("network": {"mode": "nonne"})", "network.mode must be one of \"none\"");
}

Test(read_policy, values_that_mean_nothing_are_refused)
{
    expect_refused(R"("resources": {"cpus": 0})", "resources.cpus");
    expect_refused(R"("resources": {"cpus": 0.0001})", "resources.cpus");
    expect_refused(R"("resources": {"cpus": -1})", "resources.cpus");
    expect_refused(R"("resources": {"cpus": 1e-1})", "");
    expect_refused(R"("seccomp": {"deny": ["bpf"]})", "needs seccomp.profile");
    expect_refused(R"("seccomp": {"profile": "code"})", "need privileges.noNewPrivileges");
    expect_refused(R"("filesystem": {"landlock": {}})", "need privileges.noNewPrivileges");
    expect_refused(R"("resources": {"disk": 1})", "needs filesystem.readOnlyRoot");
    for (const char* device : {"/dev/fuse", "c 10", "c :1", "x 1:1", "c 1:-1", "c 1:1 "})
        expect_refused(fmt::format(R"("privileges": {{"devices": ["{}"]}})", device), "a device like");
    expect_refused(R"("resources": {"swap": 0})", "needs resources.memory");
    expect_refused(R"("resources": {"memory": "-1"})", "size of 0 or more");
    expect_refused(R"("resources": {"memory": "12 parsec"})", "resources.memory");
    expect_refused(R"("limits": {"timeout": 15})", "limits.timeout must be a string");
    expect_refused(R"("limits": {"timeout": "1us"})", "whole number of milliseconds");
    expect_refused(R"("filesystem": {"hidden": ["proc/keys"]})", "absolute, clean path");
    expect_refused(R"("filesystem": {"tmpfs": [{"size": 1}]})", "absolute, clean path");
    expect_refused(R"("filesystem": {"binds": [{"path": "/a/../b"}]})", "absolute, clean path");
    expect_refused(R"("network": {"allow": ["pypi.org"]})", "network.mode is not");
    expect_refused(R"("approval": {"command": ["ask"]})", "absolute path");
    expect_refused(R"("approval": {"command": [""]})", "absolute path");
    expect_refused(R"("audit": {"sink": "file:log"})", "audit.sink");
    expect_refused(R"("env": {"set": {"A=B": "c"}})", "not a variable's name");
}

Test(read_policy, names)
{
    for (const char* good : {"strict", "kuro-pro", "a", "9p"})
        cr_expect(check_name(good).has_value(), "%s", good);
    for (const char* bad : {"", "-a", "A", "a/b", "..", "a.json", "a b", "a_b"})
        cr_expect(!check_name(bad), "%s", bad);
    cr_expect(!read(R"({"description": "no name"})"));
}

Test(read_policy, destinations)
{
    for (const char* bad : {"", "*", "*.", ".", "a..b", "http://pypi.org", "pypi.org:", "pypi.org:0", "pypi.org:65536", "1.2.3.4",
                            "[::1]", "::1", "a b", "-a.org", "*.*.org", "pypi.org/simple", "b\xc3\xbc.de", "0x7f.1"})
        cr_expect(!parse_destination(bad), "%s", bad);
    auto port = parse_destination("*.Example.ORG.:8443");
    cr_assert(port.has_value());
    cr_expect(port->text() == "*.example.org:8443");
}

Test(read_policy, child_over_parent)
{
    auto parent = Json::parse(R"({"name": "parent", "limits": {"timeout": "15s", "grace": "1s"}, "env": {"allow": ["A", "B"]}})");
    auto child = Json::parse(R"({"name": "child", "extends": "parent", "limits": {"timeout": "60s"}, "env": {"allow": ["C"]}})");
    cr_assert(parent && child);
    cr_expect(*parent_name(child->view()) == "parent");
    auto policy = read_policy(merged(parent->view(), child->view()).view());
    cr_assert(policy.has_value(), "%s", policy.error().message().c_str());
    cr_expect(policy->name == "child" && *policy->limits.timeout_ms == 60000 && *policy->limits.grace_ms == 1000);
    cr_expect(policy->environment.allow->size() == 1);
    auto lifts = Json::parse(R"({"name": "child", "extends": "parent", "env": null})");
    cr_expect(!read_policy(merged(parent->view(), lifts->view()).view())->environment.allow);
    cr_expect(!parent_name(Json::parse(R"({"extends": "../parent"})")->view()));
}
