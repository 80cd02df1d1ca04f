#include "cgroup/effective_limits.hpp"

#include "base/text.hpp"
#include "cgroup/stats_reader.hpp"

#include <algorithm>

namespace brig::cgroup {

namespace {

// v1 writes the highest multiple of a page for no limit.
constexpr uint64_t unlimited_from = uint64_t{1} << 60;

void lower(Count& limit, Count candidate)
{
    if (candidate && *candidate < unlimited_from)
        limit = std::min(limit.value_or(unlimited), *candidate);
}

// "50000 100000" or "max 100000" of v2.
Count milli_cpus_of(const std::string& text)
{
    auto words = words_of(trim(text));
    if (words.size() != 2)
        return {};
    auto quota = parse_unsigned(words[0]);
    auto period = parse_unsigned(words[1]);
    if (!quota || !period || *period == 0)
        return {};
    return *quota * 1000 / *period;
}

Result<> lower_cpu_of_v1(EffectiveLimits& limits, const StatsReader& reader)
{
    std::string quota = TRY(reader.text("cpu.cfs_quota_us")).value_or("");
    std::string period = TRY(reader.text("cpu.cfs_period_us")).value_or("");
    lower(limits.milli_cpus, milli_cpus_of(fmt::format("{} {}", trim(quota), trim(period)))); // -1: none
    return {};
}

Result<> lower_memory_of_v1(EffectiveLimits& limits, const StatsReader& reader)
{
    Count memory;
    Count together;
    TRY(reader.fill(memory, "memory.limit_in_bytes"));
    TRY(reader.fill(together, "memory.memsw.limit_in_bytes"));
    limits.swap_is_counted = limits.swap_is_counted || together.has_value();
    lower(limits.memory, memory);
    if (memory && together && *together < unlimited_from)
        lower(limits.swap, *together - std::min(*memory, *together));
    return {};
}

Result<> lower_limits_of_v2(EffectiveLimits& limits, const StatsReader& reader)
{
    Count memory;
    Count swap;
    TRY(reader.fill(memory, "memory.max"));
    TRY(reader.fill(swap, "memory.swap.max"));
    limits.swap_is_counted = limits.swap_is_counted || swap.has_value();
    lower(limits.memory, memory);
    lower(limits.swap, swap);
    lower(limits.milli_cpus, milli_cpus_of(TRY(reader.text("cpu.max")).value_or("")));
    return {};
}

Result<> lower_limits(EffectiveLimits& limits, const std::string& directory)
{
    auto reader = TRY(StatsReader::open(directory));
    TRY(lower_limits_of_v2(limits, reader));
    TRY(lower_memory_of_v1(limits, reader));
    TRY(lower_cpu_of_v1(limits, reader));
    Count pids;
    TRY(reader.fill(pids, "pids.max"));
    lower(limits.pids, pids);
    return {};
}

} // namespace

std::vector<Location> locations_of_process(std::string_view text, const HostFacts& facts)
{
    std::vector<Location> locations;
    for (auto line : split(text, '\n')) {
        auto first = line.find(':');
        auto second = line.find(':', first + 1);
        if (first == std::string_view::npos || second == std::string_view::npos)
            continue;
        auto controllers = line.substr(first + 1, second - first - 1);
        std::string path(line.substr(second + 1));
        if (path.find("/..") != std::string::npos)
            continue; // outside of the caller's cgroup namespace
        if (controllers.empty() && !facts.cgroup_v2_mount_point.empty())
            locations.push_back({facts.cgroup_v2_mount_point, path, facts.cgroup_v2_controllers, true});
        for (const auto& hierarchy : facts.cgroup_v1)
            if (join(hierarchy.controllers, ",") == controllers)
                locations.push_back({hierarchy.mount_point, path, hierarchy.controllers, false});
    }
    return locations;
}

Result<EffectiveLimits> read_effective_limits(const std::vector<Location>& locations)
{
    EffectiveLimits limits;
    for (const auto& location : locations) {
        if (std::ranges::find(limits.paths, location.path) == limits.paths.end())
            limits.paths.push_back(location.path);
        for (std::string path = location.path; path.size() > 1; path = std::string(parent_path(path)))
            TRY(lower_limits(limits, location.mount_point + path));
    }
    Stats stats = TRY(read_stats(locations));
    limits.memory_used = stats.memory.memory.usage;
    limits.memory_peak = stats.memory.memory.peak;
    limits.pids_used = stats.pids.current;
    limits.cpu_used = stats.cpu.total;
    return limits;
}

} // namespace brig::cgroup
