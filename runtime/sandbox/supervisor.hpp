// The process that stays with a sandbox when its maker has gone.
//
// It is a child of `create` that becomes a daemon: a session of its own, /dev/null as its streams, none of its caller's descriptors.
// It makes the container itself, so that it is the parent of the init and the holder of its channel; it serves the control
// socket, keeps the limits, and removes everything when it is told to, when the sandbox has been idle or alive too long, when
// the sandbox dies, or at SIGTERM.
#pragma once

#include "base/result.hpp"
#include "container/context.hpp"
#include "sandbox/audit.hpp"
#include "sandbox/id_pool.hpp"
#include "sandbox/request.hpp"

#include <string>

namespace brig::sandbox {

// Returns when the sandbox can be used. The caller is single-threaded. Whoever hears that the sandbox is gone can have its leases.
Result<> start_supervisor(const container::Context& context, const Request& request, const AuditTarget& target, Leases leases);

} // namespace brig::sandbox
