#include "base/bytes.hpp"

#include <cstring>

namespace brig {

ByteWriter& ByteWriter::number(uint64_t value)
{
    char raw[sizeof value];
    std::memcpy(raw, &value, sizeof value);
    m_bytes.append(raw, sizeof raw);
    return *this;
}

ByteWriter& ByteWriter::text(std::string_view value)
{
    number(value.size());
    m_bytes += value;
    return *this;
}

ByteWriter& ByteWriter::texts(const std::vector<std::string>& values)
{
    number(values.size());
    for (const auto& value : values)
        text(value);
    return *this;
}

uint64_t ByteReader::number()
{
    uint64_t value = 0;
    if (m_rest.size() < sizeof value) {
        m_short = true;
        m_rest = {};
        return 0;
    }
    std::memcpy(&value, m_rest.data(), sizeof value);
    m_rest.remove_prefix(sizeof value);
    return value;
}

std::string ByteReader::text()
{
    uint64_t length = number();
    if (length > m_rest.size()) {
        m_short = true;
        m_rest = {};
        return {};
    }
    std::string value(m_rest.substr(0, length));
    m_rest.remove_prefix(length);
    return value;
}

std::vector<std::string> ByteReader::texts()
{
    std::vector<std::string> values;
    uint64_t count = number();
    // A count that lies ends with the bytes, not with the memory.
    while (count > 0 && !m_short) {
        values.push_back(text());
        --count;
    }
    if (m_short)
        values.clear();
    return values;
}

} // namespace brig
