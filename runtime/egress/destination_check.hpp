// The last look at an address before it is dialled or handed out.
//
// Runs in: the broker. The route socket belongs to the network namespace that it dials from.
#pragma once

#include "base/ip_address.hpp"
#include "egress/rules.hpp"
#include "kernel/netlink.hpp"

#include <optional>
#include <string_view>

namespace brig::egress {

class DestinationCheck {
public:
    DestinationCheck(const Rules& rules, kernel::RouteSocket routes) : m_rules(rules), m_routes(std::move(routes)) {}

    // Absent: it may be dialled. Otherwise why not, a word with underscores. Asks the kernel each time: the host's own
    // addresses and its ways change.
    std::optional<std::string_view> objection_to(const IpAddress& address) const;

private:
    const Rules& m_rules;
    kernel::RouteSocket m_routes;
};

} // namespace brig::egress
