#include "kernel/poller.hpp"

#include "kernel/call.hpp"

#include <algorithm>
#include <array>
#include <sys/epoll.h>

namespace brig::kernel {

namespace {

Result<> change(FdRef poller, int operation, FdRef fd, uint64_t key, uint32_t events)
{
    struct epoll_event event = {};
    event.events = events;
    event.data.u64 = key;
    if (::epoll_ctl(poller.get(), operation, fd.get(), &event) < 0)
        return BRIG_CALL_FAILED("epoll_ctl {} descriptor {}", operation, fd.get());
    return {};
}

} // namespace

Result<Poller> Poller::open()
{
    int fd = ::epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0)
        return BRIG_CALL_FAILED("epoll_create1");
    return Poller(Fd(fd));
}

Result<> Poller::watch(FdRef fd, uint64_t key)
{
    return change(m_poller, EPOLL_CTL_ADD, fd, key, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}

Result<> Poller::watch_level(FdRef fd, uint64_t key)
{
    return change(m_poller, EPOLL_CTL_ADD, fd, key, EPOLLIN);
}

Result<> Poller::set_watched(FdRef fd, uint64_t key, bool on)
{
    return change(m_poller, EPOLL_CTL_MOD, fd, key, on ? EPOLLIN : 0U);
}

Result<std::span<Readiness>> Poller::wait(std::span<Readiness> events, int milliseconds)
{
    std::array<struct epoll_event, 256> found = {};
    auto most = static_cast<int>(std::min(found.size(), events.size()));
    int count = retry_interrupted([&] { return ::epoll_wait(m_poller.get(), found.data(), most, milliseconds); });
    if (count < 0)
        return BRIG_CALL_FAILED("epoll_wait");
    for (size_t index = 0; index < static_cast<size_t>(count); index++) {
        uint32_t happened = found[index].events;
        events[index] = {found[index].data.u64, (happened & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0,
                         (happened & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0, (happened & (EPOLLHUP | EPOLLERR)) != 0};
    }
    return events.first(static_cast<size_t>(count));
}

} // namespace brig::kernel
