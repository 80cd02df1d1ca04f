#include "egress/event_loop.hpp"

#include <array>
#include <chrono>

namespace brig::egress {

namespace {

int64_t monotonic_milliseconds()
{
    auto time = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
}

} // namespace

Registration& Registration::operator=(Registration&& other) noexcept
{
    if (this != &other) {
        reset();
        m_loop = std::exchange(other.m_loop, nullptr);
        m_key = other.m_key;
    }
    return *this;
}

void Registration::reset()
{
    if (m_loop != nullptr)
        m_loop->m_entries.erase(m_key);
    m_loop = nullptr;
}

EventLoop::EventLoop(kernel::Poller poller) : m_poller(std::move(poller)), m_now(monotonic_milliseconds()) {}

Result<EventLoop> EventLoop::open()
{
    return EventLoop(TRY(kernel::Poller::open()));
}

Result<Registration> EventLoop::watch(FdRef fd, EventSink& sink, unsigned which, Trigger trigger)
{
    uint64_t key = m_next_key++;
    TRY(trigger == Trigger::edge ? m_poller.watch(fd, key) : m_poller.watch_level(fd, key));
    m_entries.emplace(key, Entry{&sink, which});
    return Registration(*this, key);
}

Result<> EventLoop::set_watched(const Registration& registration, FdRef fd, bool on)
{
    return m_poller.set_watched(fd, registration.key(), on);
}

void EventLoop::call(uint64_t key, const kernel::Readiness& readiness)
{
    auto entry = m_entries.find(key);
    if (entry != m_entries.end())
        entry->second.sink->ready(entry->second.which, readiness);
}

Result<> EventLoop::run_once(int milliseconds)
{
    std::array<kernel::Readiness, 256> events;
    std::vector<uint64_t> again;
    again.swap(m_again);
    auto happened = TRY(m_poller.wait(events, again.empty() ? milliseconds : 0));
    m_now = monotonic_milliseconds();
    for (const auto& event : happened)
        call(event.key, event);
    for (uint64_t key : again)
        call(key, {});
    return {};
}

} // namespace brig::egress
