// The guard: a process beside a container that keeps what its policies say about wall time and names.
//
//   create ---> guard ------> broker     when names are reached (egress/broker.hpp); dies with the guard
//                 |  \------> watcher    when time is limited: kills the container when the guard is gone, as the guard does
//                 |                      when the watcher is gone. So neither can be ended to get more time
//                 |
//                 +-- waits for the program's start, the end of its time, and the init's end, with which it leaves
//
// It is a fork of create in a session of its own, outside of the container's cgroup, and keeps of what create has open only
// the container's standard error (closed with the init, so that an engine's pipe is at its end then) and the log.
#pragma once

#include "container/guarding.hpp"

namespace brig::guard {

// See container::MakeGuard.
Result<std::unique_ptr<container::Guard>> make_guard(const std::vector<policy::Policy>& policies);

} // namespace brig::guard
