#include "egress/address_class.hpp"

#include <array>

namespace brig::egress {

namespace {

struct Range {
    IpPrefix prefix;
    AddressClass address_class;
};

constexpr IpPrefix v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, unsigned length)
{
    return {{false, {a, b, c, d}}, length};
}

// The first 48 bits are all that these ranges need.
constexpr IpPrefix v6(uint16_t a, uint16_t b, uint16_t c, unsigned length)
{
    auto high = [](uint16_t group) { return static_cast<uint8_t>(group >> 8); };
    auto low = [](uint16_t group) { return static_cast<uint8_t>(group & 0xff); };
    return {{true, {high(a), low(a), high(b), low(b), high(c), low(c)}}, length};
}

constexpr std::array ranges_of_ipv4 = {
    Range{v4(0, 0, 0, 0, 8), AddressClass::unspecified},
    Range{v4(10, 0, 0, 0, 8), AddressClass::private_use},
    Range{v4(100, 64, 0, 0, 10), AddressClass::shared}, // the metadata service of Alibaba, too
    Range{v4(127, 0, 0, 0, 8), AddressClass::loopback},
    Range{v4(168, 63, 129, 16, 32), AddressClass::metadata}, // Azure's host, in the middle of global addresses
    Range{v4(169, 254, 0, 0, 16), AddressClass::link_local},
    Range{v4(172, 16, 0, 0, 12), AddressClass::private_use},
    Range{v4(192, 0, 0, 0, 24), AddressClass::reserved}, // the metadata service of Oracle, too
    Range{v4(192, 0, 2, 0, 24), AddressClass::documentation},
    Range{v4(192, 88, 99, 0, 24), AddressClass::embedded_ipv4}, // 6to4 relays
    Range{v4(192, 168, 0, 0, 16), AddressClass::private_use},
    Range{v4(198, 18, 0, 0, 15), AddressClass::reserved}, // benchmarks
    Range{v4(198, 51, 100, 0, 24), AddressClass::documentation},
    Range{v4(203, 0, 113, 0, 24), AddressClass::documentation},
    Range{v4(224, 0, 0, 0, 4), AddressClass::multicast},
    Range{v4(240, 0, 0, 0, 4), AddressClass::reserved}, // with 255.255.255.255
};

constexpr std::array ranges_of_ipv6 = {
    Range{v6(0x2001, 0x0db8, 0, 32), AddressClass::documentation},
    Range{v6(0x2001, 0, 0, 32), AddressClass::embedded_ipv4}, // Teredo
    Range{v6(0x2001, 0, 0, 23), AddressClass::reserved},      // protocol assignments: ORCHID, benchmarks
    Range{v6(0x2002, 0, 0, 16), AddressClass::embedded_ipv4}, // 6to4
    Range{v6(0x3fff, 0, 0, 20), AddressClass::documentation},
    Range{v6(0x2000, 0, 0, 3), AddressClass::global},
    Range{{{true, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}}, 128}, AddressClass::loopback},
    Range{{{true, {}}, 128}, AddressClass::unspecified},
    Range{{{true, {}}, 64}, AddressClass::embedded_ipv4},          // IPv4-mapped, -compatible and -translated
    Range{v6(0x0064, 0xff9b, 0, 32), AddressClass::embedded_ipv4}, // NAT64 (RFC 6052, RFC 8215)
    Range{v6(0xfc00, 0, 0, 7), AddressClass::private_use},         // the metadata service of Amazon, too
    Range{v6(0xfe80, 0, 0, 10), AddressClass::link_local},
    Range{v6(0xfec0, 0, 0, 10), AddressClass::private_use}, // site-local, deprecated and still routed by some
    Range{v6(0xff00, 0, 0, 8), AddressClass::multicast},
};

template<size_t size>
AddressClass first_match(const std::array<Range, size>& ranges, const IpAddress& address, AddressClass otherwise)
{
    for (const Range& range : ranges)
        if (range.prefix.contains(address))
            return range.address_class;
    return otherwise;
}

} // namespace

std::string_view address_class_name(AddressClass address_class)
{
    switch (address_class) {
    case AddressClass::global: return "global";
    case AddressClass::unspecified: return "unspecified";
    case AddressClass::loopback: return "loopback";
    case AddressClass::link_local: return "link-local";
    case AddressClass::metadata: return "metadata service";
    case AddressClass::private_use: return "private";
    case AddressClass::shared: return "shared (carrier-grade NAT)";
    case AddressClass::multicast: return "multicast";
    case AddressClass::documentation: return "documentation";
    case AddressClass::embedded_ipv4: return "embedded IPv4";
    case AddressClass::reserved: return "reserved";
    }
    return "unknown";
}

AddressClass class_of(const IpAddress& address)
{
    return address.v6 ? first_match(ranges_of_ipv6, address, AddressClass::reserved)
                      : first_match(ranges_of_ipv4, address, AddressClass::global);
}

} // namespace brig::egress
