// What a running container is really confined by, as plain data: read by read_confinement.hpp, judged by findings.hpp.
//
// Layer: plain structs. Numbers of users and processes are as the caller sees them; "the host" is the caller's side.
#pragma once

#include "cgroup/effective_limits.hpp"
#include "inspect/filter_reach.hpp"
#include "inspect/mounts_seen.hpp"
#include "inspect/process_status.hpp"
#include "inspect/sockets_seen.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace brig::inspect {

struct Namespace {
    std::string name; // "pid", as below /proc/PID/ns
    bool own = false; // another than the caller's
};

struct Device {
    std::string path; // inside
    char type = 'c';  // c or b
    unsigned major = 0;
    unsigned minor = 0;
};

struct Confinement {
    pid_t pid = 0;
    std::vector<Namespace> namespaces;
    std::vector<IdMapping> uids;
    std::vector<IdMapping> gids;
    std::vector<ProcessStatus> processes; // the one asked for first
    bool more_processes = false;          // than were looked at
    bool has_filters = false;             // brig keeps them, so that it is known what they let through
    FilterReach reach;
    MountsSeen mounts;
    std::vector<Device> devices; // below /dev, but those that every container has
    SocketsSeen sockets;
    cgroup::EffectiveLimits limits;
    std::vector<std::string> label_modules; // "AppArmor" or "SELinux", what the kernel has

    // Of brig's own containers; else empty.
    std::string id;
    std::string status;
    std::vector<std::string> policies;
    bool reaches_named_hosts_only = false; // the egress broker is its only way out
    bool first_process_is_brigs = false;   // until it is started, or because it is a sandbox's init
    std::string image;                     // as the engine noted it; empty: not known

    bool has_own(std::string_view name) const;
};

} // namespace brig::inspect
