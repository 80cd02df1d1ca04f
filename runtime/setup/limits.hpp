// Limits and scheduling of the process, and the sysctls of its namespaces.
//
// Runs in: the container's init and exec's. Implements config.md "rlimits", "oomScoreAdj", "scheduler", "ioPriority",
// "execCPUAffinity", config-linux.md "Sysctl", "Personality", "MemoryPolicy".
#pragma once

#include "base/result.hpp"
#include "kernel/procfs.hpp"
#include "plan/plan.hpp"

namespace brig::setup {

// Needs the init's original privileges: before the user changes. Errors name the limit and the remedy.
Result<> apply_rlimits(const plan::Process& process);
Result<> apply_oom_score(const kernel::Procfs& procfs, const plan::Process& process);
Result<> apply_scheduling(const plan::Process& process);
Result<> apply_personality(const plan::Process& process);
Result<> apply_sysctls(const kernel::Procfs& procfs, const std::vector<plan::Sysctl>& sysctls);

} // namespace brig::setup
