#include "spec/check_spec.hpp"
#include "spec/checks.hpp"
#include "spec/index_list.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace brig::spec {

namespace {

Result<> check_command(const Process& process)
{
    if (process.args.empty())
        return refused("process.args is empty", "its first item names the program");
    // The engines tell "not found" (exit status 127) from other failures by this text.
    if (process.args.front().empty())
        return refused("exec: \"\": executable file not found in $PATH", "process.args[0] is empty");
    return check_absolute("process.cwd", process.cwd);
}

Result<> check_environment(const Process& process)
{
    for (size_t i = 0; i < process.env.size(); i++) {
        auto equals = process.env[i].find('=');
        if (equals == std::string::npos || equals == 0)
            return refused(fmt::format("process.env[{}] must be NAME=value, not {}", i, quoted(process.env[i])));
    }
    return {};
}

Result<> check_user(const Process& process)
{
    constexpr uint32_t all_bits = 0777;
    if (process.user.umask.value_or(0) > all_bits)
        return refused(fmt::format("process.user.umask must be at most {}, not {}", all_bits, *process.user.umask),
                       "JSON numbers are decimal: 0022 is 18");
    // setresuid and setgroups read it as "leave it as it is": the process would stay root.
    constexpr uint32_t unchanged = UINT32_MAX;
    auto check_id = [](std::string_view name, uint32_t id) -> Result<> {
        if (id == unchanged)
            return refused(fmt::format("process.user.{} must not be {}", name, id), "the largest ID is 4294967294");
        return {};
    };
    TRY(check_id("uid", process.user.uid));
    TRY(check_id("gid", process.user.gid));
    for (uint32_t gid : process.user.additional_gids)
        TRY(check_id("additionalGids", gid));
    return {};
}

Result<> check_capabilities(const Process& process)
{
    if (!process.capabilities)
        return {};
    const auto& sets = *process.capabilities;
    TRY(check_words("process.capabilities.bounding", sets.bounding, capabilities()));
    TRY(check_words("process.capabilities.effective", sets.effective, capabilities()));
    TRY(check_words("process.capabilities.inheritable", sets.inheritable, capabilities()));
    TRY(check_words("process.capabilities.permitted", sets.permitted, capabilities()));
    TRY(check_words("process.capabilities.ambient", sets.ambient, capabilities()));
    for (const auto& name : sets.effective)
        if (std::ranges::find(sets.permitted, name) == sets.permitted.end())
            return refused(fmt::format("process.capabilities.effective has {} that permitted lacks", name),
                           "the kernel refuses that: add it to process.capabilities.permitted");
    return {};
}

Result<> check_rlimits(const Process& process)
{
    std::set<std::string_view> seen;
    for (size_t i = 0; i < process.rlimits.size(); i++) {
        const auto& limit = process.rlimits[i];
        TRY(check_word(fmt::format("process.rlimits[{}].type", i), limit.type, rlimits()));
        if (limit.soft > limit.hard)
            return refused(fmt::format("process.rlimits[{}].soft is {}, above the hard limit {}", i, limit.soft, limit.hard));
        if (!seen.insert(limit.type).second)
            return refused(fmt::format("process.rlimits has {} twice", limit.type));
    }
    return {};
}

Result<> check_oom_score(const Process& process)
{
    constexpr int limit = 1000;
    int score = process.oom_score_adj.value_or(0);
    if (score < -limit || score > limit)
        return refused(fmt::format("process.oomScoreAdj must be from -1000 to 1000, not {}", score));
    return {};
}

Result<> check_deadline(const Scheduler& scheduler)
{
    constexpr uint64_t shortest = 1024; // the kernel's DL_SCALE: less is EINVAL
    uint64_t runtime = scheduler.runtime.value_or(0);
    uint64_t deadline = scheduler.deadline.value_or(0);
    uint64_t period = scheduler.period.value_or(0);
    if (scheduler.policy != "SCHED_DEADLINE") {
        if (runtime == 0 && deadline == 0 && period == 0)
            return {};
        return refused(fmt::format("process.scheduler has runtime, deadline or period with {}", scheduler.policy),
                       "they belong to SCHED_DEADLINE");
    }
    if (runtime < shortest || runtime > deadline || (period != 0 && deadline > period))
        return refused(
            fmt::format("process.scheduler runtime {}, deadline {}, period {} cannot be scheduled", runtime, deadline, period),
            "the kernel wants 1024 <= runtime <= deadline <= period, in nanoseconds");
    return {};
}

Result<> check_scheduler(const Process& process)
{
    if (!process.scheduler)
        return {};
    const auto& scheduler = *process.scheduler;
    TRY(check_word("process.scheduler.policy", scheduler.policy, scheduler_policies()));
    TRY(check_words("process.scheduler.flags", scheduler.flags, scheduler_flags()));
    int nice = scheduler.nice.value_or(0);
    if (nice < -20 || nice > 19)
        return refused(fmt::format("process.scheduler.nice must be from -20 to 19, not {}", nice));
    int priority = scheduler.priority.value_or(0);
    bool real_time = scheduler.policy == "SCHED_FIFO" || scheduler.policy == "SCHED_RR";
    if (real_time && (priority < 1 || priority > 99))
        return refused(fmt::format("process.scheduler.priority must be from 1 to 99 for {}, not {}", scheduler.policy, priority));
    if (!real_time && priority != 0)
        return refused(fmt::format("process.scheduler.priority {} with {}", priority, scheduler.policy),
                       "only SCHED_FIFO and SCHED_RR have priorities");
    return check_deadline(scheduler);
}

Result<> check_io_priority(const Process& process)
{
    if (!process.io_priority)
        return {};
    TRY(check_word("process.ioPriority.class", process.io_priority->class_name, io_priority_classes()));
    if (process.io_priority->priority < 0 || process.io_priority->priority > 7)
        return refused(fmt::format("process.ioPriority.priority must be from 0 to 7, not {}", process.io_priority->priority));
    return {};
}

Result<> check_affinity(std::string_view property, std::string_view list)
{
    auto parsed = parse_index_list(list);
    if (parsed)
        return {};
    return refused(fmt::format("{} is not a list of CPUs: {}", property, parsed.error().what()), "write it like 0-3,7");
}

Result<> check_affinities(const Process& process)
{
    if (!process.exec_cpu_affinity)
        return {};
    TRY(check_affinity("process.execCPUAffinity.initial", process.exec_cpu_affinity->initial));
    return check_affinity("process.execCPUAffinity.final", process.exec_cpu_affinity->final);
}

constexpr std::array<Check<Process>, 9> process_checks = {{
    {"there is a program and a directory to start it in", check_command},
    {"environment entries have names", check_environment},
    {"user", check_user},
    {"capabilities are known and can be effective", check_capabilities},
    {"resource limits", check_rlimits},
    {"OOM score", check_oom_score},
    {"scheduler", check_scheduler},
    {"I/O priority", check_io_priority},
    {"CPU affinity", check_affinities},
}};

} // namespace

Result<> check_process(const Process& process)
{
    return run_checks<Process>(process_checks, process);
}

} // namespace brig::spec
