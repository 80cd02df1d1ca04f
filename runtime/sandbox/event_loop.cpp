#include "sandbox/event_loop.hpp"

#include "kernel/file_events.hpp"

#include <algorithm>
#include <utility>

namespace brig::sandbox {

Result<> EventLoop::turn()
{
    auto watches = std::exchange(m_watches, {});
    auto handlers = std::exchange(m_handlers, {});
    int64_t wake_at = std::exchange(m_wake_at, 0);
    int64_t wait = wake_at == 0 ? -1 : std::max<int64_t>(0, wake_at - kernel::monotonic_milliseconds());
    constexpr int64_t longest_wait = 3'600'000; // poll takes an int
    if (!TRY(kernel::wait_for_events(watches, std::min(wait, longest_wait))))
        return {};
    for (size_t index = 0; index < watches.size(); index++)
        if (watches[index].readable || watches[index].writable || watches[index].ended)
            TRY(handlers[index](watches[index]));
    return {};
}

} // namespace brig::sandbox
