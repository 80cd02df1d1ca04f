// Asks the kernel what a process and its container are confined by.
//
// Runs in: the caller, outside of the container; nothing in it is changed, stopped or entered. Everything about a process is read
// through one descriptor of its /proc folder, so that another process that gets its number is never taken for it. What the
// container may have written (names, mounts, addresses) is only passed on.
// Errors: kind not_found when the process is gone, system for what the caller may not read.
#pragma once

#include "base/result.hpp"
#include "inspect/confinement.hpp"
#include "kernel/host_facts.hpp"

#include <sys/types.h>
#include <vector>

namespace brig::inspect {

struct Subject {
    pid_t pid = 0;
    uint64_t start_time = 0;      // 0: whoever has the pid now
    std::vector<pid_t> processes; // of the container; empty: those in the process's cgroup
};

// The members about brig's own containers stay empty: the caller knows them.
Result<Confinement> read_confinement(const Subject& subject, const HostFacts& facts);

} // namespace brig::inspect
