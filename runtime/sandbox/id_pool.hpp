// Ranges of host ids of which each sandbox has one for itself, so that a process that got out of one sandbox could do nothing to
// another, to the host's users or to their files.
//
// Runs in: the supervisor, as the host's root. The pool is fixed: 4000 ranges of 65536 ids from 1879048192 on, beyond what
// distributions give to users, to subordinate ids and to systemd's containers. A range is leased by a lock on one byte of
// <state root>/.sandbox-ids; supervisor and init hold it, so that it is free when both have ended, however they ended.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "sandbox/request.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace brig::sandbox {

struct IdLease {
    IdRangeOfSandbox ids;
    Fd lock;
};

// What a sandbox holds as long as it lives; free when all processes that hold the descriptors have let go of them.
struct Leases {
    Fd ids;   // its ids; the init holds them, too
    Fd place; // among the sandboxes that the policy lets a user have at the same time
};

inline constexpr const char* id_pool_file = ".sandbox-ids";

// Kind system when all are taken.
Result<IdLease> lease_ids(const std::string& state_root);

// One of `count` places that whoever has the same `key` shares, held as long as the descriptor. Kind refused: all are taken.
Result<Fd> lease_place(const std::string& state_root, std::string_view key, uint64_t count);

} // namespace brig::sandbox
