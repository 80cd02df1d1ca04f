#include "sandbox/policy_limits.hpp"

#include "policy/tighten.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace brig::sandbox {

namespace {

using Value = std::optional<uint64_t>;

struct UnsignedLimit {
    uint64_t Limits::*limit;
    Value value;
};

struct TimeLimit {
    int64_t Limits::*limit;
    Value value;
};

std::array<UnsignedLimit, 9> unsigned_limits(const policy::Policy& policy)
{
    return {{{&Limits::memory, policy.resources.memory_bytes},
             {&Limits::milli_cpus, policy.resources.milli_cpus},
             {&Limits::pids, policy.resources.pids},
             {&Limits::disk, policy.resources.disk_bytes},
             {&Limits::output, policy.limits.output_bytes},
             {&Limits::log, policy.limits.log_bytes},
             {&Limits::programs, policy.limits.programs},
             {&Limits::artifact_count, policy.artifacts.count},
             {&Limits::artifact_bytes, policy.artifacts.bytes}}};
}

std::array<TimeLimit, 4> time_limits(const policy::Policy& policy)
{
    return {{{&Limits::timeout, policy.limits.timeout_ms},
             {&Limits::grace, policy.limits.grace_ms},
             {&Limits::idle, policy.limits.idle_ms},
             {&Limits::lifetime, policy.limits.lifetime_ms}}};
}

} // namespace

void take_limits(Limits& limits, const policy::Policy& policy)
{
    for (const auto& [limit, value] : unsigned_limits(policy))
        limits.*limit = value.value_or(limits.*limit);
    for (const auto& [limit, value] : time_limits(policy))
        limits.*limit = value ? static_cast<int64_t>(*value) : limits.*limit;
}

void lower_limits(Limits& limits, const policy::Policy& policy)
{
    for (const auto& [limit, value] : unsigned_limits(policy))
        if (value)
            limits.*limit = std::min(limits.*limit, *value);
    // 0 is none, which a policy that has one does not let be.
    for (const auto& [limit, value] : time_limits(policy))
        if (value)
            limits.*limit =
                limits.*limit == 0 ? static_cast<int64_t>(*value) : std::min(limits.*limit, static_cast<int64_t>(*value));
}

Result<std::vector<std::string>> allowed_environment(std::vector<std::string> environment, const policy::Policy& policy)
{
    spec::Process process;
    process.env = std::move(environment);
    TRY(policy::tighten_process(process, policy, policy::HostLimits{}));
    return std::move(process.env);
}

} // namespace brig::sandbox
