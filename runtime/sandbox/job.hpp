// One program that runs in a sandbox: its streams, its clock, and what has been decided about its end.
//
// Runs in: the supervisor. Times are those of kernel::monotonic_milliseconds, 0 where there is none.
#pragma once

#include "base/fd.hpp"
#include "kernel/child_process.hpp"
#include "sandbox/outcome.hpp"
#include "sandbox/output.hpp"
#include "sandbox/request.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace brig::sandbox {

enum class StreamName : size_t { standard_output, standard_error };

// Who started a job and gets what it writes. A terminal has only standard output.
class JobOwner {
public:
    virtual ~JobOwner() = default;
    virtual void started(uint64_t) {}
    // False: nothing is read for now. What the owner does not take in time keeps the program waiting, as a pipe would.
    virtual bool has_room() const = 0;
    virtual void take(StreamName stream, std::string_view bytes) = 0;
    virtual void ended(Outcome outcome) = 0;
    virtual void replaced() {} // somebody else has become the owner
};

struct Job {
    static constexpr size_t screen_size = 65536;

    uint64_t number = 0;
    JobOwner* owner = nullptr; // may be null: it has gone away
    bool terminal = false;
    bool detailed = false; // its outcome has output and metrics
    Fd pidfd;
    std::string code_file;     // in /tmp, until the program has ended; empty: none
    Fd input;                  // a terminal's master
    std::array<Fd, 2> outputs; // of a terminal: the master, duplicated, and nothing
    std::array<Capture, 2> captures;
    RingBuffer screen{screen_size}; // what a terminal showed last, for whoever attaches
    int64_t timeout = 0;            // milliseconds, as it was asked for
    int64_t begin_microseconds = 0;
    int64_t deadline = 0;
    int64_t kill_at = 0;
    bool killed = false;
    std::optional<Reason> decided; // by the supervisor, before the program ended
    std::optional<kernel::ExitStatus> status;
    std::optional<Error> not_started;
    int64_t end_microseconds = 0;
    uint64_t read_after_end = 0;
    Metrics before; // of the sandbox, when it began
    uint64_t oom_kills_before = 0;
    uint64_t pids_refusals_before = 0;

    bool open() const { return outputs[0].valid() || outputs[1].valid(); }
};

} // namespace brig::sandbox
