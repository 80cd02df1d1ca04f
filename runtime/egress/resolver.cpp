#include "egress/resolver.hpp"

#include "kernel/events.hpp"
#include "kernel/internet.hpp"
#include "kernel/process.hpp"

#include <algorithm>

namespace brig::egress {

namespace {

constexpr size_t most_pending = 512;
constexpr size_t rounds = 2; // each server is asked so often
constexpr int64_t patience = 2000;

} // namespace

class Resolver::Lookup final : public EventSink {
public:
    Lookup(Resolver& resolver, std::string name, uint16_t type, LookupDone done)
        : m_resolver(resolver), m_name(std::move(name)), m_type(type), m_done(std::move(done))
    {
    }

    void ready(unsigned, const kernel::Readiness&) override;

    Resolver& m_resolver;
    std::string m_name;
    uint16_t m_type;
    LookupDone m_done; // empty: finished
    size_t m_attempt = 0;
    uint16_t m_id = 0;
    int64_t m_deadline = 0;
    Fd m_socket;
    Registration m_registration;
};

Resolver::Resolver(EventLoop& loop, std::vector<IpEndpoint> servers) : m_loop(loop), m_servers(std::move(servers)) {}

Resolver::~Resolver() = default;

void Resolver::Lookup::ready(unsigned, const kernel::Readiness& readiness)
{
    if (!readiness.readable || !m_done)
        return;
    while (true) {
        auto datagram = kernel::receive_datagram(m_socket, dns::largest_message);
        if (!datagram)
            return m_resolver.ask_next(*this); // nobody listens there
        if (!*datagram)
            return;
        auto response = dns::parse_response((*datagram)->bytes, m_id, m_name, m_type);
        if (!response)
            continue; // not the answer to this query: whoever sent it
        bool definite = response->code == dns::Code::no_error || response->code == dns::Code::no_such_name;
        return definite ? m_resolver.finish(*this, *response) : m_resolver.ask_next(*this);
    }
}

void Resolver::look_up(const std::string& name, uint16_t type, LookupDone done)
{
    remove_finished();
    if (m_pending.size() >= most_pending) {
        done({});
        return;
    }
    m_pending.push_back(std::make_unique<Lookup>(*this, name, type, std::move(done)));
    ask_next(*m_pending.back());
}

void Resolver::ask_next(Lookup& lookup)
{
    while (lookup.m_attempt < rounds * m_servers.size())
        if (ask(lookup))
            return;
    finish(lookup, {});
}

bool Resolver::ask(Lookup& lookup)
{
    const IpEndpoint& server = m_servers[lookup.m_attempt++ % m_servers.size()];
    auto random = kernel::random_number();
    auto socket = kernel::connect_udp(server);
    if (!random || !socket)
        return false;
    lookup.m_id = static_cast<uint16_t>(*random & 0xffff);
    lookup.m_registration.reset();
    lookup.m_socket = std::move(*socket);
    auto registration = m_loop.watch(lookup.m_socket, lookup, 0, Trigger::edge);
    if (!registration)
        return false;
    lookup.m_registration = std::move(*registration);
    lookup.m_deadline = m_loop.now() + patience;
    std::string query = dns::make_query(lookup.m_id, lookup.m_name, lookup.m_type);
    auto sent = kernel::write_available(lookup.m_socket, query);
    return sent && *sent == query.size();
}

void Resolver::finish(Lookup& lookup, const dns::Response& response)
{
    // Whom it tells may look up another name, which removes what is finished: this stays until then.
    LookupDone done = std::exchange(lookup.m_done, nullptr);
    lookup.m_registration.reset();
    lookup.m_socket.reset();
    done(response);
}

void Resolver::remove_finished()
{
    std::erase_if(m_pending, [](const auto& lookup) { return !lookup->m_done; });
}

void Resolver::check_time()
{
    std::vector<Lookup*> late;
    for (const auto& lookup : m_pending)
        if (lookup->m_done && lookup->m_deadline <= m_loop.now())
            late.push_back(lookup.get());
    // Adding to m_pending moves the owners, not the lookups; but whoever is told may have the finished ones removed.
    for (Lookup* lookup : late) {
        bool still_there =
            std::any_of(m_pending.begin(), m_pending.end(), [&](const auto& pending) { return pending.get() == lookup; });
        if (still_there && lookup->m_done)
            ask_next(*lookup);
    }
    remove_finished();
}

} // namespace brig::egress
