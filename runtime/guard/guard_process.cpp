#include "guard/guard_process.hpp"

#include "base/text.hpp"
#include "guard/network.hpp"
#include "kernel/child_process.hpp"
#include "kernel/events.hpp"
#include "kernel/file_events.hpp"
#include "kernel/files.hpp"
#include "kernel/process.hpp"
#include "kernel/terminal.hpp"

#include <algorithm>
#include <array>
#include <csignal>

namespace brig::guard {

namespace {

constexpr int64_t forever = -1;

// A write to it never waits for a reader: a program that leaves its pipe full could otherwise hold its own end up.
struct ErrorStream {
    Fd fd;
    bool may_block = false;

    void say(const std::string& line)
    {
        std::array watch = {kernel::Watch{.fd = fd.get(), .for_writing = true}};
        if (fd.valid() && (!may_block || kernel::wait_for_events(watch, 0).value_or(false)))
            (void)kernel::write_available(fd, line);
    }
};

// Another open file of the same pipe or terminal, whose flags are nobody else's. Not of a file, which has its place in it.
ErrorStream stream_of(Fd shared)
{
    auto status = kernel::status_of(shared);
    if (!status || S_ISREG(status->st_mode))
        return {std::move(shared), false};
    auto own = kernel::open_at(kernel::working_directory, fmt::format("/proc/self/fd/{}", shared.get()),
                               O_WRONLY | O_NONBLOCK | O_NOCTTY);
    return own ? ErrorStream{std::move(*own), false} : ErrorStream{std::move(shared), true};
}

// While it waits for its start the init is brig's own: what it has for a standard error is the container's terminal. The caller's
// own is then no stream of the container.
Fd open_error_stream(const container::Guarded& guarded)
{
    if (guarded.terminal && !guarded.program_runs.valid())
        return Fd(); // it is the program's by now, which could have put anything there
    auto file = guarded.terminal ? kernel::open_at(kernel::working_directory, fmt::format("/proc/{}/fd/2", guarded.pid),
                                                   O_WRONLY | O_NONBLOCK | O_NOCTTY)
                                 : kernel::duplicate(FdRef(2));
    if (!file || (guarded.terminal && !kernel::is_terminal(*file)))
        return Fd();
    return std::move(*file);
}

bool has_ended(FdRef pidfd)
{
    return kernel::wait_for_end(pidfd, 0).value_or(true);
}

// Tries for as long as the init lives.
void end_container(const container::Guarded& guarded, FdRef init)
{
    constexpr int64_t pause = 100;
    while (!has_ended(init)) {
        (void)guarded.end_all();
        if (kernel::wait_for_end(init, pause).value_or(true))
            return;
    }
}

class GuardProcess {
public:
    GuardProcess(const Duties& duties, container::Guarded& guarded, Fd init, ErrorStream error)
        : m_duties(duties), m_guarded(guarded), m_init(std::move(init)), m_error(std::move(error))
    {
    }

    Result<> prepare()
    {
        if (m_duties.has_names())
            m_broker.emplace(TRY(start_broker(m_duties, m_guarded)));
        TRY(kernel::set_dumpable(false));
        if (m_duties.time)
            TRY(start_watcher());
        return {};
    }

    Result<> run()
    {
        if (!m_guarded.program_runs.valid())
            begin_time();
        while (!has_ended(m_init))
            TRY(turn());
        return {};
    }

    void end() { end_container(m_guarded, m_init); }

    // The container's pipe is at its end as soon as its processes are; then the children of the guard.
    void leave()
    {
        m_error.fd.reset();
        m_broker.reset();
        if (m_watcher.valid())
            (void)kernel::wait_for(m_watcher_pid);
    }

private:
    Result<> start_watcher()
    {
        Fd self = TRY(kernel::pidfd_open(kernel::process_id()));
        auto child = TRY(kernel::clone_process({}));
        if (child.in_child)
            watch_guard(self);
        m_watcher = std::move(child.pidfd);
        m_watcher_pid = child.pid;
        return {};
    }

    [[noreturn]] void watch_guard(FdRef guard)
    {
        // Without its descriptors it could not watch; its death is seen by the guard, who ends the container.
        if (!kernel::close_all_but({guard.get(), m_init.get()}) || !kernel::ensure_standard_descriptors()
            || !kernel::set_process_name("brig-watcher") || !kernel::set_dumpable(false))
            kernel::exit_now(1);
        std::array watches = {kernel::Watch{.fd = guard.get(), .for_reading = true},
                              kernel::Watch{.fd = m_init.get(), .for_reading = true}};
        (void)kernel::wait_for_events(watches, forever);
        end_container(m_guarded, m_init);
        kernel::exit_now(0);
    }

