#include "egress/dns.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace brig::egress::dns {

namespace {

constexpr size_t header_size = 12;
constexpr size_t longest_name = 255; // on the wire
constexpr size_t most_records = 64;
constexpr size_t most_aliases = 16;
constexpr uint16_t class_in = 1;
constexpr uint16_t type_cname = 5;
constexpr uint16_t type_opt = 41;
constexpr uint16_t answer_size = 1232; // what we can take by UDP: fits into any packet that is not cut on the way

// Of the header's second and third byte.
constexpr uint8_t flag_response = 0x80;
constexpr uint8_t flag_recursion_desired = 0x01;
constexpr uint8_t flag_recursion_available = 0x80;
constexpr uint8_t flag_checking_disabled = 0x10;

// Reads what is there; after the end, and after any error, everything is 0 and failed() stays true.
class Reader {
public:
    explicit Reader(std::string_view message) : m_message(message) {}

    uint8_t byte()
    {
        if (m_at >= m_message.size()) {
            m_failed = true;
            return 0;
        }
        return static_cast<uint8_t>(m_message[m_at++]);
    }
    uint16_t number16()
    {
        uint16_t high = byte();
        return static_cast<uint16_t>(high << 8 | byte());
    }
    uint32_t number32()
    {
        uint32_t high = number16();
        return high << 16 | number16();
    }
    std::string_view bytes(size_t count)
    {
        if (m_message.size() - m_at < count) {
            m_failed = true;
            m_at = m_message.size();
            return {};
        }
        m_at += count;
        return m_message.substr(m_at - count, count);
    }
    std::string name();

