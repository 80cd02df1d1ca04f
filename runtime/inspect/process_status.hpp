// What one process may do, from /proc/PID/status and its neighbours.
//
// Layer: pure. Errors: kind internal for text of another form.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace brig::inspect {

// A range of a user namespace's ids; `outside` as the caller's user namespace sees them.
struct IdMapping {
    uint64_t inside = 0;
    uint64_t outside = 0;
    uint64_t count = 0;
};

// Bits by capability number.
struct CapabilitySets {
    uint64_t inheritable = 0;
    uint64_t permitted = 0;
    uint64_t effective = 0;
    uint64_t bounding = 0;
    uint64_t ambient = 0;

    // What the process has, or can get by executing a program of root's.
    uint64_t reachable(bool no_new_privileges) const
    {
        return permitted | effective | ambient | (no_new_privileges ? 0 : bounding);
    }
};

enum class SeccompMode { none, strict, filter };

struct ProcessStatus {
    pid_t pid = 0;
    std::string name; // at most 15 bytes, of the process's own choice
    uint64_t uid = 0; // effective
    uint64_t gid = 0;
    std::vector<uint64_t> groups; // supplementary
    CapabilitySets capabilities;
    bool no_new_privileges = false;
    SeccompMode seccomp = SeccompMode::none;
    std::optional<uint64_t> filters; // loaded; absent: a kernel before 5.9
    std::string label;               // "docker-default (enforce)", "unconfined"; empty: no security module has one
    bool own_user_namespace = false; // another than the caller's: its capabilities do not reach the host
};

// Of /proc/PID/status.
Result<ProcessStatus> parse_process_status(std::string_view text);
// Of /proc/PID/uid_map or gid_map.
Result<std::vector<IdMapping>> parse_id_map(std::string_view text);

// The id inside a user namespace; absent: not mapped.
std::optional<uint64_t> id_inside(const std::vector<IdMapping>& map, uint64_t outside);

} // namespace brig::inspect
