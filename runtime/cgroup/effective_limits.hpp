// What a process's cgroup allows it and what it uses: of each limit the lowest on the way up to the root counts.
//
// Runs in: the caller. Files that are not there limit nothing. Errors: kind system for a file that exists and cannot be
// read, internal for one that does not hold what it should.
#pragma once

#include "base/result.hpp"
#include "cgroup/cgroup.hpp"
#include "cgroup/stats.hpp"
#include "kernel/host_facts.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace brig::cgroup {

struct EffectiveLimits {
    std::vector<std::string> paths; // of the cgroup, each once
    Count memory;                   // bytes; absent: not limited, as all here
    Count swap;                     // bytes besides the memory
    Count pids;
    Count milli_cpus; // thousandths of a processor
    Count memory_used;
    Count memory_peak;
    Count pids_used;
    Count cpu_used;               // nanoseconds
    bool swap_is_counted = false; // the kernel can limit it at all
};

// The cgroups that the text of /proc/PID/cgroup names, as the caller's mounts show them.
std::vector<Location> locations_of_process(std::string_view text, const HostFacts& facts);

Result<EffectiveLimits> read_effective_limits(const std::vector<Location>& locations);

} // namespace brig::cgroup
