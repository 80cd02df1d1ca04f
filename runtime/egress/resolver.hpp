// Asks the host's name servers for the addresses of one name, by UDP.
//
// Each query has a socket (a random port), a random id, and is compared with its answer. Nothing but allowed names and the
// kind of address goes out. Answers that are cut short are used as far as they go: addresses are whole records.
//
// Runs in: the broker.
#pragma once

#include "base/ip_address.hpp"
#include "egress/dns.hpp"
#include "egress/event_loop.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace brig::egress {

using LookupDone = std::function<void(const dns::Response&)>;

class Resolver {
public:
    Resolver(EventLoop& loop, std::vector<IpEndpoint> servers);
    ~Resolver();
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;

    // `done` is called once, at once or later; server_failure when nobody answered. `name` is normal and allowed.
    void look_up(const std::string& name, uint16_t type, LookupDone done);
    void check_time();
    bool idle() const { return m_pending.empty(); }

private:
    class Lookup;

    bool ask(Lookup& lookup);
    void ask_next(Lookup& lookup);
    void finish(Lookup& lookup, const dns::Response& response);
    void remove_finished();

    EventLoop& m_loop;
    std::vector<IpEndpoint> m_servers;
    std::vector<std::unique_ptr<Lookup>> m_pending;
};

} // namespace brig::egress
