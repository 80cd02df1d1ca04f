#include "guard/network.hpp"

#include "base/text.hpp"
#include "kernel/events.hpp"
#include "kernel/files.hpp"
#include "kernel/process.hpp"

namespace brig::guard {

std::vector<IpEndpoint> host_resolvers()
{
    constexpr size_t largest = 64 << 10;
    auto configuration = kernel::read_file(kernel::working_directory, "/etc/resolv.conf", largest);
    return egress::resolvers_in(configuration.value_or(""));
}

Result<egress::Broker> start_broker(const Duties& duties, const container::Guarded& guarded)
{
    egress::BrokerRequest request;
    request.sandbox = guarded.id;
    request.rules = TRY(egress::Rules::parse(duties.rules));
    request.resolvers = host_resolvers();
    request.limits = duties.network;
    egress::NamespaceRequest place{.network_namespace = guarded.network_namespace};
    if (kernel::effective_uid() != 0) // only in the container's own user namespace does he have rights over its network
        place.user_namespace = guarded.user_namespace;
    auto listeners = TRY(egress::prepare_namespace(place, request.rules));
    auto broker = TRY(egress::Broker::start(std::move(request), std::move(listeners)));
    TRY(kernel::set_nonblocking(broker.audit()));
    return broker;
}

} // namespace brig::guard
