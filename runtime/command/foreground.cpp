#include "command/foreground.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <string>

namespace brig::command {

namespace {

constexpr size_t piece = 4096; // a pipe that is ready takes as much without blocking

// Other processes may hold the terminal open when ours has ended. What is left of its output comes within moments.
constexpr std::chrono::milliseconds quiet_time{100};
constexpr std::chrono::milliseconds longest_rest{1000};

} // namespace

// ---- the caller's terminal -------------------------------------------------------------------------------------------

CallerTerminal::CallerTerminal()
{
    for (int fd : {0, 1, 2}) {
        if (!kernel::is_terminal(FdRef(fd)))
            continue;
        m_fd = FdRef(fd);
        return;
    }
}

CallerTerminal::~CallerTerminal()
{
    if (m_former_mode)
        (void)kernel::set_terminal_mode(m_fd, *m_former_mode);
}

Result<> CallerTerminal::make_raw()
{
    if (!m_fd.valid())
        return {};
    if (!m_former_mode)
        m_former_mode = TRY(kernel::terminal_mode(m_fd));
    return kernel::set_raw_mode(m_fd);
}

std::optional<kernel::TerminalSize> CallerTerminal::size() const
{
    auto known = m_fd.valid() ? kernel::terminal_size(m_fd) : failure(ErrorKind::not_found, "no terminal");
    return known ? std::optional(*known) : std::nullopt;
}

void CallerTerminal::copy_size_to(FdRef terminal) const
{
    if (auto known = size())
        (void)kernel::set_terminal_size(terminal, *known);
}

// ---- copying between the two terminals -------------------------------------------------------------------------------

namespace {

// stdin -> master -> stdout, a piece at a time in each direction. stdin and stdout may block: they are shared with other
// processes, so they are not made non-blocking, and are touched only when poll says that they are ready.
class TerminalRelay {
public:
    explicit TerminalRelay(FdRef master) : m_master(master), m_master_open(master.valid()), m_input_open(master.valid()) {}

    bool done() const { return !m_master_open && m_output.empty(); }
    bool has_output() const { return !m_output.empty(); }
    bool is_used() const { return m_master.valid(); }

    struct Watches {
        kernel::Watch& input;
        kernel::Watch& master;
        kernel::Watch& output;
    };

    void prepare(Watches watches) const
    {
        watches.input = {.fd = 0, .for_reading = m_input_open && m_input.empty()};
        watches.master = {
            .fd = m_master_open ? m_master.get() : -1, .for_reading = m_output.empty(), .for_writing = !m_input.empty()};
        watches.output = {.fd = 1, .for_writing = !m_output.empty()};
    }

    void handle(const Watches& watches)
    {
        if (watches.input.readable || watches.input.ended)
            read_input();
        if (watches.master.writable)
            write_master();
        if (watches.master.readable || (watches.master.ended && watches.master.for_reading))
            read_master();
        if (watches.output.writable || watches.output.ended)
            write_output();
    }

private:
    void read_input()
    {
        auto data = kernel::read_available(FdRef(0), piece);
        if (data && !*data)
            return;
        // At its end the container's terminal stays open, as with runc: a program that runs without input goes on.
        if (!data || (*data)->empty())
            m_input_open = false;
        else
            m_input = std::move(**data);
    }

    void write_master()
    {
        auto count = kernel::write_available(m_master, m_input);
        m_input.erase(0, count ? *count : m_input.size());
    }

    void read_master()
    {
        auto data = kernel::read_available(m_master, piece);
        if (data && !*data)
            return;
        if (data && !(*data)->empty()) {
            m_output = std::move(**data);
            return;
        }
        m_master_open = false;
        m_input_open = false;
        m_input.clear();
    }

    // Once stdout is gone the output is dropped: a container that nobody reads must not stop on its full terminal.
    void write_output()
    {
        auto count = kernel::write_available(FdRef(1), m_output);
        m_output.erase(0, count ? *count : m_output.size());
    }

