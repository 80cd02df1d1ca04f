#include "egress/connection.hpp"

#include "base/text.hpp"
#include "kernel/events.hpp"

#include <algorithm>

namespace brig::egress {

namespace {

constexpr unsigned of_client = 0;
constexpr unsigned of_server = 1;
constexpr size_t read_size = 16 << 10;
// How long a client that asks again on a connection of one request waits for the server to end it.
constexpr int64_t patience_with_more_requests = 5000;

} // namespace

Connection::Connection(Services& services, uint64_t number, kernel::Accepted accepted, bool at_proxy)
    : m_services(services), m_number(number), m_client(std::move(accepted.socket)), m_wanted(accepted.local),
      m_at_proxy(at_proxy), m_started(services.loop.now())
{
    m_decision.protocol = "unknown";
    m_decision.via = at_proxy ? "proxy" : "direct";
    m_decision.port = accepted.local.port;
    if (!at_proxy)
        m_decision.address = accepted.local.address.to_text();
}

Connection::~Connection() = default;

void Connection::start()
{
    m_deadline = m_services.loop.now() + m_services.request.limits.head_milliseconds;
    auto registration = m_services.loop.watch(m_client, *this, of_client, Trigger::edge);
    if (!registration)
        return fail("too_many_files");
    m_client_events = std::move(*registration);
    if (!m_at_proxy)
        start_direct();
}

void Connection::start_direct()
{
    if (!find_names(m_wanted.address, m_wanted.port))
        return;
    m_destination.addresses = {m_wanted.address};
    if (m_destination.any_protocol)
        connect_next();
    else
        m_step = Step::first_bytes;
}

// The names that were given this address and may be reached on this port.
bool Connection::find_names(const IpAddress& address, uint16_t port)
{
    m_destination.port = port;
    std::string_view reason = "address_not_handed_out";
    for (auto& name : m_services.memory.names_of(address, m_services.loop.now())) {
        Verdict verdict = m_services.request.rules.decide(name, port);
        if (!verdict.allowed()) {
            reason = reason_of(verdict.match);
            m_decision.name = name;
            continue;
        }
        if (verdict.any_protocol && !m_destination.any_protocol) {
            m_destination.any_protocol = true;
            m_decision.name = name;
            m_decision.rule = verdict.rule->text;
        }
        m_destination.names.push_back(std::move(name));
    }
    if (m_destination.names.empty()) {
        refuse(reason);
        return false;
    }
    if (!m_destination.any_protocol)
        m_decision.name.clear();
    return true;
}

// ---- events ------------------------------------------------------------------------------------------------------------

void Connection::ready(unsigned which, const kernel::Readiness& readiness)
{
    if (m_step == Step::relaying) {
        if (which == of_client)
            m_relay->client_is_ready(readiness.readable, readiness.writable);
        else
            m_relay->server_is_ready(readiness.readable, readiness.writable);
        return pump();
    }
    if (which == of_client && (m_step == Step::proxy_request || m_step == Step::first_bytes))
        return read_client();
    if (which == of_client && readiness.ended)
        return fail("client_gone");
    if (which == of_server && m_step == Step::connecting && (readiness.writable || readiness.ended))
        connected();
}

void Connection::resume()
{
    if (m_step == Step::relaying)
        pump();
}

void Connection::check_time()
{
    int64_t now = m_services.loop.now();
    if (m_step == Step::over)
        return;
    if (m_step == Step::relaying) {
        int64_t patience =
            m_relay->client_asks_for_more() ? patience_with_more_requests : int64_t{m_services.request.limits.idle_milliseconds};
        if (now - m_active_at > patience)
            finish(Outcome::allowed, "idle");
        return;
    }
    if (now < m_deadline)
        return;
    if (m_step == Step::connecting && m_next_address < m_destination.addresses.size())
        return connect_next();
    if (m_step == Step::connecting || m_step == Step::looking_up)
        return fail("server_timed_out");
    refuse("head_timed_out");
}

void Connection::read_client()
{
    while (m_step == Step::proxy_request || m_step == Step::first_bytes) {
        auto bytes = kernel::read_available(m_client, read_size);
        if (!bytes || (*bytes && (*bytes)->empty()))
            return fail("client_gone");
        if (!*bytes)
            return;
        take_bytes(**bytes);
    }
}

void Connection::take_bytes(const std::string& bytes)
{
    if (m_step == Step::first_bytes)
        return take_first_bytes(bytes);
    m_received += bytes;
    take_proxy_request();
}

// ---- dialling ----------------------------------------------------------------------------------------------------------

void Connection::connect_next()
{
    m_step = Step::connecting;
    std::string_view reason = "server_unreachable";
    while (m_next_address < m_destination.addresses.size()) {
        IpEndpoint server{m_destination.addresses[m_next_address++], m_destination.port};
        m_decision.address = server.address.to_text();
        // Again, although it was looked at when it was handed out: the host's addresses and ways change.
        if (auto objection = m_services.destinations.objection_to(server.address))
            return refuse(*objection);
        m_server_events.reset();
        auto socket = kernel::begin_connect(server);
        if (!socket)
            continue;
        m_server = std::move(*socket);
        auto registration = m_services.loop.watch(m_server, *this, of_server, Trigger::edge);
        if (!registration)
            return fail("too_many_files");
        m_server_events = std::move(*registration);
        m_deadline = m_services.loop.now() + m_services.request.limits.connect_milliseconds;
        return;
    }
    fail(reason);
}

void Connection::connected()
{
    if (!kernel::connect_outcome(m_server))
        return connect_next();
    (void)kernel::send_without_delay(m_server);
    (void)kernel::send_without_delay(m_client);
    if (m_at_proxy && !grant())
        return;
    if (m_name_checked || m_destination.any_protocol)
        return begin_relay();
    m_step = Step::first_bytes;
    m_deadline = m_services.loop.now() + m_services.request.limits.head_milliseconds;
    if (!m_received.empty())
        take_first_bytes(std::exchange(m_received, {}));
    // What came in the meantime was not told twice.
    if (m_step == Step::first_bytes)
        read_client();
}

// Which of the names it is: from here on the connection is the name's.
void Connection::name_is_right(std::string name)
{
    m_decision.name = std::move(name);
    if (const Rule* rule = m_services.request.rules.decide(m_decision.name, m_destination.port).rule)
        m_decision.rule = rule->text;
    m_name_checked = true;
    if (m_server.valid())
        begin_relay();
    else
        connect_next();
}

// ---- relaying ----------------------------------------------------------------------------------------------------------

void Connection::begin_relay()
{
    if (m_destination.any_protocol && !m_name_checked) {
        m_decision.protocol = "tcp";
        m_head = std::exchange(m_received, {});
    }
    m_step = Step::relaying;
    m_active_at = m_services.loop.now();
    m_relay.emplace(m_client, m_server, m_services.pipes, m_services.meter);
    m_relay->begin(std::move(m_head), std::move(m_inspector), m_passes_no_more);
    m_tls.reset();
    m_http.reset();
    pump();
}

void Connection::pump()
{
    RelayState state = m_relay->pump(m_services.loop.now());
    uint64_t moved = m_relay->bytes_in() + m_relay->bytes_out();
    if (moved != m_moved)
        m_active_at = m_services.loop.now();
    m_moved = moved;
    switch (state) {
    case RelayState::waiting: return;
    case RelayState::busy: return m_services.loop.call_again(m_client_events);
    case RelayState::held: return m_services.held_connections.push_back(m_number);
    case RelayState::ended: return finish(Outcome::allowed, "ended");
    case RelayState::failed: return finish(Outcome::allowed, m_relay->reason());
    case RelayState::refused: return refuse(m_relay->reason());
    }
}

// ---- the end -----------------------------------------------------------------------------------------------------------

void Connection::refuse(std::string_view reason)
{
    tell_client(reason);
    finish(Outcome::refused, reason);
}

void Connection::fail(std::string_view reason)
{
    tell_client(reason);
    finish(Outcome::failed, reason);
}

void Connection::end(std::string_view reason)
{
    if (m_step != Step::over)
        finish(m_step == Step::relaying ? Outcome::allowed : Outcome::failed, reason);
}

// What a program shows its user; nothing when its protocol is unknown, or when bytes of the server are on their way.
void Connection::tell_client(std::string_view reason)
{
    std::string answer;
    if (m_step == Step::relaying || m_step == Step::over)
        return;
    if (m_socks && !m_granted)
        answer = socks_answer(reason == "server_unreachable" ? SocksReply::unreachable : SocksReply::not_allowed);
    else if (m_tls)
        answer = std::string("\x15\x03\x03\x00\x02\x02\x70", 7); // a fatal alert: unrecognized_name
    else if (m_http)
        answer =
            fmt::format("HTTP/1.1 {}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n"
                        "brig: the sandbox's network does not reach this: {}\n",
                        reason.starts_with("server_") ? "502 Bad Gateway" : "403 Forbidden",
                        reason.size() + std::string_view("brig: the sandbox's network does not reach this: \n").size(), reason);
    if (!answer.empty())
        (void)kernel::write_available(m_client, answer);
    else
        (void)kernel::reset_on_close(m_client);
}

void Connection::finish(Outcome outcome, std::string_view reason)
{
    m_step = Step::over;
    m_decision.outcome = outcome;
    m_decision.reason = reason;
    m_decision.milliseconds = m_services.loop.now() - m_started;
    if (m_relay) {
        m_decision.bytes_out = m_relay->bytes_out();
        m_decision.bytes_in = m_relay->bytes_in();
        // Of what was cut short both sides shall learn.
        if (reason != "ended") {
            (void)kernel::reset_on_close(m_client);
            (void)kernel::reset_on_close(m_server);
        }
    }
    m_services.audit.report(m_decision);
    m_client_events.reset();
    m_server_events.reset();
    m_relay.reset();
    m_client.reset();
    m_server.reset();
    m_services.ended_connections.push_back(m_number);
}

} // namespace brig::egress
