#include "egress/broker.hpp"

#include "base/text.hpp"
#include "egress/broker_process.hpp"
#include "egress/confinement.hpp"
#include "kernel/child_process.hpp"
#include "kernel/events.hpp"
#include "kernel/file_events.hpp"
#include "kernel/files.hpp"
#include "kernel/netlink.hpp"
#include "kernel/process.hpp"
#include "kernel/sockets.hpp"

#include <algorithm>
#include <array>
#include <csignal>

namespace brig::egress {

namespace {

constexpr uint64_t files_of_its_own = 192;  // listeners, the loop, name servers, pipes in reserve
constexpr uint64_t files_of_connection = 6; // two sockets, and a pipe in each direction when both are slow
constexpr uint64_t least_connections = 16;

// ---- in the child ------------------------------------------------------------------------------------------------------

Result<> keep_own_descriptors(const Listeners& listeners, FdRef audit, FdRef report)
{
    std::vector<int> kept = {audit.get(), report.get()};
    for (const Listener& listener : listeners.sockets)
        kept.push_back(listener.socket.get());
    // Whatever else the caller has open is none of the broker's business.
    TRY(kernel::close_all_but(std::move(kept)));
    // 0, 1 and 2 are no sockets of somebody's, whatever a library prints.
    return kernel::ensure_standard_descriptors();
}

// `report` is closed as soon as it serves: the number may be another file's then.
Result<> serve(BrokerRequest& request, Listeners listeners, Fd audit, Fd& report)
{
    TRY(keep_own_descriptors(listeners, audit, report));
    TRY(kernel::new_session());
    TRY(kernel::set_process_name("brig-egress"));
    TRY(kernel::set_nonblocking(audit));
    auto signals = TRY(kernel::SignalQueue::open());
    auto routes = TRY(kernel::RouteSocket::open());
    auto loop = TRY(EventLoop::open());
    // Before files are out of reach: the JSON library looks for randomness when it makes its first object.
    (void)audit_line("", "", {});
    uint64_t wanted = files_of_its_own + files_of_connection * request.limits.connections;
    uint64_t files = TRY(confine_self({request.uid, request.gid, wanted}));
    if (files < files_of_its_own + files_of_connection * least_connections)
        return failure(Error(ErrorKind::system, fmt::format("{} open files are not enough for an egress broker", files))
                           .with_hint("raise the limit of open files (ulimit -n)"));
    auto possible = static_cast<uint32_t>((files - files_of_its_own) / files_of_connection);
    request.limits.connections = std::min(request.limits.connections, possible);

    Services services(request, std::move(loop), std::move(routes), std::move(audit));
    NameService names(services);
    BrokerProcess process(services, names, std::move(signals), std::move(listeners));
    TRY(process.start());
    // The parent may have died before its death became a signal: then nobody reads this.
    TRY(kernel::write_all(report, "ready"));
    report.reset();
    return process.run();
}

// ---- in the caller -----------------------------------------------------------------------------------------------------

Result<> check_request(const BrokerRequest& request)
{
    const Limits& limits = request.limits;
    for (uint32_t limit : {limits.connections, limits.connections_per_second, limits.queries_per_second, limits.head_milliseconds,
                           limits.connect_milliseconds, limits.idle_milliseconds})
        if (limit == 0)
            return failure(ErrorKind::invalid, "a limit of the egress broker is 0; all but those of bytes are at least 1");
    return {};
}

// False: it took longer than until `deadline`, or could not be read.
bool read_to_end(FdRef stream, int64_t deadline, std::string& text)
{
    constexpr size_t piece = 64 << 10;
    while (true) {
        int64_t left = deadline - kernel::monotonic_milliseconds();
        std::array watch = {kernel::Watch{.fd = stream.get(), .for_reading = true}};
        if (left <= 0 || !kernel::wait_for_events(watch, left).value_or(false))
            return false;
        auto data = kernel::read_some(stream, piece);
        if (!data || data->empty())
            return data.has_value();
        text += *data;
    }
}

} // namespace

Result<Broker> Broker::start(BrokerRequest request, Listeners listeners)
{
    TRY(check_request(request));
    auto [audit_reader, audit_writer] = TRY(kernel::make_pipe());
    auto [report_reader, report_writer] = TRY(kernel::make_pipe());
    kernel::CloneOutcome child = TRY(kernel::clone_process({}));
    if (child.in_child) {
        auto served = serve(request, std::move(listeners), std::move(audit_writer), report_writer);
        if (!served && report_writer.valid())
            (void)kernel::write_all(report_writer, served.error().message());
        kernel::exit_now(served ? 0 : 1);
    }
    Broker broker(child.pid, std::move(child.pidfd), std::move(audit_reader));
    report_writer.reset();
    constexpr size_t longest_report = 64 << 10;
    std::string report = TRY(kernel::read_all(report_reader, longest_report));
    if (report != "ready")
        return failure(ErrorKind::system, "start the egress broker: " + (report.empty() ? "it ended without a word" : report));
    return broker;
}

Broker::~Broker()
{
    (void)stop();
}

// More than a pipe holds may be left to tell: it is read while the broker ends.
Result<std::string> Broker::stop(int64_t milliseconds)
{
    std::string rest;
    if (!m_pidfd.valid())
        return rest;
    Fd pidfd = std::move(m_pidfd);
    (void)kernel::pidfd_send_signal(pidfd, SIGTERM);
    bool told_all = read_to_end(m_audit, kernel::monotonic_milliseconds() + milliseconds, rest);
    auto ended = told_all ? kernel::wait_for_end(pidfd, milliseconds) : Result<bool>(false);
    if (!ended || !*ended)
        (void)kernel::pidfd_send_signal(pidfd, SIGKILL);
    // A caller that reaps all its children may have been first.
    auto status = kernel::wait_for(m_pid);
    if (!status && status.error().code() != ECHILD)
        return failure(std::move(status).error());
    return rest;
}

std::vector<IpEndpoint> resolvers_in(std::string_view resolv_conf)
{
    constexpr uint16_t dns_port = 53;
    constexpr size_t most_resolvers = 3; // as libc
    std::vector<IpEndpoint> found;
    for (std::string_view line : split(resolv_conf, '\n')) {
        auto parts = words_of(trim(line));
        if (parts.size() < 2 || parts[0] != "nameserver")
            continue;
        auto address = IpAddress::parse(parts[1]);
        if (address && found.size() < most_resolvers)
            found.push_back({*address, dns_port});
    }
    if (found.empty())
        found.push_back({IpAddress::loopback(false), dns_port});
    return found;
}

} // namespace brig::egress
