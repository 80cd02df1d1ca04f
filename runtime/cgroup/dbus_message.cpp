#include "cgroup/dbus_message.hpp"

#include "base/text.hpp"

#include <bit>
#include <cstring>

namespace brig::cgroup {

namespace {

// Both ends are on this machine: messages of the other byte order do not come.
constexpr char byte_order = std::endian::native == std::endian::little ? 'l' : 'B';
constexpr uint8_t protocol_version = 1;
constexpr size_t fixed_header = 16; // up to and including the length of the header's fields

enum HeaderField : uint8_t {
    field_path = 1,
    field_interface,
    field_member,
    field_error_name,
    field_reply_serial,
    field_destination,
    field_sender,
    field_signature
};

size_t aligned(size_t position)
{
    return (position + 7) / 8 * 8;
}

Error bad_message(std::string_view why)
{
    return Error(ErrorKind::system, fmt::format("a message of D-Bus cannot be read: {}", why));
}

} // namespace

// ---- writing -------------------------------------------------------------------------------------------------------------

void BusWriter::string(std::string_view value)
{
    uint32(static_cast<uint32_t>(value.size()));
    m_bytes += value;
    m_bytes += '\0';
}

void BusWriter::signature(std::string_view value)
{
    byte(static_cast<uint8_t>(value.size()));
    m_bytes += value;
    m_bytes += '\0';
}

BusWriter::Array BusWriter::begin_array(size_t alignment)
{
    align(sizeof(uint32_t));
    size_t length_at = m_bytes.size();
    uint32(0);
    align(alignment); // not counted in the length
    return {length_at, m_bytes.size()};
}

void BusWriter::end_array(Array array)
{
    auto length = static_cast<uint32_t>(m_bytes.size() - array.first);
    std::memcpy(m_bytes.data() + array.length_at, &length, sizeof length);
}

std::string encode_bus_call(const BusCall& call, uint32_t serial)
{
    BusWriter writer;
    writer.byte(static_cast<uint8_t>(byte_order));
    writer.byte(static_cast<uint8_t>(BusMessageType::call));
    writer.byte(0); // flags
    writer.byte(protocol_version);
    writer.uint32(static_cast<uint32_t>(call.body.size()));
    writer.uint32(serial);
    auto fields = writer.begin_array(8);
    auto add = [&](HeaderField field, std::string_view type, const std::string& value) {
        if (value.empty())
            return;
        writer.align(8);
        writer.byte(field);
        writer.signature(type);
        if (type == "g")
            writer.signature(value);
        else
            writer.string(value);
    };
    add(field_path, "o", call.path);
    add(field_interface, "s", call.interface);
    add(field_member, "s", call.member);
    add(field_destination, "s", call.destination);
    add(field_signature, "g", call.signature);
    writer.end_array(fields);
    writer.align(8);
    return writer.bytes() + call.body;
}

// ---- reading -------------------------------------------------------------------------------------------------------------

Result<> BusReader::align(size_t boundary)
{
    size_t position = (m_position + boundary - 1) / boundary * boundary;
    if (position > m_bytes.size())
        return failure(bad_message("it ends early"));
    m_position = position;
    return {};
}

Result<uint8_t> BusReader::byte()
{
    if (at_end())
        return failure(bad_message("it ends early"));
    return static_cast<uint8_t>(m_bytes[m_position++]);
}

Result<uint32_t> BusReader::uint32()
{
    TRY(align(sizeof(uint32_t)));
    uint32_t value = 0;
    if (m_bytes.size() - m_position < sizeof value)
        return failure(bad_message("it ends early"));
    std::memcpy(&value, m_bytes.data() + m_position, sizeof value);
    m_position += sizeof value;
    return value;
}

Result<std::string> BusReader::text(size_t length)
{
    if (length >= m_bytes.size() - m_position)
        return failure(bad_message("a string is longer than the message"));
    std::string value(m_bytes.substr(m_position, length));
    if (m_bytes[m_position + length] != '\0' || value.find('\0') != std::string::npos)
        return failure(bad_message("a string does not end where it should"));
    m_position += length + 1;
    return value;
}

Result<std::string> BusReader::string()
{
    return text(TRY(uint32()));
}

Result<std::string> BusReader::signature()
{
    return text(TRY(byte()));
}

Result<std::optional<size_t>> bus_message_length(std::string_view bytes)
{
    if (bytes.size() < fixed_header)
        return std::nullopt;
    if (bytes[0] != byte_order || static_cast<uint8_t>(bytes[3]) != protocol_version)
        return failure(bad_message("it has another byte order or version"));
    BusReader reader(bytes.substr(4, fixed_header - 4));
    size_t body = TRY(reader.uint32());
    (void)TRY(reader.uint32());
    size_t fields = TRY(reader.uint32());
    size_t length = aligned(fixed_header + fields) + body; // of 32 bits each
    if (length > largest_bus_message)
        return failure(bad_message(fmt::format("it is longer than {} bytes", largest_bus_message)));
    return length;
}

namespace {

Result<> read_field(BusReader& reader, BusMessage& message)
{
    TRY(reader.align(8));
    uint8_t field = TRY(reader.byte());
    std::string type = TRY(reader.signature());
    if (type == "u") {
        uint32_t number = TRY(reader.uint32());
        if (field == field_reply_serial)
            message.reply_serial = number;
        return {};
    }
    if (type != "s" && type != "o" && type != "g")
        return failure(bad_message(fmt::format("a field of its header has the type {}", quoted(type))));
    std::string text = type == "g" ? TRY(reader.signature()) : TRY(reader.string());
    switch (field) {
    case field_path: message.path = std::move(text); break;
    case field_interface: message.interface = std::move(text); break;
    case field_member: message.member = std::move(text); break;
    case field_error_name: message.error_name = std::move(text); break;
    case field_signature: message.signature = std::move(text); break;
    default: break; // destination, sender, and what later versions add
    }
    return {};
}

} // namespace

Result<BusMessage> decode_bus_message(std::string_view bytes)
{
    auto length = TRY(bus_message_length(bytes));
    if (!length || *length != bytes.size())
        return failure(bad_message("it ends early"));
    BusMessage message;
    auto type = static_cast<uint8_t>(bytes[1]);
    if (type < static_cast<uint8_t>(BusMessageType::call) || type > static_cast<uint8_t>(BusMessageType::signal))
        return failure(bad_message(fmt::format("it is of type {}", type)));
    message.type = static_cast<BusMessageType>(type);
    uint32_t fields = 0;
    std::memcpy(&fields, bytes.data() + fixed_header - sizeof fields, sizeof fields);
    // Alignment counts from the message's beginning, which the fields' own 16 bytes later do not change.
    BusReader reader(bytes.substr(fixed_header, fields));
    while (!reader.at_end())
        TRY(read_field(reader, message));
    message.body = bytes.substr(aligned(fixed_header + fields));
    return message;
}

} // namespace brig::cgroup
