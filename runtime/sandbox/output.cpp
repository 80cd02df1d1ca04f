#include "sandbox/output.hpp"

#include <algorithm>

namespace brig::sandbox {

std::string_view Capture::take(std::string_view data)
{
    auto within = data.substr(0, static_cast<size_t>(std::min<uint64_t>(data.size(), m_limit - m_taken)));
    m_taken += within.size();
    m_dropped += data.size() - within.size();
    if (m_keep)
        m_kept += within;
    return within;
}

void RingBuffer::append(std::string_view data)
{
    if (data.size() > m_capacity) {
        m_forgotten += data.size() - m_capacity;
        data.remove_prefix(data.size() - m_capacity);
    }
    size_t room = m_capacity - m_bytes.size();
    m_bytes += data.substr(0, room);
    data.remove_prefix(std::min(room, data.size()));
    m_forgotten += data.size();
    while (!data.empty()) {
        auto part = data.substr(0, m_capacity - m_begin);
        std::copy(part.begin(), part.end(), m_bytes.begin() + static_cast<std::ptrdiff_t>(m_begin));
        m_begin = (m_begin + part.size()) % m_capacity;
        data.remove_prefix(part.size());
    }
}

std::string RingBuffer::text() const
{
    return m_bytes.substr(m_begin) + m_bytes.substr(0, m_begin);
}

} // namespace brig::sandbox
