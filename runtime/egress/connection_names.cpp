// The first half of a connection: what its client wants, by its own words.
#include "egress/connection.hpp"

#include "kernel/events.hpp"

#include <algorithm>

namespace brig::egress {

namespace {

constexpr uint8_t tls_handshake = 22;

bool begins_like_http(char letter)
{
    return letter >= 'A' && letter <= 'Z';
}

Inspection passed_on(HeadState state, size_t size, std::string_view reason)
{
    switch (state) {
    case HeadState::need_more: return {size, Inspection::Then::look_on, {}};
    case HeadState::complete: return {size, Inspection::Then::look_no_more, {}};
    case HeadState::refused: break;
    }
    return {0, Inspection::Then::refuse, reason};
}

} // namespace

// ---- the proxy's protocols ---------------------------------------------------------------------------------------------

void Connection::take_proxy_request()
{
    if (m_socks || m_received.front() == socks_version)
        return take_socks_request();
    if (m_http || begins_like_http(m_received.front()))
        return take_http_proxy_request(std::exchange(m_received, {}));
    refuse("proxy_unknown_protocol");
}

void Connection::take_socks_request()
{
    if (!m_socks) {
        m_socks.emplace();
        m_decision.via = "socks";
    }
    std::string answer;
    HeadState state = m_socks->take(m_received, answer);
    constexpr size_t longest_request = 1024;
    if (state == HeadState::need_more && m_received.size() > longest_request)
        return refuse("socks_broken_request");
    if (!answer.empty())
        (void)kernel::write_available(m_client, answer);
    if (state == HeadState::refused)
        return finish(Outcome::refused, m_socks->reason()); // its answer says it already
    if (state == HeadState::complete)
        go_to(m_socks->host(), m_socks->port());
}

void Connection::take_http_proxy_request(const std::string& bytes)
{
    if (!m_http)
        m_http.emplace();
    m_head += bytes; // all of it so far
    HeadState state = m_http->take(bytes);
    if (state == HeadState::need_more)
        return;
    if (state == HeadState::refused)
        return refuse(m_http->reason());
    HttpRequest request = m_http->request();
    std::string rest = m_head.substr(m_http->size());
    m_head.clear();
    if (request.form == HttpForm::origin)
        return refuse("proxy_request_without_host");
    if (request.form == HttpForm::authority) {
        m_decision.via = "connect";
        m_received = std::move(rest);
        return go_to(request.host, request.port);
    }
    constexpr uint16_t http_port = 80;
    m_destination.port = request.port == 0 ? http_port : request.port;
    m_destination.names = {request.host};
    m_decision.protocol = "http";
    Verdict verdict = m_services.request.rules.decide(request.host, m_destination.port);
    m_decision.name = request.host;
    m_decision.port = m_destination.port;
    if (!verdict.allowed())
        return refuse(reason_of(verdict.match));
    m_decision.rule = verdict.rule->text;
    take_request(request, rest);
}

// A name is looked up; an address has to be one that was handed out, as for a connection without a proxy.
void Connection::go_to(const std::string& host, uint16_t port)
{
    m_decision.port = port;
    if (auto address = IpAddress::parse(host)) {
        m_decision.address = address->to_text();
        if (!find_names(*address, port))
            return;
        m_destination.addresses = {*address};
        return connect_next();
    }
    Verdict verdict = m_services.request.rules.decide(host, port);
    m_decision.name = host;
    if (!verdict.allowed())
        return refuse(reason_of(verdict.match));
    m_decision.rule = verdict.rule->text;
    m_destination = {{host}, {}, port, verdict.any_protocol};
    look_up(host, dns::type_a);
}

void Connection::look_up(const std::string& name, uint16_t type)
{
    m_step = Step::looking_up;
    m_deadline = m_services.loop.now() + m_services.request.limits.connect_milliseconds;
    Services& services = m_services;
    services.resolver.look_up(name, type, [&services, number = m_number, type](const dns::Response& response) {
        if (Connection* connection = services.find_connection(number))
            connection->looked_up(response, type);
    });
}

void Connection::looked_up(const dns::Response& response, uint16_t type)
{
    if (m_step != Step::looking_up)
        return;
    std::string_view objection;
    m_destination.addresses = m_services.dialable(response.addresses, objection);
    if (!m_destination.addresses.empty()) {
        m_services.remember(m_destination.names.front(), m_destination.addresses, response.seconds_to_live);
        return connect_next();
    }
    if (type == dns::type_a && objection.empty())
        return look_up(m_destination.names.front(), dns::type_aaaa);
    if (!objection.empty()) {
        m_decision.address = response.addresses.front().to_text();
        return refuse(objection);
    }
    fail("server_name_not_found");
}

// Tells the proxy's client that it may go on. False: it is gone.
bool Connection::grant()
{
    if (m_granted || m_decision.via == "proxy")
        return true;
    m_granted = true;
    std::string answer = m_socks ? socks_answer(SocksReply::granted) : "HTTP/1.1 200 Connection established\r\n\r\n";
    m_http.reset();
    auto taken = kernel::write_available(m_client, answer);
    if (taken && *taken == answer.size())
        return true;
    fail("client_gone");
    return false;
}

// ---- what it says itself -----------------------------------------------------------------------------------------------

void Connection::take_first_bytes(const std::string& bytes)
{
    m_received += bytes;
    if (!m_tls && !m_http) {
        if (static_cast<uint8_t>(m_received.front()) == tls_handshake) {
            m_tls.emplace(TlsHelloRules{m_services.request.allow_encrypted_hello});
            m_decision.protocol = "tls";
        } else if (begins_like_http(m_received.front())) {
            m_http.emplace();
            m_decision.protocol = "http";
        } else {
            return refuse("unknown_protocol");
        }
    }
    if (m_tls)
        take_tls(bytes);
    else
        take_http(bytes);
}

// The name has to be one that was given this address: an allowed name on the address of another is refused.
bool Connection::is_named(const std::string& name)
{
    const auto& names = m_destination.names;
    if (std::find(names.begin(), names.end(), name) != names.end())
        return true;
    m_decision.name = name;
    Verdict verdict = m_services.request.rules.decide(name, m_destination.port);
    refuse(verdict.allowed() ? "name_of_other_address" : reason_of(verdict.match));
    return false;
}

void Connection::take_tls(std::string_view bytes)
{
    HeadState state = m_tls->take(bytes);
    if (state == HeadState::need_more)
        return;
    if (state == HeadState::refused)
        return refuse(m_tls->reason());
    std::string name = m_tls->server_name();
    if (!is_named(name))
        return;
    TlsSecondHello second({m_services.request.allow_encrypted_hello}, *m_tls);
    state = second.take(std::string_view(m_received).substr(m_tls->size()));
    if (state == HeadState::refused)
        return refuse(second.reason());
    if (state == HeadState::need_more)
        m_inspector = [second](std::string_view more) mutable {
            HeadState now = second.take(more);
            return passed_on(now, more.size(), second.reason());
        };
    m_head = std::exchange(m_received, {});
    name_is_right(std::move(name));
}

void Connection::take_http(std::string_view bytes)
{
    HeadState state = m_http->take(bytes);
    if (state == HeadState::need_more)
        return;
    if (state == HeadState::refused)
        return refuse(m_http->reason());
    HttpRequest request = m_http->request();
    if (request.form == HttpForm::authority)
        return refuse("http_connect_to_server");
    if (!is_named(request.host))
        return;
    if (request.port != 0 && request.port != m_destination.port)
        return refuse("http_host_of_other_port");
    std::string rest = std::exchange(m_received, {}).substr(m_http->size());
    take_request(request, rest);
}

// `rest` came behind the head. What is behind the body goes nowhere.
void Connection::take_request(const HttpRequest& request, std::string_view rest)
{
    HttpBodyReader body(request);
    size_t size = body.take(rest);
    if (body.broken())
        return refuse("http_broken_body");
    m_head = request.head_to_send + std::string(rest.substr(0, size));
    m_passes_no_more = body.ended();
    if (!body.ended())
        m_inspector = [body](std::string_view more) mutable -> Inspection {
            size_t taken = body.take(more);
            if (body.broken())
                return {0, Inspection::Then::refuse, "http_broken_body"};
            return {taken, body.ended() ? Inspection::Then::pass_no_more : Inspection::Then::look_on, {}};
        };
    bool at_proxy_in_clear = m_destination.addresses.empty();
    if (!at_proxy_in_clear)
        return name_is_right(request.host);
    m_name_checked = true;
    look_up(request.host, dns::type_a);
}

} // namespace brig::egress
