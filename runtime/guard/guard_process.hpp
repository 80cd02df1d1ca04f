// Private to runtime/guard: the guard's own process.
#pragma once

#include "container/guarding.hpp"
#include "guard/duties.hpp"

namespace brig::guard {

// Says "ready" at `report` and closes it; then returns when the container's init has ended. An error before `ready` leaves no
// process behind.
Result<> run_guard(const Duties& duties, container::Guarded guarded, Fd& report);

} // namespace brig::guard
