// Addresses that no sandbox reaches, whatever a name server says: DNS rebinding, metadata services, the host's networks. Pure.
#pragma once

#include "base/ip_address.hpp"

#include <string_view>

namespace brig::egress {

enum class AddressClass {
    global, // the only one that is dialled
    unspecified,
    loopback,
    link_local, // the metadata services of clouds are here
    metadata,   // those that are elsewhere
    private_use,
    shared, // carrier-grade NAT
    multicast,
    documentation,
    embedded_ipv4, // IPv4-mapped, NAT64, 6to4, Teredo: an IPv4 address that would escape the checks
    reserved,
};

std::string_view address_class_name(AddressClass address_class);
// By the special-purpose registries of IANA (RFC 6890); of IPv6 only 2000::/3 is ever global.
AddressClass class_of(const IpAddress& address);

} // namespace brig::egress
