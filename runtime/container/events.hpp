// What a container uses, once or while it runs, and when the kernel kills in it for want of memory.
//
// Runs in: the caller; watch_events blocks it until the container stops. Errors: kind wrong_state "container is not running";
// not_supported for a container without a cgroup.
#pragma once

#include "base/json.hpp"
#include "base/result.hpp"
#include "cgroup/stats.hpp"
#include "container/context.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace brig::container {

// As the container sees it: received is what came in.
struct NetworkInterface {
    struct Direction {
        uint64_t bytes = 0;
        uint64_t packets = 0;
        uint64_t errors = 0;
        uint64_t dropped = 0;
    };
    std::string name; // printable ASCII; other bytes are written as \xNN
    Direction received;
    Direction sent;
};

struct Stats {
    cgroup::Stats cgroup;
    std::vector<NetworkInterface> interfaces; // empty: it uses the host's network
};

Result<Stats> stats(const Context& context, const std::string& id);

// An error that a function returns ends the watch with it.
struct EventHandlers {
    std::function<Result<>(const Stats&)> stats;
    std::function<Result<>()> out_of_memory; // several kills in quick succession are one event
};

// Stats come every `interval` milliseconds, the first after one; out-of-memory events at once, those that ended the
// container included.
Result<> watch_events(const Context& context, const std::string& id, int64_t interval, const EventHandlers& handlers);

// The content of /proc/PID/net/dev.
std::vector<NetworkInterface> parse_network_interfaces(std::string_view text);

// The objects that `runc events` prints, one a line; what the kernel does not count is left out or 0, as there. Beyond
// runc: `peak` in memory.usage and in pids.
Json stats_event(const std::string& id, const Stats& stats);
Json out_of_memory_event(const std::string& id);

} // namespace brig::container
