// Learning of processes that the kernel killed in a cgroup for want of memory: memory.events of v2, memory.oom_control of v1.
//
// Runs in: the caller. Counting starts at open(): what was killed before is not told again.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "cgroup/cgroup.hpp"
#include "kernel/events.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace brig::cgroup {

class OomWatch {
public:
    // A cgroup whose memory nobody counts gives a watch that never tells of anything: see works().
    static Result<OomWatch> open(const std::vector<Location>& locations);

    bool works() const { return m_count.valid(); }
    // For wait_for_events: wakes when take() is worth a call. Nothing to wait for where the kernel does not announce
    // (v1 of a real-time kernel): take() is then to be called now and then.
    kernel::Watch watch() const;
    // Whether there was a kill since open() or the last take(); several at once are one. On v1 also when the cgroup ran out
    // of memory and nothing was killed, because that was forbidden (disableOOMKiller) or memory came free in time.
    Result<bool> take();

private:
    enum class Announced { by_change, by_counter, never };

    Result<> open_v2(const std::string& directory);
    Result<> open_v1(const std::string& directory);
    Result<uint64_t> kills() const;

    Announced m_announced = Announced::never;
    Fd m_count;            // memory.events or memory.oom_control
    Fd m_counter;          // by_counter
    std::string m_control; // by_counter: cgroup.event_control
    uint64_t m_kills = 0;
};

} // namespace brig::cgroup
