#include "egress/name_service.hpp"

#include "kernel/events.hpp"

#include <algorithm>

namespace brig::egress {

namespace {

constexpr uint32_t longest_seconds_to_live = 300; // a program that keeps answers asks again, and is remembered again
constexpr uint32_t seconds_of_refusals = 30;
constexpr size_t most_streams = 32;
constexpr int64_t longest_silence = 10'000;
constexpr size_t datagrams_in_a_turn = 64;
constexpr size_t accepted_in_a_turn = 64;
constexpr int64_t reports_of_drops_apart = 1000;

} // namespace

// DNS over TCP (RFC 7766): each message has its length in front. One query at a time.
class NameService::Stream final : public EventSink {
public:
    Stream(NameService& service, uint64_t number, kernel::Accepted accepted)
        : m_service(service), m_number(number), m_socket(std::move(accepted.socket)), m_heard_at(service.m_services.loop.now())
    {
    }

    bool start()
    {
        auto registration = m_service.m_services.loop.watch(m_socket, *this, 0, Trigger::edge);
        if (registration)
            m_registration = std::move(*registration);
        return registration.has_value();
    }

    void ready(unsigned, const kernel::Readiness&) override
    {
        read();
        serve();
    }

    void take_answer(const std::string& answer)
    {
        m_waits = false;
        std::string message = {static_cast<char>(answer.size() >> 8), static_cast<char>(answer.size() & 0xff)};
        message += answer;
        auto taken = kernel::write_available(m_socket, message);
        // Answers are short: a client that does not take one takes none.
        m_over = m_over || !taken || *taken != message.size();
        serve();
    }

    bool is_over(int64_t now) const { return m_over || now - m_heard_at > longest_silence; }

private:
    void read()
    {
        constexpr size_t most_unanswered = 16 << 10;
        while (!m_over && m_received.size() < most_unanswered) {
            auto bytes = kernel::read_available(m_socket, 4096);
            if (!bytes || (*bytes && (*bytes)->empty()))
                m_over = true;
            if (!bytes || !*bytes)
                return;
            m_received += **bytes;
            m_heard_at = m_service.m_services.loop.now();
        }
    }

    // An answer can come at once: then this goes on here, not deeper in the stack.
    void serve()
    {
        if (m_serves)
            return;
        m_serves = true;
        while (!m_over && !m_waits && serve_one()) {
        }
        m_serves = false;
    }

    bool serve_one()
    {
        if (m_received.size() < 2)
            return false;
        size_t length = static_cast<size_t>(static_cast<uint8_t>(m_received[0])) << 8 | static_cast<uint8_t>(m_received[1]);
        if (length > dns::largest_message)
            m_over = true;
        if (m_over || m_received.size() < length + 2)
            return false;
        std::string message = m_received.substr(2, length);
        m_received.erase(0, length + 2);
        m_waits = true;
        NameService& service = m_service;
        // By number: the client may be gone when the answer comes.
        service.answer(message, "tcp", [&service, number = m_number](const std::string& answer) {
            auto stream = service.m_streams.find(number);
            if (stream != service.m_streams.end())
                stream->second->take_answer(answer);
        });
        return true;
    }

