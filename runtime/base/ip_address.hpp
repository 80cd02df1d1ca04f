// IPv4 and IPv6 addresses, endpoints and prefixes as values. Pure: nothing is resolved or opened.
//
// Errors: kind invalid. Addresses are bytes in network order; an IPv4 address has four of them and is never written as a
// mapped IPv6 one.
#pragma once

#include "base/result.hpp"

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace brig {

struct IpAddress {
    bool v6 = false;
    std::array<uint8_t, 16> bytes = {}; // the first four for IPv4

    // Dotted quad or RFC 5952 text only: no "127.1", no zone, no port.
    static Result<IpAddress> parse(std::string_view text);
    static IpAddress any(bool v6) { return {v6, {}}; }
    static IpAddress loopback(bool v6);

    size_t size() const { return v6 ? 16 : 4; }
    std::string_view octets() const { return {reinterpret_cast<const char*>(bytes.data()), size()}; }
    std::string to_text() const;

    auto operator<=>(const IpAddress&) const = default; // NOLINT(modernize-use-nullptr): the linter takes the comparison for 0
};

struct IpEndpoint {
    IpAddress address;
    uint16_t port = 0;

    // "192.0.2.1:53", "[2001:db8::1]:53".
    std::string to_text() const;

    auto operator<=>(const IpEndpoint&) const = default;
};

struct IpPrefix {
    IpAddress address;
    unsigned length = 0;

    // "10.0.0.0/8", "fd00::/8", or one address. Bits behind the prefix must be zero.
    static Result<IpPrefix> parse(std::string_view text);

    bool contains(const IpAddress& candidate) const;
    std::string to_text() const;
};

} // namespace brig
