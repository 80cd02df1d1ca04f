// How much of something there may be in a second (token bucket). Pure.
#pragma once

#include <algorithm>
#include <cstdint>

namespace brig::egress {

class Allowance {
public:
    // `burst` can be used at once. A rate of 0 is no limit.
    Allowance(uint64_t per_second, uint64_t burst) : m_per_second(per_second), m_burst(burst), m_left(burst * scale) {}

    // `now` in milliseconds. How much may be used; used up by use().
    uint64_t left(int64_t now)
    {
        if (m_per_second == 0)
            return UINT64_MAX;
        auto passed = static_cast<uint64_t>(std::max<int64_t>(now - m_at, 0));
        constexpr uint64_t longest = 60'000; // more than any burst needs, and no overflow
        m_left = std::min(m_burst * scale, m_left + std::min(passed, longest) * m_per_second);
        m_at = std::max(m_at, now);
        return m_left / scale;
    }
    void use(uint64_t amount) { m_left -= std::min(m_left, amount * scale); }
    bool take_one(int64_t now)
    {
        if (left(now) == 0)
            return false;
        use(1);
        return true;
    }

private:
    static constexpr uint64_t scale = 1000;

    uint64_t m_per_second;
    uint64_t m_burst;
    uint64_t m_left; // thousandths
    int64_t m_at = 0;
};

} // namespace brig::egress
