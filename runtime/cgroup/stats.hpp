// What the kernel counts for a cgroup, read from v1, v2 and hybrid hosts into one plain struct.
//
// Runs in: the caller. A file that the kernel does not have (another version, a controller that is off) is an absent value,
// never an error. Times are nanoseconds, sizes bytes. Errors: kind system for a file that exists and cannot be read,
// internal for one that does not hold what it should.
#pragma once

#include "base/result.hpp"
#include "cgroup/cgroup.hpp"

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace brig::cgroup {

using Count = std::optional<uint64_t>;

// "max" of v2. v1 has a value of its own, the highest multiple of a page.
constexpr uint64_t unlimited = std::numeric_limits<uint64_t>::max();

// Pressure stall information: the share of time, in percent, that some or all processes waited.
struct Pressure {
    struct Line {
        double average_10 = 0; // over as many seconds
        double average_60 = 0;
        double average_300 = 0;
        uint64_t total = 0; // microseconds
    };
    Line some;
    Line full;
};

struct CpuStats {
    Count total;
    Count kernel;
    Count user;
    std::vector<uint64_t> per_cpu; // v1 only, these three
    std::vector<uint64_t> per_cpu_kernel;
    std::vector<uint64_t> per_cpu_user;
    Count periods;
    Count throttled_periods;
    Count throttled_time;
    std::optional<Pressure> pressure;
};

struct CpusetStats {
    std::vector<uint32_t> cpus;
    std::vector<uint32_t> mems;
    Count cpu_exclusive; // v1 only, from here
    Count mem_exclusive;
    Count mem_hardwall;
    Count memory_migrate;
    Count memory_spread_page;
    Count memory_spread_slab;
    Count memory_pressure;
    Count sched_load_balance;
    std::optional<int64_t> sched_relax_domain_level;
};

struct MemoryUse {
    Count limit;
    Count usage;
    Count peak;
    Count failures; // how often the limit was met
};

struct MemoryStats {
    Count cache;
    MemoryUse memory;
    MemoryUse memory_and_swap;
    MemoryUse kernel;                                  // v1 only
    MemoryUse kernel_tcp;                              // v1 only
    std::vector<std::pair<std::string, uint64_t>> raw; // memory.stat
    std::optional<Pressure> pressure;
};

struct PidsStats {
    Count current;
    Count limit;
    Count peak;
};

struct BlockIoCount {
    uint64_t major = 0;
    uint64_t minor = 0;
    std::string operation; // "Read", "Write"...; empty for counts that have none
    uint64_t value = 0;
};

struct BlockIoStats {
    std::vector<BlockIoCount> service_bytes;
    std::vector<BlockIoCount> serviced;
    std::vector<BlockIoCount> queued; // v1 with a scheduler that counts, from here
    std::vector<BlockIoCount> service_time;
    std::vector<BlockIoCount> wait_time;
    std::vector<BlockIoCount> merged;
    std::vector<BlockIoCount> time;
    std::vector<BlockIoCount> sectors;
    std::optional<Pressure> pressure;
};

struct HugePageStats {
    Count usage;
    Count peak; // v1 only
    Count failures;
};

struct Stats {
    CpuStats cpu;
    CpusetStats cpuset;
    MemoryStats memory;
    PidsStats pids;
    BlockIoStats block_io;
    std::map<std::string, HugePageStats> huge_pages; // by size as the kernel writes it, "2MB"
};

// Of the cgroup that has these directories. Where two hierarchies count the same (cpu.stat of a hybrid host), v1 has it,
// which counts in nanoseconds and by CPU.
Result<Stats> read_stats(const std::vector<Location>& locations);

} // namespace brig::cgroup
