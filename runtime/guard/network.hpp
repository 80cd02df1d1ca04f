// The egress broker of a container that was created by hand or by an engine.
//
// Runs in: the guard, whose child the broker is: it dies with it, and then the container has no network.
#pragma once

#include "egress/broker.hpp"
#include "guard/duties.hpp"

#include <string>
#include <sys/types.h>
#include <vector>

namespace brig::guard {

// The name servers of the host's own /etc/resolv.conf.
std::vector<IpEndpoint> host_resolvers();

// Of the container with this init; its network namespace has nothing but lo.
Result<egress::Broker> start_broker(const Duties& duties, const std::string& id, pid_t init);

} // namespace brig::guard
