// The output of a program: its beginning for the result, its end for the log.
//
// Layer: pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace brig::sandbox {

inline constexpr std::string_view truncation_mark = "[OUTPUT TRUNCATED]";

// One stream of one program. What is past the limit is dropped and counted.
class Capture {
public:
    // Without `keep` only the count matters: somebody else takes the bytes.
    Capture(uint64_t limit, bool keep) : m_limit(limit), m_keep(keep) {}

    // The part of `data` that is within the limit.
    std::string_view take(std::string_view data);

    bool truncated() const { return m_dropped > 0; }
    uint64_t dropped() const { return m_dropped; }
    // A program that goes on and on past its limit is a flood, and is ended.
    bool is_flood() const { return m_dropped > flood_factor * m_limit + least_flood; }
    const std::string& kept() const { return m_kept; }

private:
    static constexpr uint64_t flood_factor = 16;
    static constexpr uint64_t least_flood = 1 << 20;

    uint64_t m_limit;
    bool m_keep;
    uint64_t m_taken = 0;
    uint64_t m_dropped = 0;
    std::string m_kept;
};

// The last bytes of a stream. Memory grows with use, up to the capacity.
class RingBuffer {
public:
    explicit RingBuffer(size_t capacity) : m_capacity(capacity) {}

    void append(std::string_view data);
    std::string text() const;
    uint64_t forgotten() const { return m_forgotten; }

private:
    size_t m_capacity;
    std::string m_bytes;
    size_t m_begin = 0; // of the oldest byte, once the buffer is full
    uint64_t m_forgotten = 0;
};

} // namespace brig::sandbox
