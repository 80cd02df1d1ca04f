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

Result<egress::Broker> start_broker(const Duties& duties, const std::string& id, pid_t init)
{
    egress::BrokerRequest request;
    request.sandbox = id;
    request.rules = TRY(egress::Rules::parse(duties.rules));
    request.resolvers = host_resolvers();
    request.limits = duties.network;
    auto open = [&](const char* name) {
        return kernel::open_at(kernel::working_directory, fmt::format("/proc/{}/ns/{}", init, name), O_RDONLY);
    };
    Fd network = TRY(open("net"));
    Fd user;
    if (kernel::effective_uid() != 0) // only in the container's own user namespace does he have rights over its network
        user = TRY(open("user"));
    auto listeners = TRY(egress::prepare_namespace({.network_namespace = network, .user_namespace = user}, request.rules));
    auto broker = TRY(egress::Broker::start(std::move(request), std::move(listeners)));
    TRY(kernel::set_nonblocking(broker.audit()));
    return broker;
}

} // namespace brig::guard
