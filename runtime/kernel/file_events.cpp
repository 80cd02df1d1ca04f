#include "kernel/file_events.hpp"

#include "kernel/call.hpp"
#include "kernel/files.hpp"

#include <algorithm>
#include <ctime>
#include <limits>
#include <poll.h>
#include <sys/eventfd.h>

namespace brig::kernel {

Result<bool> wait_for_change(FdRef file, int64_t milliseconds)
{
    int64_t deadline = monotonic_milliseconds() + milliseconds;
    while (true) {
        struct pollfd request = {file.get(), POLLPRI, 0};
        int64_t left = std::clamp<int64_t>(deadline - monotonic_milliseconds(), 0, std::numeric_limits<int>::max());
        int count = ::poll(&request, 1, static_cast<int>(left));
        if (count >= 0)
            return count > 0;
        if (errno != EINTR)
            return BRIG_CALL_FAILED("poll {}", path_of(file));
    }
}

Result<std::string> read_from_start(FdRef file, size_t limit)
{
    std::string text(limit, '\0');
    ssize_t count = retry_interrupted([&] { return ::pread(file.get(), text.data(), text.size(), 0); });
    if (count < 0)
        return BRIG_CALL_FAILED("read {}", path_of(file));
    text.resize(static_cast<size_t>(count));
    return text;
}

Result<Fd> open_event_counter()
{
    int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return BRIG_CALL_FAILED("eventfd");
    return Fd(fd);
}

int64_t monotonic_microseconds()
{
    struct timespec now = {};
    (void)::clock_gettime(CLOCK_MONOTONIC, &now);
    return int64_t(now.tv_sec) * 1000000 + now.tv_nsec / 1000;
}

int64_t monotonic_milliseconds()
{
    return monotonic_microseconds() / 1000;
}

void sleep_microseconds(int64_t microseconds)
{
    struct timespec time = {};
    time.tv_sec = microseconds / 1000000;
    time.tv_nsec = microseconds % 1000000 * 1000;
    (void)::nanosleep(&time, nullptr);
}

} // namespace brig::kernel
