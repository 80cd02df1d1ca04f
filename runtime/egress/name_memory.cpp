#include "egress/name_memory.hpp"

#include <algorithm>

namespace brig::egress {

void NameMemory::remember(const std::string& name, const IpAddress& address, int64_t until)
{
    auto found = m_pairs.find({address, name});
    if (found != m_pairs.end()) {
        found->second = std::max(found->second, until);
        return;
    }
    if (m_pairs.size() >= m_most_pairs)
        make_room(until);
    m_pairs.emplace(std::pair(address, name), until);
}

void NameMemory::make_room(int64_t until)
{
    auto next = std::min_element(m_pairs.begin(), m_pairs.end(),
                                 [](const auto& one, const auto& other) { return one.second < other.second; });
    if (next == m_pairs.end())
        return;
    int64_t oldest = next->second;
    m_pairs.erase(next);
    // While at it: whatever is as old, so that a flood of names does not pay a walk for each.
    std::erase_if(m_pairs, [&](const auto& pair) { return pair.second <= oldest && pair.second < until; });
}

std::vector<std::string> NameMemory::names_of(const IpAddress& address, int64_t now) const
{
    std::vector<std::string> names;
    for (auto pair = m_pairs.lower_bound({address, {}}); pair != m_pairs.end() && pair->first.first == address; ++pair)
        if (pair->second > now)
            names.push_back(pair->first.second);
    return names;
}

} // namespace brig::egress
