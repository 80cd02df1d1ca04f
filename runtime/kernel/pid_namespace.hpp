// The processes of a pid namespace, for containers that have no cgroup to list them.
//
// Runs in: a process outside that sees them in /proc. It takes the powers over the user namespace that owns it, which the user
// who made it has.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <sys/types.h>
#include <vector>

namespace brig::kernel {

struct Member {
    pid_t pid = -1; // in the caller's pid namespace
    Fd pidfd;       // a signal through it cannot reach another process that got the number since
};

// All in the namespace of `process` and in those nested in it, `process` included.
Result<std::vector<Member>> processes_of_pid_namespace(pid_t process);

} // namespace brig::kernel
