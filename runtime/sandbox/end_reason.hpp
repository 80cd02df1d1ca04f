// Why a program ended, from what is known when it has.
//
// Layer: pure. The kernel says that a limit was met, not whom that ended: a limit is the reason only for a program that failed.
#pragma once

#include "kernel/child_process.hpp"
#include "sandbox/outcome.hpp"
#include "sandbox/request.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace brig::sandbox {

struct EndFacts {
    std::optional<Reason> decided; // the supervisor ended it
    kernel::ExitStatus status;
    uint64_t oom_kills = 0; // while it ran
    uint64_t pids_refusals = 0;
    bool disk_full = false; // at its end
};

Reason end_reason(const EndFacts& facts);
// A sentence; empty for a plain exit.
std::string end_message(Reason reason, const Request& request, int64_t timeout, const kernel::ExitStatus& status);

} // namespace brig::sandbox
