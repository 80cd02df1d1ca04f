#include "sandbox/supervisor.hpp"

#include "base/text.hpp"
#include "container/state_store.hpp"
#include "kernel/child_process.hpp"
#include "kernel/events.hpp"
#include "kernel/file_events.hpp"
#include "kernel/files.hpp"
#include "kernel/process.hpp"
#include "kernel/sockets.hpp"
#include "launch/protocol.hpp"
#include "sandbox/control_server.hpp"
#include "sandbox/sandbox.hpp"

#include <csignal>
#include <malloc.h>

namespace brig::sandbox {

namespace {

// Whoever waits for the end of the caller's pipes must not wait for the sandbox.
Result<> close_inherited_descriptors()
{
    Fd own = TRY(kernel::open_at(kernel::working_directory, "/proc/self/fd", O_RDONLY | O_DIRECTORY));
    for (const auto& name : TRY(kernel::list_directory(own))) {
        auto number = parse_unsigned(name);
        if (number && *number > 2 && kernel::is_inherited(FdRef(static_cast<int>(*number))))
            TRY(kernel::close_descriptor_range(static_cast<unsigned>(*number), static_cast<unsigned>(*number)));
    }
    Fd null = TRY(kernel::open_at(kernel::working_directory, "/dev/null", O_RDWR));
    for (int number : {0, 1, 2})
        TRY(kernel::duplicate_onto(null, number));
    return {};
}

Result<> become_daemon()
{
    TRY(kernel::new_session());
    TRY(close_inherited_descriptors());
    TRY(kernel::change_directory("/"));
    kernel::set_umask(022);
    return kernel::set_process_name("brig-sandbox");
}

Result<Fd> listen_for_clients(const container::Context& context, const std::string& id)
{
    auto state = TRY(container::StateStore(context.state_root).open(id, container::Locking::none));
    TRY(kernel::make_directory(state.fd(), control_folder, 0700));
    Fd folder = TRY(kernel::open_at(state.fd(), control_folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    return kernel::listen_at(folder, control_socket, 0600);
}

// Why the supervisor stops.
class Watchman {
public:
    Watchman(Sandbox& sandbox, ControlServer& server, const kernel::SignalQueue& signals)
        : m_sandbox(sandbox), m_server(server), m_signals(signals), m_begin(kernel::monotonic_milliseconds())
    {
    }

    // "idle", "lifetime", "removed", "died", "signal"
    Result<std::string> watch()
    {
        while (m_why.empty()) {
            EventLoop loop;
            loop.add({.fd = m_signals.fd().get(), .for_reading = true}, [this](const kernel::Watch&) { return take_signals(); });
            m_sandbox.prepare(loop);
            m_server.prepare(loop);
            loop.wake_at(end_of_life());
            loop.wake_at(end_of_idleness());
            TRY(loop.turn());
            m_sandbox.keep_time();
            decide();
        }
        return m_why;
    }

private:
    Result<> take_signals()
    {
        while (auto signal = TRY(m_signals.next()))
            if (*signal == SIGTERM || *signal == SIGINT)
                m_why = "signal";
        return {};
    }

    int64_t end_of_life() const
    {
        int64_t lifetime = m_sandbox.request().limits.lifetime;
        return lifetime > 0 ? m_begin + lifetime : 0;
    }

    // Programs that are not on a terminal are work; what happens on a terminal shows by its keys and its output.
    int64_t end_of_idleness() const
    {
        int64_t idle = m_sandbox.request().limits.idle;
        return idle > 0 && m_sandbox.only_terminals() ? m_server.last_activity() + idle : 0;
    }

    void decide()
    {
        int64_t now = kernel::monotonic_milliseconds();
        if (!m_sandbox.only_terminals())
            m_server.note_activity();
        if (!m_sandbox.alive())
            m_why = "died";
        else if (m_server.removal_wanted())
            m_why = "removed";
        else if (int64_t end = end_of_life(); end != 0 && now >= end)
            m_why = "lifetime";
        else if (int64_t idle = end_of_idleness(); idle != 0 && now >= idle)
            m_why = "idle";
    }

    Sandbox& m_sandbox;
    ControlServer& m_server;
    const kernel::SignalQueue& m_signals;
    int64_t m_begin;
    std::string m_why;
};

// A last round so that those whose programs died with the sandbox hear of it.
void tell_clients(Sandbox& sandbox, ControlServer& server)
{
    constexpr int64_t last_words = 200;
    int64_t end = kernel::monotonic_milliseconds() + last_words;
    while (!sandbox.idle() && kernel::monotonic_milliseconds() < end) {
        EventLoop loop;
        sandbox.prepare(loop);
        server.prepare(loop);
        loop.wake_at(end);
        if (!loop.turn())
            return;
    }
}

Result<> serve(const container::Context& context, const Request& request, const AuditTarget& target, Leases& leases, FdRef report)
{
    Audit audit = TRY(Audit::open(target));
    audit.describe(request);
    auto signals = TRY(kernel::SignalQueue::open());
    auto sandbox = TRY(Sandbox::create(context, request, std::move(audit), Life::until_removed, leases.ids));
    auto listener = listen_for_clients(context, request.id);
    if (!listener) {
        (void)sandbox.remove();
        return failure(std::move(listener).error());
    }
    (void)::malloc_trim(0); // what making the container took is not needed while it lives
    ControlServer server(context, sandbox, std::move(*listener));
    TRY(kernel::send_message(report, launch::encode_error(Error(ErrorKind::internal, ""))));
    auto why = Watchman(sandbox, server, signals).watch();
    Json details = Json::object();
    details.set("why", Json::string(why ? *why : why.error().message()));
    (void)sandbox.audit().write("removed", std::move(details));
    sandbox.kill();
    tell_clients(sandbox, server);
    auto removed = sandbox.remove();
    leases = {};
    server.farewell();
    return removed;
}

[[noreturn]] void supervise(const container::Context& context, const Request& request, const AuditTarget& target, Leases& leases,
                            const Fd& report)
{
    auto served = become_daemon();
    if (served)
        served = serve(context, request, target, leases, report);
    if (!served)
        (void)kernel::send_message(report, launch::encode_error(served.error()));
    kernel::exit_now(served ? 0 : 1);
}

} // namespace

Result<> start_supervisor(const container::Context& context, const Request& request, const AuditTarget& target, Leases leases)
{
    auto [reader, writer] = TRY(kernel::sequenced_socket_pair());
    auto child = TRY(kernel::clone_process({}));
    if (child.in_child) {
        reader.reset();
        supervise(context, request, target, leases, writer);
    }
    writer.reset();
    auto report = TRY(kernel::receive_message(reader, 1 << 16));
    if (report.end_of_stream)
        return failure(ErrorKind::system, "the supervisor of the sandbox was killed while it began");
    Error error = launch::decode_error(report.bytes);
    if (!error.what().empty())
        return failure(std::move(error));
    return {};
}

} // namespace brig::sandbox
