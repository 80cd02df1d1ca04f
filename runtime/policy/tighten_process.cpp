#include "policy/changes.hpp"

#include "spec/vocabulary.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace brig::policy {

namespace {

std::string list_text(const std::vector<std::string>& names)
{
    return names.empty() ? "none" : join(names, " ");
}

void keep_capabilities(spec::Capabilities& capabilities, const std::vector<std::string>& kept, Changes& changes)
{
    struct Set {
        std::string_view name;
        std::vector<std::string>& names;
    };
    for (auto& set : {Set{"bounding", capabilities.bounding}, Set{"effective", capabilities.effective},
                      Set{"inheritable", capabilities.inheritable}, Set{"permitted", capabilities.permitted},
                      Set{"ambient", capabilities.ambient}}) {
        std::string before = list_text(set.names);
        if (std::erase_if(set.names, [&](const auto& name) { return std::ranges::find(kept, name) == kept.end(); }) == 0)
            continue;
        changes.add(fmt::format("process.capabilities.{}", set.name), before, list_text(set.names),
                    fmt::format("keeps at most: {}", list_text(kept)));
    }
}

std::string rlimit_text(const spec::Rlimit& limit)
{
    auto number = [](uint64_t value) {
        return value == std::numeric_limits<uint64_t>::max() ? std::string("unlimited") : std::to_string(value);
    };
    return limit.soft == limit.hard ? number(limit.hard) : fmt::format("{} to {}", number(limit.soft), number(limit.hard));
}

void lower_rlimit(spec::Process& process, const std::string& type, uint64_t most, const HostLimits& host, Changes& changes)
{
    auto found = std::ranges::find(process.rlimits, type, &spec::Rlimit::type);
    bool given = found != process.rlimits.end();
    auto callers = std::ranges::find(host.callers_limits, type, &spec::Rlimit::type);
    spec::Rlimit before{type, std::numeric_limits<uint64_t>::max(), std::numeric_limits<uint64_t>::max()};
    if (given)
        before = *found;
    else if (callers != host.callers_limits.end())
        before = *callers;
    if (before.hard <= most)
        return;
    spec::Rlimit after{type, most, std::min(before.soft, most)};
    if (given)
        *found = after;
    else
        process.rlimits.push_back(after);
    changes.add(fmt::format("process.rlimits {}", type), rlimit_text(before), rlimit_text(after), fmt::format("allows {}", most));
}

void lower_rlimits(spec::Process& process, const Resources& resources, const HostLimits& host, Changes& changes)
{
    struct Limit {
        const char* type;
        const std::optional<uint64_t>& most;
    };
    for (const auto& [type, most] : {Limit{"RLIMIT_NOFILE", resources.open_files}, Limit{"RLIMIT_FSIZE", resources.file_bytes},
                                     Limit{"RLIMIT_CORE", resources.core_bytes}})
        if (most)
            lower_rlimit(process, type, *most, host, changes);
}

// "LC_*" covers "LC_ALL".
bool is_allowed(std::string_view name, const std::vector<std::string>& allowed)
{
    return std::ranges::any_of(allowed, [&](std::string_view entry) {
        return entry.ends_with('*') ? name.starts_with(entry.substr(0, entry.size() - 1)) : name == entry;
    });
}

std::string_view name_of(std::string_view entry)
{
    return entry.substr(0, entry.find('='));
}

void filter_environment(spec::Process& process, const Environment& environment, Changes& changes)
{
    auto not_covered = [&](const std::string& entry) {
        bool set = environment.set.contains(std::string(name_of(entry)));
        return !set && environment.allow && !is_allowed(name_of(entry), *environment.allow);
    };
    // Values may be secrets, and explanations are read by others.
    for (const auto& entry : process.env)
        if (not_covered(entry))
            changes.add(fmt::format("process.env {}", name_of(entry)), "set", "removed", "does not name it in env.allow");
    std::erase_if(process.env, not_covered);
    for (const auto& [set_name, value] : environment.set) {
        const std::string& name = set_name; // clang takes no structured binding into a lambda
        std::string wanted = fmt::format("{}={}", name, value);
        auto same = [&](const std::string& entry) { return name_of(entry) == name; };
        bool given = std::ranges::any_of(process.env, same);
        if (std::ranges::count(process.env, wanted) == 1 && std::ranges::count_if(process.env, same) == 1)
            continue;
        std::erase_if(process.env, same);
        process.env.push_back(wanted);
        changes.add(fmt::format("process.env {}", name), given ? "set" : "not set", value, "sets it");
    }
}

Result<> refuse_real_time(spec::Process& process, Changes& changes)
{
    constexpr std::array<std::string_view, 3> real_time = {"SCHED_FIFO", "SCHED_RR", "SCHED_DEADLINE"};
    if (process.scheduler && std::ranges::find(real_time, process.scheduler->policy) != real_time.end())
        return changes.refuse("process.scheduler.policy", process.scheduler->policy, "has privileges.realTime false",
                              "use SCHED_OTHER, SCHED_BATCH or SCHED_IDLE");
    if (process.io_priority && process.io_priority->class_name == "IOPRIO_CLASS_RT")
        return changes.refuse("process.ioPriority.class", "IOPRIO_CLASS_RT", "has privileges.realTime false",
                              "use IOPRIO_CLASS_BE or IOPRIO_CLASS_IDLE");
    if (process.scheduler && process.scheduler->nice.value_or(0) < 0) {
        changes.add("process.scheduler.nice", std::to_string(*process.scheduler->nice), "0", "has privileges.realTime false");
        process.scheduler->nice = 0;
    }
    return {};
}

void raise_oom_score(spec::Process& process, int lowest, Changes& changes)
{
    // An absent value is the caller's, which is an engine's and may be -999.
    if (process.oom_score_adj && *process.oom_score_adj >= lowest)
        return;
    changes.add("process.oomScoreAdj", process.oom_score_adj ? std::to_string(*process.oom_score_adj) : "the caller's",
                std::to_string(lowest), "sets its lowest value");
    process.oom_score_adj = lowest;
}

} // namespace

Result<> tighten_process_with(spec::Process& process, const Policy& policy, const HostLimits& host, Changes& changes)
{
    const Privileges& privileges = policy.privileges;
    if (privileges.capabilities && process.capabilities)
        keep_capabilities(*process.capabilities, *privileges.capabilities, changes);
    if (privileges.no_new_privileges && !process.no_new_privileges) {
        changes.add("process.noNewPrivileges", "false", "true", "demands it: setuid programs gain nothing");
        process.no_new_privileges = true;
    }
    if (!privileges.real_time)
        TRY(refuse_real_time(process, changes));
    if (privileges.lowest_oom_score_adj)
        raise_oom_score(process, *privileges.lowest_oom_score_adj, changes);
    lower_rlimits(process, policy.resources, host, changes);
    filter_environment(process, policy.environment, changes);
    return {};
}

} // namespace brig::policy
