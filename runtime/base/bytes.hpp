// Messages between brig's own processes as bytes: numbers in the host's order and texts with their length.
//
// Layer: base, pure. Both ends are the same program, so there is no version; what a reader meets beyond its end is not an
// exception but a value that complete() tells of.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace brig {

class ByteWriter {
public:
    ByteWriter& number(uint64_t value);
    ByteWriter& text(std::string_view value);
    ByteWriter& texts(const std::vector<std::string>& values);

    std::string take() { return std::move(m_bytes); }

private:
    std::string m_bytes;
};

class ByteReader {
public:
    explicit ByteReader(std::string_view bytes) : m_rest(bytes) {}

    // Past the end: 0, an empty text, no texts.
    uint64_t number();
    std::string text();
    std::vector<std::string> texts();

    // Everything that was asked for was there, and nothing is left.
    bool complete() const { return !m_short && m_rest.empty(); }

private:
    std::string_view m_rest;
    bool m_short = false;
};

} // namespace brig
