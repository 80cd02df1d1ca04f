#include "base/text.hpp"
#include "policy/tighten.hpp"

#include <algorithm>
#include <criterion/criterion.h>

using namespace brig;
using namespace brig::policy;

namespace {

spec::Spec plain_spec()
{
    spec::Spec spec;
    spec.process.emplace();
    spec.root = spec::Root{"rootfs", false};
    spec.linux.emplace();
    return spec;
}

Policy named()
{
    Policy policy;
    policy.name = "mine";
    return policy;
}

void expect_refused(const spec::Spec& spec, const Policy& policy, std::initializer_list<const char*> parts)
{
    auto tightened = tighten(spec, policy, {});
    cr_assert(!tightened);
    cr_expect(tightened.error().kind() == ErrorKind::refused);
    for (const char* part : parts)
        cr_expect(contains(tightened.error().message(), part), "%s", tightened.error().message().c_str());
}

} // namespace

Test(tighten, an_empty_policy_changes_nothing)
{
    auto tightened = tighten(plain_spec(), named(), {});
    cr_assert(tightened.has_value());
    cr_expect(tightened->changes.empty());
}

Test(tighten, a_spec_without_linux_stays_one)
{
    auto spec = plain_spec();
    spec.linux.reset();
    auto policy = named();
    policy.namespaces.own = true;
    cr_expect(!tighten(spec, policy, {})->spec.linux);
}

Test(tighten, a_change_says_what_and_why)
{
    auto spec = plain_spec();
    spec.linux->resources.emplace();
    spec.linux->resources->memory.emplace();
    spec.linux->resources->memory->limit = 512 << 20;
    auto policy = named();
    policy.resources.memory_bytes = 128 << 20;
    auto tightened = tighten(spec, policy, {});
    cr_assert(tightened && tightened->changes.size() == 1);
    const Change& change = tightened->changes.front();
    cr_expect(change.property == "linux.resources.memory.limit" && change.before == "536870912" && change.after == "134217728");
    cr_expect(change.reason == "the policy mine allows 134217728", "%s", change.reason.c_str());
}

Test(tighten, refusals_name_both_values)
{
    auto spec = plain_spec();
    spec.linux->namespaces = {{spec::NamespaceType::network, "/proc/1/ns/net"}};
    auto policy = named();
    policy.network.mode = NetworkMode::none;
    expect_refused(spec, policy, {"/proc/1/ns/net", "mine", "network.mode \"none\""});

    spec = plain_spec();
    spec.mounts = {{"/host", "bind", "/", {"rbind"}, {}, {}}};
    policy = named();
    policy.filesystem.other_binds = BindMode::refused;
    expect_refused(spec, policy, {"mounts /host", "\"/\"", "mine"});

    spec = plain_spec();
    spec.linux->resources.emplace();
    spec.linux->resources->unified = {{"memory.max", "max"}};
    policy = named();
    policy.resources.memory_bytes = 1;
    expect_refused(spec, policy, {"memory.max", "\"max\"", "mine"});
}

Test(tighten, the_closest_rule_decides_about_a_bind)
{
    auto spec = plain_spec();
    spec.mounts = {{"/work/out", "bind", "/a", {"rbind"}, {}, {}},
                   {"/work", "bind", "/b", {"rbind"}, {}, {}},
                   {"/workers", "bind", "/c", {"bind", "rw"}, {}, {}},
                   {"//work/./out/../in", "bind", "/d", {"bind"}, {}, {}}};
    auto policy = named();
    policy.filesystem.binds = {{"/work", BindMode::read_only}, {"/work/out", BindMode::read_write}};
    auto tightened = tighten(spec, policy, {});
    cr_assert(tightened.has_value());
    auto has = [&](size_t index, const char* option) {
        const auto& options = tightened->spec.mounts[index].options;
        return std::ranges::find(options, option) != options.end();
    };
    cr_expect(!has(0, "ro") && has(1, "ro") && has(1, "rro") && !has(2, "ro") && has(3, "ro") && !has(3, "rro"));
}

