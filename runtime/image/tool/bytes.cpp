#include "image/tool/bytes.hpp"

#include "base/text.hpp"
#include "kernel/files.hpp"

#include <algorithm>

namespace brig::image {

int64_t ByteSource::skip(int64_t)
{
    return 0;
}

Result<std::string_view> FileRange::next()
{
    if (m_left == 0)
        return std::string_view();
    size_t wanted = static_cast<size_t>(std::min<uint64_t>(m_left, m_buffer.size()));
    size_t count = TRY(kernel::read_at(m_file, m_offset, m_buffer.data(), wanted));
    if (count == 0)
        return failure(ErrorKind::invalid, fmt::format("{} ends {} bytes too early", one_line(kernel::path_of(m_file)), m_left));
    m_offset += count;
    m_left -= count;
    return std::string_view(m_buffer.data(), count);
}

Result<std::string_view> FileStream::next()
{
    m_buffer = TRY(kernel::read_some(m_file, chunk_size));
    return std::string_view(m_buffer);
}

Result<std::string_view> Tee::next()
{
    std::string_view bytes = TRY(m_inner.next());
    TRY(kernel::write_all(m_copy, bytes));
    return bytes;
}

// ---- the thread --------------------------------------------------------------------------------------------------------

ThreadedSource::ThreadedSource(ByteSource& inner) : m_inner(inner), m_thread([this] { work(); }) {}

ThreadedSource::~ThreadedSource()
{
    {
        std::lock_guard lock(m_mutex);
        m_stopped = true;
    }
    m_changed.notify_all();
    m_thread.join();
}

void ThreadedSource::work()
{
    while (true) {
        std::string buffer;
        {
            std::lock_guard lock(m_mutex);
            if (!m_spare.empty()) {
                buffer = std::move(m_spare.back());
                m_spare.pop_back();
            }
        }
        auto bytes = m_inner.next();
        bool last = !bytes || bytes->empty();
        if (!bytes) {
            (void)push(failure(std::move(bytes).error()));
            return;
        }
        buffer.assign(*bytes);
        if (!push(std::move(buffer)) || last)
            return;
    }
}

bool ThreadedSource::push(Result<std::string> chunk)
{
    std::unique_lock lock(m_mutex);
    m_changed.wait(lock, [this] { return m_stopped || m_waiting.size() < most_waiting; });
    if (m_stopped)
        return false;
    m_waiting.push_back(std::move(chunk));
    lock.unlock();
    m_changed.notify_all();
    return true;
}

Result<std::string_view> ThreadedSource::next()
{
    if (m_ended)
        return std::string_view();
    std::unique_lock lock(m_mutex);
    m_changed.wait(lock, [this] { return !m_waiting.empty(); });
    auto chunk = std::move(m_waiting.front());
    m_waiting.pop_front();
    if (m_current.capacity() > 0)
        m_spare.push_back(std::move(m_current));
    lock.unlock();
    m_changed.notify_all();
    if (!chunk) {
        m_ended = true;
        return failure(std::move(chunk).error());
    }
    m_current = std::move(*chunk);
    m_ended = m_current.empty();
    return std::string_view(m_current);
}

Result<> drain(ByteSource& source)
{
    while (!TRY(source.next()).empty()) {
    }
    return {};
}

} // namespace brig::image
