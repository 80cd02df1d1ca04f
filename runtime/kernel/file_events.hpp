// Waiting for kernel files that announce changes (cgroup.events, memory.events), and the clock of bounded waits.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstdint>

namespace brig::kernel {

// True when the file has changed since it was last read from its start (POLLPRI), false when the time is over.
Result<bool> wait_for_change(FdRef file, int64_t milliseconds);
// Reads from the start, which also arms the next wait_for_change.
Result<std::string> read_from_start(FdRef file, size_t limit);

// A counter that the kernel adds to when something happens (eventfd): readable, 8 bytes, not blocking.
Result<Fd> open_event_counter();

int64_t monotonic_milliseconds();
int64_t monotonic_microseconds();
// For the few states that the kernel announces nowhere (FREEZING of cgroup v1).
void sleep_microseconds(int64_t microseconds);

} // namespace brig::kernel
