#include "egress/broker_process.hpp"

#include "kernel/internet.hpp"

#include <algorithm>

namespace brig::egress {

namespace {

constexpr unsigned of_signals = 1'000'000; // listeners have their index
constexpr unsigned of_audit = of_signals + 1;
constexpr uint64_t burst_of_connections = 2048;
constexpr int connections_in_a_turn = 64;
constexpr int64_t check_interval = 250; // milliseconds
constexpr int short_wait = 10;

} // namespace

BrokerProcess::BrokerProcess(Services& services, NameService& names, kernel::SignalQueue signals, Listeners listeners)
    : m_services(services), m_names(names), m_signals(std::move(signals)), m_listeners(std::move(listeners)),
      m_new_connections(services.request.limits.connections_per_second, burst_of_connections)
{
    m_services.find_connection = [this](uint64_t number) -> Connection* {
        auto found = m_connections.find(number);
        return found == m_connections.end() ? nullptr : found->second.get();
    };
}

Result<> BrokerProcess::start()
{
    EventLoop& loop = m_services.loop;
    for (size_t index = 0; index < m_listeners.sockets.size(); index++)
        m_registrations.push_back(
            TRY(loop.watch(m_listeners.sockets[index].socket, *this, static_cast<unsigned>(index), Trigger::level)));
    m_signal_events = TRY(loop.watch(m_signals.fd(), *this, of_signals, Trigger::level));
    m_audit_events = TRY(loop.watch(m_services.audit.pipe(), *this, of_audit, Trigger::edge));
    return {};
}

void BrokerProcess::ready(unsigned which, const kernel::Readiness& readiness)
{
    if (which == of_audit)
        m_audit_is_gone = m_audit_is_gone || readiness.ended;
    if (which >= m_listeners.sockets.size())
        return; // signals and the audit are looked at in each round
    const Listener& listener = m_listeners.sockets[which];
    switch (listener.kind) {
    case ListenerKind::dns_udp: return m_names.serve_datagrams(listener.socket);
    case ListenerKind::dns_tcp: return m_names.accept_streams(listener.socket);
    case ListenerKind::transparent:
    case ListenerKind::proxy: return accept_connections(listener);
    }
}

void BrokerProcess::accept_connections(const Listener& listener)
{
    for (int count = 0; count < connections_in_a_turn && !m_services.audit.is_behind(); count++) {
        if (m_new_connections.left(m_services.loop.now()) == 0)
            return;
        auto accepted = kernel::accept_available(listener.socket);
        m_out_of_files = !accepted;
        if (!accepted || !*accepted)
            return;
        m_new_connections.use(1);
        add_connection(std::move(**accepted), listener.kind == ListenerKind::proxy);
    }
}

void BrokerProcess::add_connection(kernel::Accepted accepted, bool at_proxy)
{
    if (m_connections.size() >= m_services.request.limits.connections) {
        Decision decision{.protocol = "unknown", .via = at_proxy ? "proxy" : "direct", .port = accepted.local.port};
        decision.address = accepted.local.address.to_text();
        decision.reason = "connection_limit";
        m_services.audit.report(decision);
        (void)kernel::reset_on_close(accepted.socket);
        return;
    }
    uint64_t number = m_next_connection++;
    auto connection = std::make_unique<Connection>(m_services, number, std::move(accepted), at_proxy);
    Connection& added = *connection;
    m_connections.emplace(number, std::move(connection));
    added.start();
}

void BrokerProcess::remove_ended()
{
    for (uint64_t number : m_services.ended_connections)
        m_connections.erase(number);
    m_services.ended_connections.clear();
}

void BrokerProcess::resume_held()
{
    std::vector<uint64_t> held;
    held.swap(m_services.held_connections);
    for (uint64_t number : held)
        if (Connection* connection = m_services.find_connection(number))
            connection->resume();
}

void BrokerProcess::check_time()
{
    int64_t now = m_services.loop.now();
    if (now - m_checked_at < check_interval)
        return;
    m_checked_at = now;
    m_services.resolver.check_time();
    m_names.check_time();
    for (const auto& [number, connection] : m_connections)
        connection->check_time();
    remove_ended();
}

bool BrokerProcess::is_told_to_end()
{
    while (true) {
        auto signal = m_signals.next();
        if (!signal || !*signal)
            return false;
        if (**signal == SIGTERM || **signal == SIGINT || **signal == SIGHUP)
            return true;
    }
}

// Listeners rest while a connection could not be served or not be reported: clients wait, nothing is let through unseen.
Result<> BrokerProcess::update_pause()
{
    bool pause = m_services.audit.is_behind() || m_out_of_files || m_new_connections.left(m_services.loop.now()) == 0;
    m_out_of_files = false;
    if (pause == m_paused)
        return {};
    m_paused = pause;
    for (size_t index = 0; index < m_listeners.sockets.size(); index++)
        TRY(m_services.loop.set_watched(m_registrations[index], m_listeners.sockets[index].socket, !pause));
    return {};
}

int BrokerProcess::longest_wait() const
{
    if (m_paused || !m_services.held_connections.empty())
        return short_wait;
    bool nothing_to_time = m_connections.empty() && m_services.resolver.idle() && m_names.idle();
    return nothing_to_time ? -1 : static_cast<int>(check_interval);
}

Result<> BrokerProcess::run()
{
    while (!is_told_to_end() && !m_audit_is_gone) {
        TRY(m_services.loop.run_once(longest_wait()));
        resume_held();
        remove_ended();
        check_time();
        TRY(m_services.audit.flush());
        TRY(update_pause());
    }
    // No more connections before the last lines are written.
    m_registrations.clear();
    m_listeners.sockets.clear();
    for (const auto& [number, connection] : m_connections)
        connection->end("broker_ended");
    return report_the_rest();
}

// Whoever stops it reads meanwhile, or kills it.
Result<> BrokerProcess::report_the_rest()
{
    TRY(m_services.audit.flush());
    while (!m_services.audit.empty() && !m_audit_is_gone) {
        remove_ended();
        TRY(m_services.loop.run_once(short_wait));
        TRY(m_services.audit.flush());
    }
    return {};
}

} // namespace brig::egress
