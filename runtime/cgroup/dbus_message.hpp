// Messages of D-Bus: written for the few calls that systemd is asked, read from whatever comes.
//
// Layer: nothing is opened here. What is read is foreign: every length is checked against what is there and against fixed
// bounds; errors are of kind system. Specification: D-Bus 1, "Message Format".
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace brig::cgroup {

inline constexpr size_t largest_bus_message = size_t{4} << 20; // all of it, bytes

// The body of a message. Alignment is relative to its beginning.
class BusWriter {
public:
    void align(size_t boundary) { m_bytes.resize((m_bytes.size() + boundary - 1) / boundary * boundary); }
    void byte(uint8_t value) { m_bytes += static_cast<char>(value); }
    void uint32(uint32_t value) { add(value); }
    void uint64(uint64_t value) { add(value); }
    void boolean(bool value) { add(static_cast<uint32_t>(value)); }
    void string(std::string_view value); // also an object path
    void signature(std::string_view value);

    // An array whose elements have this alignment (8 for structs). end_array wants what begin_array gave.
    struct Array {
        size_t length_at;
        size_t first;
    };
    Array begin_array(size_t alignment);
    void end_array(Array array);

    const std::string& bytes() const { return m_bytes; }

private:
    template<typename Number> void add(Number value)
    {
        align(sizeof value);
        m_bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
    }

    std::string m_bytes;
};

struct BusCall {
    std::string destination; // empty on a connection without a bus in between
    std::string path;
    std::string interface;
    std::string member;
    std::string signature; // of the body
    std::string body;
};

std::string encode_bus_call(const BusCall& call, uint32_t serial);

class BusReader {
public:
    explicit BusReader(std::string_view bytes) : m_bytes(bytes) {}

    Result<> align(size_t boundary);
    Result<uint8_t> byte();
    Result<uint32_t> uint32();
    Result<std::string> string();
    Result<std::string> signature();
    size_t position() const { return m_position; }
    bool at_end() const { return m_position == m_bytes.size(); }

private:
    Result<std::string> text(size_t length);

    std::string_view m_bytes;
    size_t m_position = 0;
};

enum class BusMessageType : uint8_t { call = 1, reply = 2, error = 3, signal = 4 };

struct BusMessage {
    BusMessageType type = BusMessageType::signal;
    uint32_t reply_serial = 0;
    std::string path;
    std::string interface;
    std::string member;
    std::string error_name;
    std::string signature;
    std::string body;
};

// Of the message that `bytes` begin with; nullopt while that is not known.
Result<std::optional<size_t>> bus_message_length(std::string_view bytes);
// `bytes`: exactly one message.
Result<BusMessage> decode_bus_message(std::string_view bytes);

} // namespace brig::cgroup
