#include "egress/services.hpp"

#include <algorithm>

namespace brig::egress {

std::vector<IpAddress> Services::dialable(const std::vector<IpAddress>& addresses, std::string_view& objection) const
{
    std::vector<IpAddress> good;
    for (const IpAddress& address : addresses) {
        auto why_not = destinations.objection_to(address);
        if (why_not)
            objection = *why_not;
        else
            good.push_back(address);
    }
    return good;
}

void Services::remember(const std::string& name, const std::vector<IpAddress>& addresses, uint32_t seconds_to_live)
{
    constexpr int64_t shortest = 300;
    constexpr int64_t longest = 86'400;
    int64_t seconds = std::clamp<int64_t>(seconds_to_live, shortest, longest);
    for (const IpAddress& address : addresses)
        memory.remember(name, address, loop.now() + seconds * 1000);
}

std::string_view reason_of(Match match)
{
    switch (match) {
    case Match::allowed: return "allowed";
    case Match::not_listed: return "name_not_listed";
    case Match::port_not_listed: return "port_not_listed";
    case Match::denied: return "name_denied";
    }
    return "name_not_listed";
}

} // namespace brig::egress
