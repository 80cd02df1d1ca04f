// sd_notify(3) from a container to the service manager of brig's caller: that the service is ready, and which process it is.
//
// Runs in: the caller's process, outside of the container. What the container sends is a stranger's: only the line READY=1
// means anything, and of it only that it came. No byte and no descriptor of the container's reaches the manager.
#pragma once

#include "base/fd.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "spec/spec.hpp"

#include <string>
#include <sys/types.h>

namespace brig::container {

// The mount at /run/notify, and the environment's entry that names the socket in it.
spec::Mount notify_mount(const std::string& host_state_directory);
std::string notify_variable();

Result<> make_notify_directory(FdRef state_directory);
// Whether the container was created with it.
bool has_notify_directory(FdRef state_directory);

class Notifier {
public:
    // Binds the container's socket and connects to the manager's (`host_socket`: the caller's $NOTIFY_SOCKET), before the
    // container's program runs. Errors name what of both was not possible.
    static Result<Notifier> open(FdRef state_directory, const std::string& host_socket, Log log);

    FdRef fd() const { return m_inside; } // readable: call relay
    // Takes what waits, as much as is due in one go, and tells the manager of the first READY=1, with `pid` as the main process.
    // Does not wait for the container. A manager that does not take it is a warning: the container runs.
    void relay(pid_t pid);
    // Until READY=1 was passed on, or the process has ended. Kind system.
    Result<> wait_until_ready(pid_t pid, FdRef pidfd);

private:
    Notifier(Fd inside, Fd outside, Log log) : m_inside(std::move(inside)), m_outside(std::move(outside)), m_log(std::move(log))
    {
    }

    bool take_one();
    void tell(pid_t pid);
    Result<> wait_for_manager() const;
    Result<> wait_for_barrier(pid_t pid, FdRef pidfd);

    Fd m_inside;
    Fd m_outside;
    Log m_log;
    bool m_ready = false;   // the container is
    bool m_told = false;    // the manager was
    bool m_barrier = false; // the last message, after READY=1, asked whether they were taken
};

} // namespace brig::container
