// One round of waiting: descriptors with what to do when they are ready.
//
// Runs in: the supervisor. The list is made anew for each round, so that what is closed is simply not named again; a handler may
// close what a later handler of the same round is for, and that one then looks for itself whether it is still wanted.
#pragma once

#include "base/result.hpp"
#include "kernel/events.hpp"

#include <cstdint>
#include <functional>
#include <vector>

namespace brig::sandbox {

class EventLoop {
public:
    using Handler = std::function<Result<>(const kernel::Watch&)>;

    void add(const kernel::Watch& watch, Handler handler)
    {
        m_watches.push_back(watch);
        m_handlers.push_back(std::move(handler));
    }
    // The earliest one counts; 0 is none. Milliseconds of kernel::monotonic_milliseconds.
    void wake_at(int64_t time)
    {
        if (time != 0 && (m_wake_at == 0 || time < m_wake_at))
            m_wake_at = time;
    }
    // Waits, calls the handlers of what is ready, and forgets all.
    Result<> turn();

private:
    std::vector<kernel::Watch> m_watches;
    std::vector<Handler> m_handlers;
    int64_t m_wake_at = 0;
};

} // namespace brig::sandbox
