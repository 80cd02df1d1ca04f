// A layer's bytes on their way from a file to the archive reader: read, hashed, copied, decompressed, each a stage that pulls
// from the one before. A stage in a thread of its own works ahead of who pulls from it.
//
// Runs in: brig-image only. Ownership: a stage borrows the one before it, which must live longer.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

namespace brig::image {

inline constexpr size_t chunk_size = size_t{256} << 10;

class ByteSource {
public:
    ByteSource() = default;
    ByteSource(const ByteSource&) = delete;
    ByteSource& operator=(const ByteSource&) = delete;
    virtual ~ByteSource() = default;

    // The next bytes, valid until the next call; empty at the end.
    virtual Result<std::string_view> next() = 0;
    // Passes over as many bytes as it can without reading them, at most `wanted`.
    virtual int64_t skip(int64_t wanted);
};

// Part of a file that can be read at any place.
class FileRange : public ByteSource {
public:
    FileRange(FdRef file, uint64_t offset, uint64_t size) : m_file(file), m_offset(offset), m_left(size) {}
    // Kind invalid when the file ends before the range does.
    Result<std::string_view> next() override;

private:
    FdRef m_file;
    uint64_t m_offset;
    uint64_t m_left;
    std::string m_buffer = std::string(chunk_size, '\0');
};

// A pipe, or a file from where it stands.
class FileStream : public ByteSource {
public:
    explicit FileStream(FdRef file) : m_file(file) {}
    Result<std::string_view> next() override;

private:
    FdRef m_file;
    std::string m_buffer;
};

class TextSource : public ByteSource {
public:
    explicit TextSource(std::string_view text) : m_text(text) {}
    Result<std::string_view> next() override { return std::exchange(m_text, {}); }

private:
    std::string_view m_text;
};

// Writes what passes to a file, too.
class Tee : public ByteSource {
public:
    Tee(ByteSource& inner, FdRef copy) : m_inner(inner), m_copy(copy) {}
    Result<std::string_view> next() override;

private:
    ByteSource& m_inner;
    FdRef m_copy;
};

// Works ahead by a few chunks.
class ThreadedSource : public ByteSource {
public:
    explicit ThreadedSource(ByteSource& inner);
    ~ThreadedSource() override;
    Result<std::string_view> next() override;

private:
    void work();
    bool push(Result<std::string> chunk);

    static constexpr size_t most_waiting = 8;
    ByteSource& m_inner;
    std::mutex m_mutex;
    std::condition_variable m_changed;
    std::deque<Result<std::string>> m_waiting;
    std::string m_current;
    std::deque<std::string> m_spare; // buffers that were read, to be used again
    bool m_stopped = false;
    bool m_ended = false;
    std::thread m_thread; // last: it uses the others
};

// To the end, for what is read only to be hashed or copied.
Result<> drain(ByteSource& source);

} // namespace brig::image
