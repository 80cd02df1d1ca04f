// Private to the launcher: what to do with a child that does not become a container's process.
#pragma once

#include "base/result.hpp"
#include "kernel/child_process.hpp"

#include <cerrno>
#include <csignal>

namespace brig::launch {

// A cloned init that is not kept is killed and reaped.
class InitGuard {
public:
    InitGuard(FdRef pidfd, pid_t pid, bool is_child) : m_pidfd(pidfd), m_pid(pid), m_is_child(is_child) {}
    InitGuard(const InitGuard&) = delete;
    InitGuard& operator=(const InitGuard&) = delete;
    ~InitGuard()
    {
        if (!m_armed)
            return;
        (void)kernel::pidfd_send_signal(m_pidfd, SIGKILL);
        if (m_is_child)
            (void)kernel::wait_for(m_pid);
        else
            (void)kernel::wait_for_end(m_pidfd, -1);
    }
    void keep() { m_armed = false; }

private:
    FdRef m_pidfd;
    pid_t m_pid;
    bool m_is_child;
    bool m_armed = true;
};

// Whether the child has ended, so that what it said before explains better why it could not be served.
inline bool explains_better(FdRef pidfd, const Error& unserved)
{
    if (unserved.code() == EPIPE)
        return true;
    auto ended = kernel::wait_for_end(pidfd, 0);
    return ended && *ended;
}

// The child closed its end without a word.
inline tl::unexpected<Error> init_ended(FdRef pidfd)
{
    (void)kernel::wait_for_end(pidfd, 2000);
    return failure(Error(ErrorKind::system, "the container's init was killed while it set the container up")
                       .with_hint("a memory limit below about 1 MiB, a pids limit or another process can do that"));
}

} // namespace brig::launch
