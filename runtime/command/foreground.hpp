// Staying with a container's process until it ends: signals go to it, its terminal is joined with the caller's.
//
// Runs in: attached `run` and `exec`. Without a terminal the process has the caller's own stdin, stdout and stderr, and
// nothing is copied.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "container/notify.hpp"
#include "kernel/child_process.hpp"
#include "kernel/events.hpp"
#include "kernel/terminal.hpp"

#include <optional>
#include <sys/types.h>
#include <termios.h>

namespace brig::command {

// The terminal that the caller sits at, if stdin, stdout or stderr is one. Its mode comes back when this is destroyed.
class CallerTerminal {
public:
    CallerTerminal();
    CallerTerminal(const CallerTerminal&) = delete;
    CallerTerminal& operator=(const CallerTerminal&) = delete;
    ~CallerTerminal();

    // Keys go to the container unchanged, Ctrl-C included.
    Result<> make_raw();
    std::optional<kernel::TerminalSize> size() const; // nullopt: there is no terminal
    void copy_size_to(FdRef terminal) const;

private:
    FdRef m_fd{-1};
    std::optional<struct termios> m_former_mode;
};

class Foreground {
public:
    // Before the process is made, so that no signal is lost and no early end is missed.
    static Result<Foreground> open();

    // The master of the process's terminal, as soon as it is there; it gets the size of the caller's terminal.
    Result<> adopt_terminal(Fd master);
    // Until the process, a child of the caller, has ended; other children are reaped on the way. Output that the terminal
    // still holds is written. What the process says through the notifier's socket is relayed meanwhile.
    Result<kernel::ExitStatus> stay_with(pid_t pid, FdRef pidfd, std::optional<container::Notifier> notifier = std::nullopt);

private:
    explicit Foreground(kernel::SignalQueue signals) : m_signals(std::move(signals)) {}

    kernel::SignalQueue m_signals;
    Fd m_master;
};

} // namespace brig::command
