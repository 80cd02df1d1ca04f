#include "base/text.hpp"
#include "plan/make_plan.hpp"
#include "spec/vocabulary.hpp"

#include <map>

namespace brig::plan {

std::vector<std::string> deduplicated_environment(const std::vector<std::string>& env)
{
    std::vector<std::string> kept;
    std::map<std::string_view, size_t> position;
    for (const auto& entry : env) {
        auto name = std::string_view(entry).substr(0, entry.find('='));
        auto [found, is_new] = position.emplace(name, kept.size());
        if (is_new)
            kept.push_back(entry);
        else
            kept[found->second] = entry;
    }
    return kept;
}

namespace {

// check_spec has refused unknown names. What this kernel or the caller does not have is dropped with a warning, as runc does:
// engines ask for their whole list on every kernel.
uint64_t capability_bits(const std::vector<std::string>& names, const HostFacts& facts, bool user_namespace, Process& process)
{
    uint64_t available = user_namespace ? ~uint64_t{0} : facts.effective_capabilities;
    uint64_t bits = 0;
    for (const auto& name : names) {
        auto number = spec::find_word(spec::capabilities(), name).value_or(64);
        if (number <= facts.last_capability && (available & (uint64_t{1} << number)) != 0)
            bits |= uint64_t{1} << number;
        else
            process.dropped_capabilities.push_back(name);
    }
    return bits;
}

Capabilities plan_capabilities(const spec::Capabilities& asked, const HostFacts& facts, bool user_namespace, Process& process)
{
    Capabilities sets;
    sets.bounding = capability_bits(asked.bounding, facts, user_namespace, process);
    sets.permitted = capability_bits(asked.permitted, facts, user_namespace, process);
    sets.effective = capability_bits(asked.effective, facts, user_namespace, process) & sets.permitted;
    sets.inheritable = capability_bits(asked.inheritable, facts, user_namespace, process);
    // The kernel raises an ambient capability only when it is permitted and inheritable.
    sets.ambient = capability_bits(asked.ambient, facts, user_namespace, process) & sets.permitted & sets.inheritable;
    return sets;
}

void drop_repeated_names(std::vector<std::string>& names)
{
    std::vector<std::string> kept;
    for (auto& name : names)
        if (std::find(kept.begin(), kept.end(), name) == kept.end())
            kept.push_back(std::move(name));
    names = std::move(kept);
}

Result<> check_security_modules(const spec::Process& process, const HostFacts& facts)
{
    if (!process.apparmor_profile.empty() && !facts.apparmor)
        return failure(
            Error(ErrorKind::not_supported, fmt::format("process.apparmorProfile {}: AppArmor is not enabled on this host",
                                                        quoted(process.apparmor_profile)))
                .with_hint("remove the profile or boot with AppArmor"));
    if (!process.selinux_label.empty() && !facts.selinux)
        return failure(Error(ErrorKind::not_supported, fmt::format("process.selinuxLabel {}: SELinux is not enabled on this host",
                                                                   quoted(process.selinux_label)))
                           .with_hint("remove the label or boot with SELinux"));
    return {};
}

} // namespace

Result<Process> make_process_plan(const spec::Process& asked, const HostFacts& facts, bool user_namespace)
{
    TRY(check_security_modules(asked, facts));
    Process process;
    process.terminal = asked.terminal;
    process.console_size = asked.console_size;
    process.args = asked.args;
    process.env = deduplicated_environment(asked.env);
    process.cwd = clean_path(asked.cwd);
    process.uid = asked.user.uid;
    process.gid = asked.user.gid;
    process.additional_gids = asked.user.additional_gids;
    process.set_groups = user_namespace || facts.setgroups_allowed;
    process.groups_may_be_fixed = user_namespace;
    process.umask = asked.user.umask.value_or(022);
    if (asked.capabilities)
        process.capabilities = plan_capabilities(*asked.capabilities, facts, user_namespace, process);
    drop_repeated_names(process.dropped_capabilities);
    for (const auto& limit : asked.rlimits) {
        auto resource = spec::find_word(spec::rlimits(), limit.type);
        process.rlimits.push_back({limit.type, static_cast<int>(resource.value_or(0)), limit.soft, limit.hard});
    }
    process.no_new_privileges = asked.no_new_privileges;
    process.oom_score_adj = asked.oom_score_adj;
    process.oom_score_may_fail = facts.uid != 0 || facts.in_user_namespace;
    process.apparmor_profile = asked.apparmor_profile;
    process.selinux_label = asked.selinux_label;
    process.scheduler = asked.scheduler;
    process.io_priority = asked.io_priority;
    process.exec_cpu_affinity = asked.exec_cpu_affinity;
    return process;
}

} // namespace brig::plan
