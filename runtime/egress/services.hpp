// What the parts of the broker share. Each belongs to the broker's loop and outlives whoever uses it.
#pragma once

#include "egress/audit.hpp"
#include "egress/broker.hpp"
#include "egress/destination_check.hpp"
#include "egress/event_loop.hpp"
#include "egress/name_memory.hpp"
#include "egress/relay.hpp"
#include "egress/resolver.hpp"

#include <cstdint>
#include <functional>
#include <vector>

namespace brig::egress {

class Connection;

struct Services {
    Services(const BrokerRequest& broker_request, EventLoop event_loop, kernel::RouteSocket routes, Fd audit_pipe)
        : request(broker_request), loop(std::move(event_loop)), resolver(loop, broker_request.resolvers),
          destinations(broker_request.rules, std::move(routes)), audit(std::move(audit_pipe), broker_request.sandbox),
          meter(broker_request.limits.bytes, broker_request.limits.bytes_per_second)
    {
    }

    const BrokerRequest& request;
    EventLoop loop;
    Resolver resolver;
    NameMemory memory{8192};
    DestinationCheck destinations;
    Audit audit;
    PipePool pipes;
    Meter meter;
    // A connection may have ended while somebody looked something up for it.
    std::function<Connection*(uint64_t number)> find_connection;
    std::vector<uint64_t> ended_connections;
    std::vector<uint64_t> held_connections; // until the rate allows more

    // Those of the addresses that may be dialled. `objection`: why the last one of the others may not.
    std::vector<IpAddress> dialable(const std::vector<IpAddress>& addresses, std::string_view& objection) const;
    // Handed out for at least five minutes: programs keep addresses longer than name servers want.
    void remember(const std::string& name, const std::vector<IpAddress>& addresses, uint32_t seconds_to_live);
};

// The word of the audit for a rule's "no".
std::string_view reason_of(Match match);

} // namespace brig::egress
