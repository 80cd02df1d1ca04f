#include "cgroup/limit_events.hpp"

#include "cgroup/stats_reader.hpp"

#include <algorithm>
#include <array>

namespace brig::cgroup {

namespace {

Result<> fill_one(Count& target, const StatsReader& reader, const std::string& file, std::string_view key)
{
    return reader.fill(std::array{KeyedCount{key, &target}}, file);
}

} // namespace

Result<LimitEvents> read_limit_events(const std::vector<Location>& locations)
{
    Count kills;
    Count refusals;
    for (const auto& location : locations) {
        auto reader = TRY(StatsReader::open(location.directory()));
        auto has = [&](std::string_view controller) {
            return location.unified || std::ranges::find(location.controllers, controller) != location.controllers.end();
        };
        if (has("memory"))
            TRY(fill_one(kills, reader, location.unified ? "memory.events" : "memory.oom_control", "oom_kill"));
        if (has("pids"))
            TRY(fill_one(refusals, reader, "pids.events", "max"));
    }
    return LimitEvents{kills.value_or(0), refusals.value_or(0)};
}

} // namespace brig::cgroup