Test(tighten, a_remount_cannot_undo_a_read_only_bind)
{
    auto spec = plain_spec();
    spec.mounts = {{"/work", "bind", "/b", {"bind"}, {}, {}}, {"/work", "tmpfs", "x", {"remount", "rw"}, {}, {}}};
    auto policy = named();
    policy.filesystem.other_binds = BindMode::read_only;
    auto tightened = tighten(spec, policy, {});
    cr_assert(tightened.has_value());
    cr_expect(tightened->spec.mounts[1].options.back() == "ro");
}

Test(tighten, a_mount_that_is_the_root_stays_the_first)
{
    auto spec = plain_spec();
    spec.mounts = {{"/", "overlay", "overlay", {"lowerdir=/l"}, {}, {}}, {"/proc", "proc", "proc", {}, {}, {}}};
    Policy policy = named();
    policy.filesystem.read_only_root = true;
    policy.filesystem.tmpfs = {{"/tmp", 4096, false}};
    auto tightened = tighten(spec, policy, {});
    cr_assert(tightened.has_value());
    const auto& mounts = tightened->spec.mounts;
    cr_assert(mounts.size() == 3);
    cr_expect(mounts[0].destination == "/" && mounts[1].destination == "/tmp" && mounts[2].destination == "/proc");
}

Test(tighten, a_tmpfs_replaces_only_what_was_writable)
{
    auto policy = named();
    policy.filesystem.read_only_root = true;
    policy.filesystem.tmpfs = {{"/tmp", 4096, false}};
    auto writable = tighten(plain_spec(), policy, {});
    cr_assert(writable && writable->spec.mounts.size() == 1);
    cr_expect(writable->spec.mounts[0].options.back() == "size=4096");
    auto spec = plain_spec();
    spec.root->readonly = true;
    cr_expect(tighten(spec, policy, {})->spec.mounts.empty());
}

Test(tighten, update_stays_below_the_policy)
{
    auto policy = named();
    policy.resources.memory_bytes = 1000;
    policy.resources.swap_bytes = 0;
    policy.resources.pids = 64;
    policy.resources.milli_cpus = 500;
    spec::Resources resources;
    resources.memory.emplace();
    resources.memory->swap = 5000;
    cr_assert(tighten_update(resources, policy).has_value());
    cr_expect(!resources.memory->limit && *resources.memory->swap == 1000 && !resources.pids_limit && !resources.cpu);
    resources.memory->limit = -1;
    resources.pids_limit = -1;
    resources.cpu.emplace();
    resources.cpu->quota = -1;
    cr_assert(tighten_update(resources, policy).has_value());
    cr_expect(*resources.memory->limit == 1000 && *resources.pids_limit == 64 && *resources.cpu->quota == 50'000);
}

Test(tighten, what_a_policy_denies_leaves_the_profile)
{
    spec::Seccomp profile;
    profile.default_action = "SCMP_ACT_ERRNO";
    profile.syscalls = {{{"read", "ptrace"}, "SCMP_ACT_ALLOW", {}, {}},
                        {{"ptrace"}, "SCMP_ACT_LOG", {}, {{0, 0, 0, "SCMP_CMP_EQ"}}},
                        {{"clone3"}, "SCMP_ACT_ERRNO", 38, {}}};
    auto policy = named();
    policy.seccomp.deny = {"ptrace"};
    auto filter = filter_of(policy, profile);
    cr_expect(allowed_system_calls(filter) == std::vector<std::string>{"read"});
    cr_expect(allowed_system_calls(profile) == (std::vector<std::string>{"ptrace", "read"}));
    cr_expect(filter.syscalls.front().names == policy.seccomp.deny && filter.syscalls.size() == 3);
}

Test(tighten, an_overlay_at_the_root_is_no_bind)
{
    auto policy = named();
    policy.filesystem.other_binds = BindMode::refused;
    auto spec = plain_spec();
    spec.mounts = {{"/", "overlay", "overlay", {"lowerdir=/layer"}}};
    cr_expect(tighten(spec, policy, {}).has_value());
    spec.mounts[0].destination = "/elsewhere";
    expect_refused(spec, policy, {"mounts /elsewhere", "mine"});
}
