#include "image/tool/pax_names.hpp"

#include "base/text.hpp"

#include <algorithm>

namespace brig::image {

namespace {

// Octal digits, or a number of base 256 behind a set highest bit (GNU).
uint64_t number_in(std::string_view field)
{
    constexpr unsigned char highest_bit = 0x80;
    uint64_t number = 0;
    if (!field.empty() && (static_cast<unsigned char>(field[0]) & highest_bit) != 0) {
        for (char byte : field.substr(1))
            number = number << 8 | static_cast<unsigned char>(byte);
        return number;
    }
    for (char digit : field.substr(std::min(field.find_first_not_of(' '), field.size()))) {
        if (digit < '0' || digit > '7')
            break;
        number = number << 3 | static_cast<uint64_t>(digit - '0');
    }
    return number;
}

std::string_view text_in(std::string_view field)
{
    return field.substr(0, field.find('\0'));
}

} // namespace

Result<> PaxNames::take(std::string_view bytes)
{
    while (!bytes.empty()) {
        auto passed = static_cast<size_t>(std::min<uint64_t>(m_pass_over, bytes.size()));
        m_pass_over -= passed;
        bytes.remove_prefix(passed);
        auto part = bytes.substr(0, m_wanted - m_unit.size());
        m_unit += part;
        bytes.remove_prefix(part.size());
        if (m_unit.size() == m_wanted)
            TRY(take_unit());
    }
    return {};
}

Result<> PaxNames::take_unit()
{
    constexpr size_t further_map = 504; // "isextended" of a further block of a sparse map (GNU)
    if (m_expects == Expects::header) {
        TRY(take_header());
    } else if (m_expects == Expects::records) {
        TRY(take_records());
    } else if (m_unit[further_map] == 0) {
        content_follows(m_content);
    }
    m_unit.clear();
    return {};
}

Result<> PaxNames::take_header()
{
    constexpr size_t size_field = 124;
    constexpr size_t size_length = 12;
    constexpr size_t type_field = 156;
    constexpr size_t map_continues = 482; // "isextended" of the header of a sparse file (GNU)
    constexpr uint64_t longest_records = 1 << 20;
    uint64_t size = number_in(std::string_view(m_unit).substr(size_field, size_length));
    char type = m_unit[type_field];
    if ((type == 'x' || type == 'g') && size > 0 && size <= longest_records) {
        m_expects = Expects::records;
        m_records = static_cast<size_t>(size);
        m_wanted = (m_records + block - 1) / block * block;
        return {};
    }
    // Long names (GNU) are entries of their own, and the next entry's size is not theirs.
    bool is_an_entry = type != 'L' && type != 'K' && type != 'x' && type != 'g';
    if (is_an_entry && m_has_size_of_next) {
        size = m_size_of_next;
        m_has_size_of_next = false;
    }
    // Links, devices, folders and fifos have no content, whatever their size says.
    if (type >= '1' && type <= '6')
        size = 0;
    m_content = size;
    if (type == 'S' && m_unit[map_continues] != 0)
        m_expects = Expects::sparse_map;
    else
        content_follows(size);
    return {};
}

void PaxNames::content_follows(uint64_t size)
{
    m_expects = Expects::header;
    m_wanted = block;
    m_pass_over = (size + block - 1) / block * block;
}

// "LENGTH KEY=VALUE\n", one after the other.
Result<> PaxNames::take_records()
{
    std::string_view rest = std::string_view(m_unit).substr(0, m_records);
    while (!rest.empty()) {
        auto space = rest.find(' ');
        auto length = parse_unsigned(rest.substr(0, space));
        if (space == std::string_view::npos || !length || *length <= space + 1 || *length > rest.size())
            break; // libarchive has words for it
        std::string_view record = rest.substr(space + 1, *length - space - 2);
        rest.remove_prefix(*length);
        auto equals = record.find('=');
        if (equals == std::string_view::npos)
            continue;
        std::string_view key = record.substr(0, equals);
        std::string_view value = record.substr(equals + 1);
        if ((key == "path" || key == "linkpath") && value.find('\0') != std::string_view::npos)
            return failure(ErrorKind::invalid,
                           fmt::format("entry {}: the {} of its PAX header has a NUL", quoted(text_in(value)), key));
        auto size = parse_unsigned(value);
        if (key == "size" && size) {
            m_size_of_next = *size;
            m_has_size_of_next = true;
        }
    }
    content_follows(0);
    return {};
}

} // namespace brig::image
