// What the result of a program needs of a cgroup's counts, and nothing else: a handful of files instead of all of stats.hpp.
//
// Runs in: the supervisor of a sandbox. Files that are not there count nothing.
#pragma once

#include "base/result.hpp"
#include "cgroup/cgroup.hpp"

#include <cstdint>
#include <vector>

namespace brig::cgroup {

struct Usage {
    uint64_t cpu_user = 0; // nanoseconds
    uint64_t cpu_kernel = 0;
    uint64_t memory_peak = 0; // bytes
    uint64_t pids_peak = 0;
    uint64_t io_read = 0; // bytes, of block devices
    uint64_t io_written = 0;
};

Result<Usage> read_usage(const std::vector<Location>& locations);

// How often limits were met with a kill or a refusal.
struct LimitEvents {
    uint64_t oom_kills = 0;     // processes killed for want of memory
    uint64_t pids_refusals = 0; // forks refused by the limit of processes
};

Result<LimitEvents> read_limit_events(const std::vector<Location>& locations);

} // namespace brig::cgroup
