#include "policy/tighten.hpp"

#include "policy/changes.hpp"

#include <algorithm>
#include <set>

namespace brig::policy {

namespace {

bool lets_through(std::string_view action)
{
    return action == "SCMP_ACT_ALLOW" || action == "SCMP_ACT_LOG" || action == "SCMP_ACT_TRACE" || action == "SCMP_ACT_NOTIFY";
}

} // namespace

Result<Tightened> tighten(spec::Spec spec, const Policy& policy, const HostLimits& host)
{
    Changes changes(policy);
    // The plan refuses it; with an empty section it might not.
    if (!spec.linux)
        return Tightened{std::move(spec), {}};
    spec::Linux& linux = *spec.linux;
    TRY(tighten_isolation(spec, policy, changes));
    TRY(tighten_devices(linux, policy, changes));
    TRY(tighten_filesystem(spec, policy, host, changes));
    TRY(tighten_resources(linux.resources ? *linux.resources : linux.resources.emplace(), policy, host, changes));
    if (spec.process)
        TRY(tighten_process_with(*spec.process, policy, host, changes));
    if (!policy.seccomp.profile.empty())
        changes.add("linux.seccomp", linux.seccomp ? "the bundle's filter" : "no filter",
                    fmt::format("{}a filter {}", linux.seccomp ? "the bundle's filter and " : "", policy.seccomp.profile),
                    "adds it: a call needs the leave of both");
    return Tightened{std::move(spec), changes.take()};
}

Result<Tightened> tighten_all(spec::Spec spec, const std::vector<Policy>& policies, const HostLimits& host)
{
    Tightened result{std::move(spec), {}};
    // Twice: a later policy may put a tmpfs in place of a writable root that is larger than an earlier one allows.
    for (int round = 0; round < (policies.size() > 1 ? 2 : 1); round++)
        for (const auto& policy : policies) {
            auto tightened = TRY(tighten(std::move(result.spec), policy, host));
            result.spec = std::move(tightened.spec);
            if (round > 0) // not a change, and told already
                std::erase_if(tightened.changes, [](const Change& change) {
                    return change.property == "linux.seccomp" || change.property == "Landlock";
                });
            result.changes.insert(result.changes.end(), tightened.changes.begin(), tightened.changes.end());
        }
    return result;
}

Result<std::vector<Change>> tighten_process(spec::Process& process, const Policy& policy, const HostLimits& host)
{
    Changes changes(policy);
    TRY(tighten_process_with(process, policy, host, changes));
    return changes.take();
}

spec::Seccomp filter_of(const Policy& policy, const spec::Seccomp& profile)
{
    spec::Seccomp filter = profile;
    const auto& deny = policy.seccomp.deny;
    auto denied = [&](const std::string& name) { return std::ranges::find(deny, name) != deny.end(); };
    for (auto& rule : filter.syscalls)
        if (lets_through(rule.action))
            std::erase_if(rule.names, denied);
    std::erase_if(filter.syscalls, [](const spec::SeccompRule& rule) { return rule.names.empty(); });
    // Behind whatever the profile says about them: of unconditional rules the first holds, which must be this one.
    if (!deny.empty()) {
        spec::SeccompRule rule;
        rule.names = deny;
        rule.action = "SCMP_ACT_ERRNO";
        filter.syscalls.insert(filter.syscalls.begin(), std::move(rule));
    }
    return filter;
}

std::vector<std::string> allowed_system_calls(const spec::Seccomp& profile)
{
    std::set<std::string> names;
    for (const auto& rule : profile.syscalls)
        if (lets_through(rule.action))
            names.insert(rule.names.begin(), rule.names.end());
    return {names.begin(), names.end()};
}

} // namespace brig::policy
