// Limits and scheduling of the process, and the sysctls of its namespaces.
//
// Implements config.md "rlimits", "oomScoreAdj", "scheduler", "ioPriority", "execCPUAffinity", config-linux.md "Sysctl",
// "Personality", "MemoryPolicy". Each function does nothing when the plan does not ask for it.
#pragma once

#include "base/result.hpp"
#include "kernel/procfs.hpp"
#include "plan/plan.hpp"

#include <string_view>
#include <sys/types.h>

namespace brig::setup {

// Both run in the launcher for the container's init `pid`, or in the process itself (pid 0), before it becomes its user.
// From a user namespace nobody can raise limits or lower the score, so there the launcher must do it.
// Errors name the limit, both values and the remedy.
Result<> apply_rlimits(pid_t pid, const plan::Process& process);
// `procfs` is one of the pid namespace that `pid` counts in. A caller who is not root may fail to lower it, as with runc.
Result<> apply_oom_score(const kernel::Procfs& procfs, pid_t pid, const plan::Process& process);

// Run in the process itself, with its cgroup joined, before it becomes its user.
Result<> apply_scheduling(const plan::Process& process); // scheduler and I/O priority
Result<> apply_memory_policy(const plan::Process& process);
Result<> apply_personality(const plan::Process& process);
// A list of execCPUAffinity, for the calling process. An empty list changes nothing.
Result<> apply_cpu_affinity(std::string_view cpus);

// Runs in the init inside of all its namespaces; opens its own procfs, since the usual one shows no sysctls.
Result<> apply_sysctls(const std::vector<plan::Sysctl>& sysctls);

} // namespace brig::setup
