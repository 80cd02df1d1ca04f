#include "cgroup/usage.hpp"

#include "base/text.hpp"
#include "cgroup/stats_reader.hpp"

#include <algorithm>
#include <array>

namespace brig::cgroup {

namespace {

bool has(const Location& location, std::string_view controller)
{
    return location.unified || std::ranges::find(location.controllers, controller) != location.controllers.end();
}

struct Counts {
    Count cpu_user;
    Count cpu_kernel;
    Count memory_peak;
    Count pids_peak;
    uint64_t io_read = 0;
    uint64_t io_written = 0;
};

// "8:0 Read 4096" of v1.
void add_v1_io(Counts& counts, std::string_view text)
{
    for (auto line : split(text, '\n')) {
        auto words = words_of(line);
        if (words.size() != 3)
            continue;
        uint64_t bytes = parse_unsigned(words[2]).value_or(0);
        counts.io_read += words[1] == "Read" ? bytes : 0;
        counts.io_written += words[1] == "Write" ? bytes : 0;
    }
}

// "8:0 rbytes=4096 wbytes=0 ..." of v2.
void add_v2_io(Counts& counts, std::string_view text)
{
    for (auto line : split(text, '\n'))
        for (auto word : words_of(line)) {
            auto equals = std::min(word.find('='), word.size() - 1);
            uint64_t bytes = parse_unsigned(word.substr(equals + 1)).value_or(0);
            counts.io_read += word.starts_with("rbytes=") ? bytes : 0;
            counts.io_written += word.starts_with("wbytes=") ? bytes : 0;
        }
}

Result<> read_v2(Counts& counts, const StatsReader& reader)
{
    constexpr uint64_t microsecond = 1000;
    if (!counts.cpu_user)
        TRY(reader.fill(std::array{KeyedCount{"user_usec", &counts.cpu_user, microsecond},
                                   KeyedCount{"system_usec", &counts.cpu_kernel, microsecond}},
                        "cpu.stat"));
    TRY(reader.fill(counts.memory_peak, "memory.peak"));
    TRY(reader.fill(counts.pids_peak, "pids.peak"));
    add_v2_io(counts, TRY(reader.text("io.stat")).value_or(""));
    return {};
}

Result<> read_v1(Counts& counts, const StatsReader& reader, const Location& location)
{
    if (has(location, "cpuacct")) {
        TRY(reader.fill(counts.cpu_user, "cpuacct.usage_user"));
        TRY(reader.fill(counts.cpu_kernel, "cpuacct.usage_sys"));
    }
    if (has(location, "memory"))
        TRY(reader.fill(counts.memory_peak, "memory.max_usage_in_bytes"));
    if (has(location, "pids"))
        TRY(reader.fill(counts.pids_peak, "pids.peak"));
    if (has(location, "blkio"))
        add_v1_io(counts, TRY(reader.text("blkio.throttle.io_service_bytes")).value_or(""));
    return {};
}

} // namespace

Result<Usage> read_usage(const std::vector<Location>& locations)
{
    Counts counts;
    // v1 first: where both count processor time, it counts in nanoseconds.
    for (bool unified : {false, true})
        for (const auto& location : locations) {
            if (location.unified != unified)
                continue;
            auto reader = TRY(StatsReader::open(location.directory()));
            TRY(unified ? read_v2(counts, reader) : read_v1(counts, reader, location));
        }
    return Usage{counts.cpu_user.value_or(0),
                 counts.cpu_kernel.value_or(0),
                 counts.memory_peak.value_or(0),
                 counts.pids_peak.value_or(0),
                 counts.io_read,
                 counts.io_written};
}

Result<LimitEvents> read_limit_events(const std::vector<Location>& locations)
{
    Count kills;
    Count refusals;
    for (const auto& location : locations) {
        bool memory = has(location, "memory");
        bool pids = has(location, "pids");
        if (!memory && !pids)
            continue;
        auto reader = TRY(StatsReader::open(location.directory()));
        if (memory)
            TRY(reader.fill(std::array{KeyedCount{"oom_kill", &kills}},
                            location.unified ? "memory.events" : "memory.oom_control"));
        if (pids)
            TRY(reader.fill(std::array{KeyedCount{"max", &refusals}}, "pids.events"));
    }
    return LimitEvents{kills.value_or(0), refusals.value_or(0)};
}

} // namespace brig::cgroup
