// What the broker's process gives up before it reads the first byte.
//
// Runs in: the broker, once. Errors: kind system; a broker that is not confined must not serve.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <sys/types.h>

namespace brig::egress {

struct Confinement {
    uid_t uid = 65534; // for callers that are root
    gid_t gid = 65534;
    uint64_t open_files = 1024; // wanted; what the hard limit allows
};

// Dies with the parent from here on. User, capabilities, limits, no_new_privs; last the system-call filter: sockets of IPv4
// and IPv6 and what they need, memory, time. Nothing opens a file, executes, forks, signals or reaches a Unix socket.
// Gives the number of files that may be open.
Result<uint64_t> confine_self(const Confinement& confinement);

} // namespace brig::egress
