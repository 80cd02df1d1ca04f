// Waiting for several things at once: signals as a descriptor, poll, children that ended.
//
// Runs in: the foreground of `run` and `exec`. Errors: kind system.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "kernel/child_process.hpp"

#include <csignal>
#include <cstdint>
#include <optional>
#include <span>
#include <sys/types.h>

namespace brig::kernel {

// While it lives, the signals that can be taken wait in a queue instead of acting. Not taken: the ones of faults, SIGKILL,
// SIGSTOP, and SIGTTIN, so that a background program that reads its terminal stops as usual.
// Programs started meanwhile inherit the blocked mask unless they reset it (reset_signals).
class SignalQueue {
public:
    static Result<SignalQueue> open();
    SignalQueue(SignalQueue&& other) noexcept;
    SignalQueue& operator=(SignalQueue&&) = delete;
    SignalQueue(const SignalQueue&) = delete;
    SignalQueue& operator=(const SignalQueue&) = delete;
    ~SignalQueue(); // the former mask; signals that still wait act then

    FdRef fd() const { return m_queue; }
    // The oldest one; nullopt when none waits.
    Result<std::optional<int>> next() const;

private:
    SignalQueue(Fd queue, const sigset_t& former) : m_queue(std::move(queue)), m_former(former) {}

    Fd m_queue;
    sigset_t m_former;
};

struct Watch {
    int fd = -1; // -1: passed over
    bool for_reading = false;
    bool for_writing = false;
    bool for_change = false; // of a kernel file, see file_events.hpp; such a file is always readable, too
    // Set by wait_for_events. A closed peer is `ended` and, while data is left, `readable` too.
    bool readable = false;
    bool writable = false;
    bool changed = false;
    bool ended = false; // also set, without a meaning, for a kernel file that has changed
};

// Negative waits forever. False: the time is over.
Result<bool> wait_for_events(std::span<Watch> watches, int64_t milliseconds);

struct EndedChild {
    pid_t pid = -1;
    ExitStatus status;
};

// Reaps one child that has ended; nullopt when there is none.
Result<std::optional<EndedChild>> reap_any_child();

// One read(2) of a descriptor that does not block: nullopt when nothing is there yet, empty at the end. A terminal whose
// other side is closed (EIO) is at its end.
Result<std::optional<std::string>> read_available(FdRef fd, size_t size);
// One write(2) of a descriptor that may not block: the number of bytes taken, 0 when it would have blocked.
Result<size_t> write_available(FdRef fd, std::string_view data);
// One splice(2) between a pipe and a socket, neither of which blocks: the number of bytes moved, 0 at the end, nullopt when
// it would have blocked.
Result<std::optional<size_t>> splice_available(FdRef from, FdRef to, size_t most);
// Of a pipe, in bytes. Best effort: users have a quota (/proc/sys/fs/pipe-user-pages-soft).
void enlarge_pipe(FdRef pipe, int size);
// The flag belongs to the open file, which other processes may share: only for descriptors of one's own.
Result<> set_nonblocking(FdRef fd);

// Open since the program began: what brig opens itself is close-on-exec, and must not be taken for the caller's.
bool is_inherited(FdRef fd);

// A parent that ignores SIGCHLD passes that on through exec, and then waitpid finds no children: back to the default.
Result<> notice_ended_children();

// Opens /dev/null for those of 0, 1 and 2 that are closed: otherwise the next file that is opened would be taken for the
// standard output, or be handed to the container as one.
Result<> ensure_standard_descriptors();

} // namespace brig::kernel