    NameService& m_service;
    uint64_t m_number;
    Fd m_socket;
    Registration m_registration;
    std::string m_received;
    int64_t m_heard_at;
    bool m_waits = false;
    bool m_serves = false;
    bool m_over = false;
};

NameService::NameService(Services& services)
    : m_services(services),
      m_queries(services.request.limits.queries_per_second, uint64_t{2} * services.request.limits.queries_per_second)
{
}

NameService::~NameService() = default;

void NameService::serve_datagrams(FdRef listener)
{
    for (size_t count = 0; count < datagrams_in_a_turn; count++) {
        auto datagram = kernel::receive_datagram(listener, dns::largest_message + 1);
        if (!datagram || !*datagram)
            return;
        answer((*datagram)->bytes, "udp", [listener, to = **datagram](std::string bytes) {
            // The address that was asked answers: programs compare.
            (void)kernel::send_datagram(listener, {std::move(bytes), to.peer, to.local});
        });
    }
}

void NameService::accept_streams(FdRef listener)
{
    for (size_t count = 0; count < accepted_in_a_turn; count++) {
        auto accepted = kernel::accept_available(listener);
        if (!accepted || !*accepted)
            return;
        if (m_streams.size() >= most_streams)
            continue;
        uint64_t number = m_next_stream++;
        auto stream = std::make_unique<Stream>(*this, number, std::move(**accepted));
        Stream& added = *stream;
        m_streams.emplace(number, std::move(stream));
        if (!added.start())
            m_streams.erase(number);
    }
}

void NameService::check_time()
{
    std::erase_if(m_streams, [&](const auto& stream) { return stream.second->is_over(m_services.loop.now()); });
}

// Without an answer the program asks again, later. The first drop in a second is reported.
bool NameService::may_answer_now()
{
    int64_t now = m_services.loop.now();
    if (m_queries.take_one(now))
        return true;
    if (now - m_dropped_reported_at >= reports_of_drops_apart) {
        m_dropped_reported_at = now;
        m_services.audit.report({.protocol = "dns", .via = "udp", .reason = "query_rate"});
    }
    return false;
}

void NameService::report(const dns::Query& query, std::string_view via, Outcome outcome, std::string_view reason,
                         std::string rule, std::string address)
{
    Decision decision;
    decision.protocol = "dns";
    decision.via = via;
    decision.name = query.name;
    decision.address = std::move(address);
    decision.outcome = outcome;
    decision.reason = reason;
    decision.rule = std::move(rule);
    m_services.audit.report(decision);
}

void NameService::answer(std::string_view message, std::string_view via, const Reply& reply)
{
    auto query = dns::parse_query(message);
    if (!query || !may_answer_now())
        return;
    if (query->problem != dns::Code::no_error) {
        report(*query, via, Outcome::refused, "dns_broken_query");
        return reply(dns::make_answer(*query, query->problem, {}, 0));
    }
    auto name = normal_name(query->name);
    Verdict verdict = name ? m_services.request.rules.decide_lookup(*name) : Verdict{};
    if (!verdict.allowed()) {
        report(*query, via, Outcome::refused, reason_of(verdict.match), verdict.rule != nullptr ? verdict.rule->text : "");
        return reply(dns::make_answer(*query, dns::Code::no_such_name, {}, seconds_of_refusals));
    }
    query->name = *name;
    if (query->type != dns::type_a && query->type != dns::type_aaaa)
        return reply(dns::make_answer(*query, dns::Code::no_error, {}, 0));
    look_up(*query, via, reply);
}

void NameService::look_up(const dns::Query& query, std::string_view via, const Reply& reply)
{
    m_services.resolver.look_up(query.name, query.type, [this, query, via, reply](const dns::Response& response) {
        std::string_view objection;
        auto addresses = m_services.dialable(response.addresses, objection);
        if (addresses.empty() && !objection.empty()) {
            report(query, via, Outcome::refused, objection, {}, response.addresses.front().to_text());
            // Of a name with addresses of which none is dialled, the other family may still have some: not NXDOMAIN.
            return reply(dns::make_answer(query, dns::Code::no_error, {}, 0));
        }
        m_services.remember(query.name, addresses, response.seconds_to_live);
        if (!addresses.empty())
            report(query, via, Outcome::allowed, "answered", m_services.request.rules.decide_lookup(query.name).rule->text,
                   addresses.front().to_text());
        else if (response.code == dns::Code::server_failure)
            report(query, via, Outcome::failed, "name_server_failed");
        reply(dns::make_answer(query, response.code, addresses, std::min(response.seconds_to_live, longest_seconds_to_live)));
    });
}

} // namespace brig::egress
