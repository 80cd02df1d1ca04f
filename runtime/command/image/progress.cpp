#include "command/image/progress.hpp"

#include "base/text.hpp"
#include "command/image/verbs.hpp"
#include "kernel/files.hpp"
#include "kernel/terminal.hpp"

#include <algorithm>

namespace brig::command {

namespace {

constexpr auto first_after = std::chrono::milliseconds(200); // what is quicker needs no bar
constexpr auto interval = std::chrono::milliseconds(100);
constexpr size_t width = 30;

} // namespace

ProgressBar::ProgressBar(const image::ImportProgress& progress) : m_progress(progress)
{
    if (kernel::is_terminal(FdRef(2)))
        m_thread = std::thread([this] { work(); });
}

void ProgressBar::finish()
{
    if (!m_thread.joinable())
        return;
    {
        std::lock_guard lock(m_mutex);
        m_stop = true;
    }
    m_finished.notify_all();
    m_thread.join();
    if (m_drawn)
        (void)kernel::write_all(FdRef(2), "\r\x1b[K");
}

void ProgressBar::work()
{
    std::unique_lock lock(m_mutex);
    auto wait = first_after;
    while (!m_finished.wait_for(lock, wait, [this] { return m_stop; })) {
        draw();
        wait = interval;
    }
}

void ProgressBar::draw()
{
    uint64_t bytes = m_progress.bytes;
    uint64_t all = std::max<uint64_t>(m_progress.all_bytes, 1);
    double part = std::min(1.0, static_cast<double>(bytes) / static_cast<double>(all));
    auto filled = static_cast<size_t>(part * width);
    double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - m_begin).count();
    auto rate = static_cast<uint64_t>(static_cast<double>(bytes) / std::max(seconds, 0.001));
    m_drawn = true;
    (void)kernel::write_all(FdRef(2),
                            fmt::format("\r\x1b[K[{}{}] {:3.0f}% {} of {}, {}/s, layer {} of {}", std::string(filled, '='),
                                        std::string(width - filled, ' '), part * 100, size_text(bytes), size_text(all),
                                        size_text(rate), m_progress.layers.load(), m_progress.all_layers.load()));
}

} // namespace brig::command
