#include "base/ip_address.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <arpa/inet.h>

namespace brig {

Result<IpAddress> IpAddress::parse(std::string_view text)
{
    IpAddress address;
    address.v6 = contains(text, ":");
    std::string terminated(text);
    bool whole = terminated.find('\0') == std::string::npos;
    if (!whole || ::inet_pton(address.v6 ? AF_INET6 : AF_INET, terminated.c_str(), address.bytes.data()) != 1)
        return failure(ErrorKind::invalid, fmt::format("{} is not an IP address", quoted(text)));
    return address;
}

IpAddress IpAddress::loopback(bool v6)
{
    IpAddress address = any(v6);
    if (v6)
        address.bytes[15] = 1;
    else
        address.bytes = {127, 0, 0, 1};
    return address;
}

std::string IpAddress::to_text() const
{
    char text[INET6_ADDRSTRLEN] = "";
    (void)::inet_ntop(v6 ? AF_INET6 : AF_INET, bytes.data(), text, sizeof text);
    return text;
}

std::string IpEndpoint::to_text() const
{
    return address.v6 ? fmt::format("[{}]:{}", address.to_text(), port) : fmt::format("{}:{}", address.to_text(), port);
}

Result<IpPrefix> IpPrefix::parse(std::string_view text)
{
    auto slash = text.find('/');
    IpPrefix prefix;
    prefix.address = TRY(IpAddress::parse(text.substr(0, slash)));
    auto widest = static_cast<unsigned>(prefix.address.size() * 8);
    prefix.length = widest;
    if (slash == std::string_view::npos)
        return prefix;
    uint64_t length = TRY(parse_unsigned(text.substr(slash + 1)));
    if (length > widest)
        return failure(ErrorKind::invalid, fmt::format("{}: a prefix has at most {} bits", quoted(text), widest));
    prefix.length = static_cast<unsigned>(length);
    for (unsigned bit = prefix.length; bit < widest; bit++)
        if ((prefix.address.bytes[bit / 8] >> (7 - bit % 8) & 1) != 0)
            return failure(ErrorKind::invalid, fmt::format("{} has bits behind its prefix", quoted(text)));
    return prefix;
}

bool IpPrefix::contains(const IpAddress& candidate) const
{
    if (candidate.v6 != address.v6)
        return false;
    size_t whole = length / 8;
    if (!std::equal(address.bytes.begin(), address.bytes.begin() + static_cast<ptrdiff_t>(whole), candidate.bytes.begin()))
        return false;
    unsigned rest = length % 8;
    return rest == 0 || (address.bytes[whole] ^ candidate.bytes[whole]) >> (8 - rest) == 0;
}

std::string IpPrefix::to_text() const
{
    return fmt::format("{}/{}", address.to_text(), length);
}

} // namespace brig