    size_t at() const { return m_at; }
    bool failed() const { return m_failed; }

private:
    std::string_view m_message;
    size_t m_at = 0;
    bool m_failed = false;
};

void append_escaped(std::string& text, uint8_t letter)
{
    if (letter >= 'A' && letter <= 'Z')
        text += static_cast<char>(letter - 'A' + 'a');
    else if ((letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter == '-' || letter == '_')
        text += static_cast<char>(letter);
    else
        text += fmt::format("\\{:03}", letter);
}

// In lower case, without the last dot. A pointer leads only to before the part that it ends, so the walk ends.
std::string Reader::name()
{
    std::string text;
    size_t wire_size = 1;
    size_t at = m_at;
    size_t part = m_at;
    bool jumped = false;
    auto next = [&]() -> uint8_t {
        if (at >= m_message.size()) {
            m_failed = true;
            return 0;
        }
        return static_cast<uint8_t>(m_message[at++]);
    };
    while (!m_failed) {
        uint8_t length = next();
        if (!jumped)
            m_at = at;
        if (length == 0)
            break;
        if (length >= 0xc0) {
            size_t target = static_cast<size_t>(length & 0x3f) << 8 | next();
            if (!jumped)
                m_at = at;
            if (target >= part)
                m_failed = true;
            jumped = true;
            at = part = target;
            continue;
        }
        wire_size += length + 1U;
        if (length > 63 || wire_size > longest_name)
            m_failed = true;
        if (!text.empty())
            text += '.';
        for (uint8_t count = 0; count < length && !m_failed; count++)
            append_escaped(text, next());
        if (!jumped)
            m_at = at;
    }
    return m_failed ? std::string() : text;
}

void append16(std::string& message, uint16_t number)
{
    message += static_cast<char>(number >> 8);
    message += static_cast<char>(number & 0xff);
}

void append32(std::string& message, uint32_t number)
{
    append16(message, static_cast<uint16_t>(number >> 16));
    append16(message, static_cast<uint16_t>(number & 0xffff));
}

struct Header {
    uint16_t id = 0;
    uint8_t first_flags = 0;
    uint8_t second_flags = 0;
    uint16_t questions = 0;
    uint16_t answers = 0;
    uint16_t authorities = 0;
    uint16_t additional = 0;
};

Header read_header(Reader& reader)
{
    Header header;
    header.id = reader.number16();
    header.first_flags = reader.byte();
    header.second_flags = reader.byte();
    header.questions = reader.number16();
    header.answers = reader.number16();
    header.authorities = reader.number16();
    header.additional = reader.number16();
    return header;
}

uint8_t operation_of(const Header& header)
{
    return header.first_flags >> 3 & 0x0f;
}

} // namespace

std::optional<Query> parse_query(std::string_view message)
{
    if (message.size() < header_size || message.size() > largest_message)
        return std::nullopt;
    Reader reader(message);
    Header header = read_header(reader);
    if ((header.first_flags & flag_response) != 0)
        return std::nullopt;
    Query query;
    query.id = header.id;
    query.operation = operation_of(header);
    query.recursion_desired = (header.first_flags & flag_recursion_desired) != 0;
    query.checking_disabled = (header.second_flags & flag_checking_disabled) != 0;
    if (query.operation != 0) {
        query.problem = Code::not_implemented;
        return query;
    }
    query.problem = Code::format_error;
    if (header.questions != 1 || header.answers != 0 || header.authorities != 0)
        return query;
    query.name = reader.name();
    query.type = reader.number16();
    query.record_class = reader.number16();
    if (reader.failed())
        return query;
    query.question = message.substr(header_size, reader.at() - header_size);
    query.problem = query.record_class == class_in ? Code::no_error : Code::refused;
    return query;
}

std::string make_answer(const Query& query, Code code, std::span<const IpAddress> addresses, uint32_t seconds_to_live)
{
    addresses = addresses.first(std::min(addresses.size(), query.question.empty() ? 0 : most_addresses));
    std::string message;
    append16(message, query.id);
    message += static_cast<char>(flag_response | query.operation << 3 | (query.recursion_desired ? flag_recursion_desired : 0));
    message += static_cast<char>(flag_recursion_available | (query.checking_disabled ? flag_checking_disabled : 0)
                                 | static_cast<uint8_t>(code));
    append16(message, query.question.empty() ? 0 : 1);
    append16(message, static_cast<uint16_t>(addresses.size()));
    append32(message, 0);
    message += query.question;
    for (const IpAddress& address : addresses) {
        append16(message, 0xc000 | header_size); // the question's name
        append16(message, address.v6 ? type_aaaa : type_a);
        append16(message, class_in);
        append32(message, seconds_to_live);
        append16(message, static_cast<uint16_t>(address.size()));
        message += address.octets();
    }
    return message;
}

std::string make_query(uint16_t id, std::string_view name, uint16_t type)
{
    std::string message;
    append16(message, id);
    message += static_cast<char>(flag_recursion_desired);
    message += '\0';
    for (uint16_t count : std::array<uint16_t, 4>{1, 0, 0, 1})
        append16(message, count);
    for (std::string_view label : split(name, '.')) {
        message += static_cast<char>(label.size());
        message += label;
    }
    message += '\0';
    append16(message, type);
    append16(message, class_in);
    // EDNS(0): root name, our size, no flags, no options.
    message += '\0';
    append16(message, type_opt);
    append16(message, answer_size);
    append32(message, 0);
    append16(message, 0);
    return message;
}

namespace {

struct Record {
    std::string name;
    uint32_t seconds_to_live = 0;
    std::string alias;                // of a CNAME
    std::optional<IpAddress> address; // of the wanted type
};

IpAddress address_in(std::string_view data, bool v6)
{
    IpAddress address = IpAddress::any(v6);
    std::memcpy(address.bytes.data(), data.data(), data.size());
    return address;
}

std::optional<Record> read_record(Reader& reader, std::string_view message, uint16_t wanted)
{
    Record record;
    record.name = reader.name();
    uint16_t type = reader.number16();
    uint16_t record_class = reader.number16();
    record.seconds_to_live = reader.number32();
    uint16_t size = reader.number16();
    size_t data_at = reader.at();
    std::string_view data = reader.bytes(size);
    if (reader.failed())
        return std::nullopt;
    if (record_class != class_in)
        return record;
    if (type == type_cname) {
        Reader alias(message.substr(0, data_at + size));
        (void)alias.bytes(data_at);
        record.alias = alias.name();
        if (alias.failed())
            return std::nullopt;
    }
    if (type == wanted && data.size() == (wanted == type_aaaa ? 16U : 4U))
        record.address = address_in(data, wanted == type_aaaa);
    return record;
}

// Follows the aliases from the question's name; a name server can send records in any order.
void collect(Response& response, const std::vector<Record>& records, std::string_view name)
{
    std::string_view wanted = name;
    response.seconds_to_live = UINT32_MAX;
    for (size_t hop = 0; hop < most_aliases && response.addresses.empty(); hop++) {
        std::string_view alias;
        for (const Record& record : records) {
            if (record.name != wanted)
                continue;
            if (record.address && response.addresses.size() < most_addresses)
                response.addresses.push_back(*record.address);
            if (!record.alias.empty())
                alias = record.alias;
            if (record.address || !record.alias.empty())
                response.seconds_to_live = std::min(response.seconds_to_live, record.seconds_to_live);
        }
        if (alias.empty())
            break;
        wanted = alias;
    }
    if (response.addresses.empty())
        response.seconds_to_live = 0;
}

} // namespace

std::optional<Response> parse_response(std::string_view message, uint16_t id, std::string_view name, uint16_t type)
{
    if (message.size() < header_size || message.size() > largest_message)
        return std::nullopt;
    Reader reader(message);
    Header header = read_header(reader);
    if (header.id != id || (header.first_flags & flag_response) == 0 || operation_of(header) != 0 || header.questions != 1)
        return std::nullopt;
    std::string asked = reader.name();
    uint16_t asked_type = reader.number16();
    uint16_t asked_class = reader.number16();
    if (reader.failed() || asked != name || asked_type != type || asked_class != class_in)
        return std::nullopt;
    std::vector<Record> records;
    for (size_t count = 0; count < header.answers && count < most_records; count++) {
        auto record = read_record(reader, message, type);
        if (!record)
            break; // cut short (the TC bit) or broken: what came before it counts
        records.push_back(std::move(*record));
    }
    Response response;
    response.code = static_cast<Code>(header.second_flags & 0x0f);
    if (response.code == Code::no_error)
        collect(response, records, name);
    return response;
}

} // namespace brig::egress::dns
