#include "egress/tls_hello.hpp"

#include "egress/rules.hpp"

#include <algorithm>

namespace brig::egress {

namespace {

constexpr size_t record_header_size = 5;
constexpr size_t largest_record = 16384;
constexpr size_t largest_hello = 64 << 10;
constexpr size_t message_header_size = 4;
constexpr uint8_t change_cipher_spec = 20;
constexpr uint8_t handshake = 22;
constexpr uint8_t application_data = 23;
constexpr uint8_t client_hello = 1;
constexpr uint8_t host_name = 0;
constexpr size_t extension_server_name = 0;
constexpr size_t extension_early_data = 42;
constexpr size_t extension_encrypted_hello = 0xfe0d;

size_t big_endian(std::string_view bytes)
{
    size_t number = 0;
    for (char byte : bytes)
        number = number << 8 | static_cast<uint8_t>(byte);
    return number;
}

uint8_t first_byte(std::string_view bytes)
{
    return static_cast<uint8_t>(bytes.front());
}

// Takes vectors with their length in front; false when they are longer than what is left.
class Vectors {
public:
    explicit Vectors(std::string_view bytes) : m_bytes(bytes) {}

    bool take(size_t count, std::string_view& taken)
    {
        if (m_bytes.size() < count)
            return false;
        taken = m_bytes.substr(0, count);
        m_bytes.remove_prefix(count);
        return true;
    }
    bool take_number(size_t size, size_t& number)
    {
        std::string_view bytes;
        if (!take(size, bytes))
            return false;
        number = big_endian(bytes);
        return true;
    }
    bool take_vector(size_t length_size, std::string_view& taken)
    {
        size_t length = 0;
        return take_number(length_size, length) && take(length, taken);
    }
    bool empty() const { return m_bytes.empty(); }

private:
    std::string_view m_bytes;
};

bool is_record_header(std::string_view header)
{
    constexpr uint8_t major_version = 3;
    size_t length = big_endian(header.substr(3));
    return static_cast<uint8_t>(header[1]) == major_version && length > 0 && length <= largest_record + 2048;
}

std::string_view take_up_to(std::string_view& bytes, size_t count)
{
    std::string_view taken = bytes.substr(0, count);
    bytes.remove_prefix(taken.size());
    return taken;
}

} // namespace

HeadState TlsHello::refuse(std::string_view reason)
{
    m_reason = reason;
    return HeadState::refused;
}

HeadState TlsHello::take(std::string_view bytes)
{
    while (!bytes.empty()) {
        if (m_left == 0) {
            std::string_view part = take_up_to(bytes, record_header_size - m_header.size());
            m_header += part;
            m_taken += part.size();
            if (first_byte(m_header) != handshake)
                return refuse("tls_not_a_hello");
            if (m_header.size() < record_header_size)
                return HeadState::need_more;
            if (!is_record_header(m_header))
                return refuse("tls_broken_record");
            m_left = big_endian(std::string_view(m_header).substr(3));
            m_header.clear();
            continue;
        }
        std::string_view part = take_up_to(bytes, m_left);
        m_handshake += part;
        m_taken += part.size();
        m_left -= part.size();
        HeadState state = take_record();
        if (state != HeadState::need_more)
            return state;
    }
    return HeadState::need_more;
}

// The hello has to end where a record ends: what else is in the record would be a message that nobody looked at.
HeadState TlsHello::take_record()
{
    if (m_taken > largest_hello)
        return refuse("tls_hello_too_long");
    if (first_byte(m_handshake) != client_hello)
        return refuse("tls_not_a_hello");
    if (m_handshake.size() < message_header_size)
        return HeadState::need_more;
    size_t length = big_endian(std::string_view(m_handshake).substr(1, 3));
    if (length > largest_hello)
        return refuse("tls_hello_too_long");
    if (m_handshake.size() + m_left > message_header_size + length)
        return refuse("tls_message_behind_hello");
    if (m_handshake.size() < message_header_size + length)
        return HeadState::need_more;
    return read_hello(std::string_view(m_handshake).substr(message_header_size));
}

HeadState TlsHello::read_hello(std::string_view body)
{
    constexpr size_t version_and_random = 34;
    Vectors fields(body);
    std::string_view skipped;
    std::string_view extensions;
    bool whole = fields.take(version_and_random, skipped) && fields.take_vector(1, skipped) && fields.take_vector(2, skipped)
                 && fields.take_vector(1, skipped);
    if (!whole)
        return refuse("tls_broken_hello");
    if (fields.empty())
        return refuse("tls_without_server_name");
    if (!fields.take_vector(2, extensions) || !fields.empty())
        return refuse("tls_broken_hello");
    return read_extensions(extensions);
}

HeadState TlsHello::read_extensions(std::string_view extensions)
{
    Vectors fields(extensions);
    bool named = false;
    while (!fields.empty()) {
        size_t type = 0;
        std::string_view content;
        if (!fields.take_number(2, type) || !fields.take_vector(2, content))
            return refuse("tls_broken_hello");
        if (type == extension_encrypted_hello && !m_rules.allow_encrypted_hello)
            return refuse("tls_encrypted_hello");
        m_early_data = m_early_data || type == extension_early_data;
        if (type != extension_server_name)
            continue;
        if (named)
            return refuse("tls_several_server_names");
        named = true;
        if (read_server_name(content) == HeadState::refused)
            return HeadState::refused;
    }
    return named ? HeadState::complete : refuse("tls_without_server_name");
}

HeadState TlsHello::read_server_name(std::string_view extension)
{
    Vectors outer(extension);
    std::string_view list;
    if (!outer.take_vector(2, list) || !outer.empty())
        return refuse("tls_broken_hello");
    Vectors names(list);
    size_t type = 0;
    std::string_view name;
    if (!names.take_number(1, type) || type != host_name || !names.take_vector(2, name))
        return refuse("tls_broken_server_name");
    if (!names.empty())
        return refuse("tls_several_server_names");
    auto normal = normal_name(name);
    if (!normal)
        return refuse("tls_broken_server_name");
    m_name = std::move(*normal);
    return HeadState::complete;
}

TlsSecondHello::TlsSecondHello(TlsHelloRules rules, const TlsHello& first)
    : m_rules(rules), m_first_name(first.server_name()), m_early_data(first.offers_early_data())
{
}

HeadState TlsSecondHello::take(std::string_view bytes)
{
    while (!bytes.empty()) {
        if (m_hello)
            return take_hello(bytes);
        if (m_left > 0) {
            m_left -= take_up_to(bytes, m_left).size();
            continue;
        }
        // One byte of the content as well: it says what kind of message a handshake record begins with.
        m_header += take_up_to(bytes, record_header_size + 1 - m_header.size());
        if (m_header.size() <= record_header_size)
            return HeadState::need_more;
        HeadState state = begin_record(first_byte(m_header));
        if (state != HeadState::need_more)
            return state;
    }
    return HeadState::need_more;
}

HeadState TlsSecondHello::begin_record(uint8_t type)
{
    std::string_view header(m_header);
    if (!is_record_header(header.substr(0, record_header_size))) {
        m_reason = "tls_broken_record";
        return HeadState::refused;
    }
    if (type == handshake && first_byte(header.substr(record_header_size)) == client_hello) {
        m_hello.emplace(m_rules);
        return take_hello(m_header);
    }
    if (type != change_cipher_spec && !(m_early_data && type == application_data))
        return HeadState::complete;
    m_left = big_endian(header.substr(3, 2)) - 1;
    m_header.clear();
    return HeadState::need_more;
}

HeadState TlsSecondHello::take_hello(std::string_view bytes)
{
    HeadState state = m_hello->take(bytes);
    if (state == HeadState::refused)
        m_reason = m_hello->reason();
    if (state != HeadState::complete || m_hello->server_name() == m_first_name)
        return state;
    m_reason = "tls_second_server_name";
    return HeadState::refused;
}

} // namespace brig::egress