    FdRef m_master;
    bool m_master_open;
    bool m_input_open;
    std::string m_input;  // on its way to the container
    std::string m_output; // on its way to the caller
};

bool is_forwarded(int signal)
{
    // SIGPIPE and SIGTTOU come from brig's own writing, SIGURG from nowhere useful.
    constexpr std::array not_forwarded = {SIGCHLD, SIGWINCH, SIGPIPE, SIGTTOU, SIGURG};
    return std::find(not_forwarded.begin(), not_forwarded.end(), signal) == not_forwarded.end();
}

// One stay: the state that the handlers of events share.
class Stay {
public:
    Stay(const kernel::SignalQueue& signals, FdRef master, pid_t pid, FdRef pidfd, std::optional<container::Notifier> notifier)
        : m_signals(signals), m_master(master), m_relay(master), m_pid(pid), m_pidfd(pidfd), m_notifier(std::move(notifier))
    {
    }

    Result<kernel::ExitStatus> run()
    {
        if (m_relay.is_used())
            TRY(m_terminal.make_raw());
        while (!is_over()) {
            std::array<kernel::Watch, 5> watches;
            watches[0] = {.fd = m_signals.fd().get(), .for_reading = true};
            if (m_notifier)
                watches[4] = {.fd = m_notifier->fd().get(), .for_reading = true};
            TerminalRelay::Watches relayed = {watches[1], watches[2], watches[3]};
            if (m_relay.is_used())
                m_relay.prepare(relayed);
            bool only_rest = m_ended && !m_relay.has_output();
            if (!TRY(kernel::wait_for_events(watches, only_rest ? quiet_time.count() : -1)))
                break;
            if (watches[0].readable)
                TRY(take_signals());
            if (m_relay.is_used())
                m_relay.handle(relayed);
            if (watches[4].readable)
                m_notifier->relay(m_pid);
        }
        return *m_ended;
    }

private:
    using Clock = std::chrono::steady_clock;

    bool is_over() const
    {
        if (!m_ended)
            return false;
        if (m_relay.done() || m_interrupted)
            return true;
        // What was read is written, however slow the reader of stdout is.
        return !m_relay.has_output() && Clock::now() - m_end > longest_rest;
    }

    Result<> take_signals()
    {
        while (auto signal = TRY(m_signals.next())) {
            if (*signal == SIGCHLD)
                TRY(reap_children());
            if (m_relay.is_used() && (*signal == SIGWINCH || *signal == SIGCONT))
                TRY(show_again(*signal));
            if (is_forwarded(*signal) && m_ended)
                m_interrupted = true;
            else if (is_forwarded(*signal))
                (void)kernel::pidfd_send_signal(m_pidfd, *signal);
        }
        return {};
    }

    // After a stop the shell has put its own mode on the terminal.
    Result<> show_again(int signal)
    {
        if (signal == SIGCONT)
            TRY(m_terminal.make_raw());
        m_terminal.copy_size_to(m_master);
        return {};
    }

    Result<> reap_children()
    {
        while (auto child = TRY(kernel::reap_any_child())) {
            if (child->pid != m_pid)
                continue;
            m_ended = child->status;
            m_end = Clock::now();
        }
        return {};
    }

    const kernel::SignalQueue& m_signals;
    FdRef m_master;
    CallerTerminal m_terminal;
    TerminalRelay m_relay;
    pid_t m_pid;
    FdRef m_pidfd;
    std::optional<container::Notifier> m_notifier;
    std::optional<kernel::ExitStatus> m_ended;
    Clock::time_point m_end;
    bool m_interrupted = false; // after the end
};

} // namespace

// ---- foreground ------------------------------------------------------------------------------------------------------

Result<Foreground> Foreground::open()
{
    return Foreground(TRY(kernel::SignalQueue::open()));
}

Result<> Foreground::adopt_terminal(Fd master)
{
    if (!master.valid())
        return {};
    TRY(kernel::set_nonblocking(master));
    m_master = std::move(master);
    CallerTerminal().copy_size_to(m_master);
    return {};
}

Result<kernel::ExitStatus> Foreground::stay_with(pid_t pid, FdRef pidfd, std::optional<container::Notifier> notifier)
{
    return Stay(m_signals, m_master, pid, pidfd, std::move(notifier)).run();
}

} // namespace brig::command
