// Many descriptors at once (epoll), edge-triggered: readiness is told once, whoever uses the descriptor works until it
// would block. For a handful of descriptors see wait_for_events.
//
// Errors: kind system.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <span>

namespace brig::kernel {

struct Readiness {
    uint64_t key = 0; // of watch()
    bool readable = false;
    bool writable = false;
    bool ended = false; // both directions are closed, or there is an error
};

class Poller {
public:
    static Result<Poller> open();

    // The descriptor leaves the set by being closed.
    Result<> watch(FdRef fd, uint64_t key);
    // Readiness is told at each wait, for as long as it lasts. Not for writing.
    Result<> watch_level(FdRef fd, uint64_t key);
    // A descriptor of watch_level rests until it is asked for again.
    Result<> set_watched(FdRef fd, uint64_t key, bool on);
    // Fills as many of `events` as there are; negative waits forever.
    Result<std::span<Readiness>> wait(std::span<Readiness> events, int milliseconds);

private:
    explicit Poller(Fd poller) : m_poller(std::move(poller)) {}

    Fd m_poller;
};

} // namespace brig::kernel
