#include "egress/destination_check.hpp"

#include "egress/address_class.hpp"

#include <linux/rtnetlink.h>

namespace brig::egress {

namespace {

std::string_view objection_to_class(AddressClass address_class)
{
    switch (address_class) {
    case AddressClass::global: break;
    case AddressClass::unspecified: return "address_unspecified";
    case AddressClass::loopback: return "address_loopback";
    case AddressClass::link_local: return "address_link_local";
    case AddressClass::metadata: return "address_metadata";
    case AddressClass::private_use: return "address_private";
    case AddressClass::shared: return "address_shared";
    case AddressClass::multicast: return "address_multicast";
    case AddressClass::documentation: return "address_documentation";
    case AddressClass::embedded_ipv4: return "address_embeds_ipv4";
    case AddressClass::reserved: return "address_reserved";
    }
    return "address_reserved";
}

} // namespace

std::optional<std::string_view> DestinationCheck::objection_to(const IpAddress& address) const
{
    if (m_rules.address_is_opted_in(address))
        return std::nullopt;
    AddressClass address_class = class_of(address);
    if (address_class != AddressClass::global)
        return objection_to_class(address_class);
    // What the kernel calls local is the host's own, whatever the address looks like.
    auto kind = m_routes.kind_of_route_to(address);
    if (!kind)
        return "address_unreachable";
    if (*kind == RTN_LOCAL)
        return "address_of_host";
    return *kind == RTN_UNICAST ? std::nullopt : std::optional<std::string_view>("address_unreachable");
}

} // namespace brig::egress
