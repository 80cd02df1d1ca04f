// The egress broker of a container that was created by hand or by an engine.
//
// Runs in: the guard, whose child the broker is: it dies with it, and then the container has no network.
#pragma once

#include "container/guarding.hpp"
#include "egress/broker.hpp"
#include "guard/duties.hpp"

#include <vector>

namespace brig::guard {

// The name servers of the host's own /etc/resolv.conf.
std::vector<IpEndpoint> host_resolvers();

// The container's network namespace has nothing but lo.
Result<egress::Broker> start_broker(const Duties& duties, const container::Guarded& guarded);

} // namespace brig::guard
