// Private to runtime/container: how a container's processes are ended and its traces removed.
#pragma once

#include "base/result.hpp"
#include "container/context.hpp"
#include "container/state_store.hpp"

namespace brig::container {

// SIGKILL to every process, thawing what is frozen; returns when they have ended. Bounded in time.
Result<> end_all_processes(const Record& record);

} // namespace brig::container
