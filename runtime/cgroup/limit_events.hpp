// How often a cgroup's limits were met with a refusal or a kill, as the kernel counts it.
//
// Runs in: the supervisor of a sandbox. Files that are not there count nothing.
#pragma once

#include "base/result.hpp"
#include "cgroup/cgroup.hpp"

#include <cstdint>
#include <vector>

namespace brig::cgroup {

struct LimitEvents {
    uint64_t oom_kills = 0;     // processes killed for want of memory
    uint64_t pids_refusals = 0; // forks refused by the limit of processes
};

Result<LimitEvents> read_limit_events(const std::vector<Location>& locations);

} // namespace brig::cgroup
