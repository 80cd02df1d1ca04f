// A sandbox for one program: made, watched and removed by the process that wants it.
//
// Runs in: `brig sandbox run`, which is the supervisor. Signals to it end the program.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "container/context.hpp"
#include "sandbox/audit.hpp"
#include "sandbox/outcome.hpp"
#include "sandbox/request.hpp"

namespace brig::sandbox {

// The caller's descriptors; the program never gets them themselves, because a terminal or a socket among them would lead out.
struct CallerStreams {
    FdRef input{-1};  // copied to the program; invalid: it has no input
    FdRef output{-1}; // gets what the program writes as it comes; invalid: kept for the outcome
    FdRef error{-1};
};

// An error is one of the set-up: nothing ran, nothing is left.
Result<Outcome> run_once(const container::Context& context, Request request, Program program, Audit audit,
                         const CallerStreams& streams, FdRef lease);

} // namespace brig::sandbox
