#include "setup/network.hpp"

#include "kernel/netlink.hpp"

namespace brig::setup {

Result<> configure_network(const plan::Namespaces& namespaces)
{
    if (!namespaces.bring_loopback_up)
        return {};
    return kernel::bring_loopback_up();
}

} // namespace brig::setup