    void begin_time()
    {
        m_guarded.program_runs.reset();
        if (m_duties.time)
            m_end = kernel::monotonic_milliseconds() + static_cast<int64_t>(m_duties.time->milliseconds);
    }

    int64_t time_left() const
    {
        if (m_end == 0)
            return forever;
        return std::max<int64_t>(0, m_end - kernel::monotonic_milliseconds());
    }

    Result<> turn()
    {
        std::array watches = {kernel::Watch{.fd = m_init.get(), .for_reading = true},
                              kernel::Watch{.fd = m_guarded.program_runs.get(), .for_reading = true},
                              kernel::Watch{.fd = m_watcher.get(), .for_reading = true},
                              kernel::Watch{.fd = m_broker ? m_broker->audit().get() : -1, .for_reading = true}};
        (void)TRY(kernel::wait_for_events(watches, time_left()));
        auto happened = [&](size_t which) { return watches[which].readable || watches[which].ended; };
        if (happened(0))
            return {};
        if (happened(1))
            begin_time();
        if (happened(2))
            lose_watcher();
        if (happened(3))
            read_decisions();
        if (m_end != 0 && time_left() == 0)
            end_by_time();
        return {};
    }

    void lose_watcher()
    {
        tell("this container ends: a part of the guard that keeps its time was ended");
        end_container(m_guarded, m_init);
    }

    // The broker stops when nobody reads what it decided.
    void read_decisions()
    {
        constexpr size_t piece = 65536;
        while (true) {
            auto data = kernel::read_available(m_broker->audit(), piece);
            if (data && !*data)
                return;
            if (data && !(*data)->empty())
                continue;
            m_broker.reset();
            if (!has_ended(m_init))
                m_guarded.log->warning(
                    fmt::format("container {} has no network any more: its egress broker has ended", m_guarded.id));
            return;
        }
    }

    void tell(const std::string& reason)
    {
        m_error.say("brig: " + reason + (m_guarded.terminal ? "\r\n" : "\n"));
        if (m_guarded.log->file().valid())
            m_guarded.log->warning(fmt::format("container {}: {}", m_guarded.id, reason));
    }

    void end_by_time()
    {
        tell(m_duties.time->reason());
        (void)kernel::pidfd_send_signal(m_init, SIGTERM);
        std::array watches = {kernel::Watch{.fd = m_init.get(), .for_reading = true},
                              kernel::Watch{.fd = m_watcher.get(), .for_reading = true}};
        // A watcher that is gone shortens the grace.
        (void)kernel::wait_for_events(watches, static_cast<int64_t>(m_duties.time->grace_ms));
        end_container(m_guarded, m_init);
        m_end = 0;
    }

    const Duties& m_duties;
    container::Guarded& m_guarded;
    Fd m_init;
    ErrorStream m_error;
    std::optional<egress::Broker> m_broker;
    Fd m_watcher; // readable when it has ended
    pid_t m_watcher_pid = -1;
    int64_t m_end = 0; // of the container's time; 0: there is none, or it has not begun
};

} // namespace

Result<> run_guard(const Duties& duties, container::Guarded guarded, Fd& report)
{
    Fd init = TRY(kernel::duplicate(guarded.init));
    Fd error = open_error_stream(guarded);
    // The lock of the state directory, the caller's sockets, an engine's pipes: none of them may stay open for the guard.
    TRY(kernel::close_all_but({init.get(), error.get(), guarded.program_runs.get(), report.get(), guarded.log->file().get(),
                               guarded.network_namespace.get(), guarded.user_namespace.get()}));
    Fd network(guarded.network_namespace.get()); // this process's own copies
    Fd user(guarded.user_namespace.get());
    TRY(kernel::ensure_standard_descriptors());
    TRY(kernel::new_session());
    TRY(kernel::change_directory("/"));
    TRY(kernel::set_process_name("brig-guard"));
    auto signals = TRY(kernel::SignalQueue::open()); // none ends it but SIGKILL; nobody at the other end of a pipe is no reason
    GuardProcess process(duties, guarded, std::move(init), stream_of(std::move(error)));
    TRY(process.prepare());
    network.reset();
    user.reset();
    TRY(kernel::write_all(report, "ready"));
    report.reset();
    auto watched = process.run();
    if (!watched) // it cannot keep its duties any more
        process.end();
    process.leave();
    return watched;
}

} // namespace brig::guard
