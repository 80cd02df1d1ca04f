// Who is to be called when a descriptor is ready. One thread; callees return at once and never wait.
//
// Runs in: the broker.
#pragma once

#include "base/result.hpp"
#include "kernel/poller.hpp"

#include <cstdint>
#include <unordered_map>
#include <vector>

namespace brig::egress {

class EventSink {
public:
    EventSink() = default;
    EventSink(const EventSink&) = delete;
    EventSink& operator=(const EventSink&) = delete;
    virtual ~EventSink() = default;

    // `which` as given with the descriptor.
    virtual void ready(unsigned which, const kernel::Readiness& readiness) = 0;
};

class EventLoop;

// While it lives, the sink is called. It outlives neither the loop nor the sink.
class Registration {
public:
    Registration() = default;
    Registration(EventLoop& loop, uint64_t key) : m_loop(&loop), m_key(key) {}
    Registration(Registration&& other) noexcept : m_loop(std::exchange(other.m_loop, nullptr)), m_key(other.m_key) {}
    Registration& operator=(Registration&& other) noexcept;
    Registration(const Registration&) = delete;
    Registration& operator=(const Registration&) = delete;
    ~Registration() { reset(); }

    void reset();
    uint64_t key() const { return m_key; }

private:
    EventLoop* m_loop = nullptr;
    uint64_t m_key = 0;
};

enum class Trigger { edge, level };

class EventLoop {
public:
    static Result<EventLoop> open();

    Result<Registration> watch(FdRef fd, EventSink& sink, unsigned which, Trigger trigger);
    // For Trigger::level: off, the sink is not called.
    Result<> set_watched(const Registration& registration, FdRef fd, bool on);
    // Calls the sink in the next round whether the descriptor is ready or not: it has stopped to let others have a turn.
    void call_again(const Registration& registration) { m_again.push_back(registration.key()); }

    // Waits at most so long (negative: forever) and calls whom it concerns.
    Result<> run_once(int milliseconds);
    int64_t now() const { return m_now; } // milliseconds of a clock that never goes back, as of the last wait

private:
    friend class Registration;

    struct Entry {
        EventSink* sink = nullptr;
        unsigned which = 0;
    };

    explicit EventLoop(kernel::Poller poller);
    void call(uint64_t key, const kernel::Readiness& readiness);

    kernel::Poller m_poller;
    std::unordered_map<uint64_t, Entry> m_entries; // a key is used once: an event of a closed descriptor finds nobody
    std::vector<uint64_t> m_again;
    uint64_t m_next_key = 1;
    int64_t m_now = 0;
};

} // namespace brig::egress
