// Which address was handed out for which name: a connection arrives with an address, rules are about names. Pure.
#pragma once

#include "base/ip_address.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace brig::egress {

// Bounded: when it is full, the pair that would be forgotten next is forgotten.
class NameMemory {
public:
    explicit NameMemory(size_t most_pairs) : m_most_pairs(most_pairs) {}

    // Times in milliseconds of one clock.
    void remember(const std::string& name, const IpAddress& address, int64_t until);
    std::vector<std::string> names_of(const IpAddress& address, int64_t now) const;
    size_t size() const { return m_pairs.size(); }

private:
    void make_room(int64_t until);

    size_t m_most_pairs;
    std::map<std::pair<IpAddress, std::string>, int64_t> m_pairs;
};

} // namespace brig::egress
