// How far an import is, on a terminal; nothing anywhere else.
#pragma once

#include "image/tool/import.hpp"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace brig::command {

class ProgressBar {
public:
    explicit ProgressBar(const image::ImportProgress& progress);
    ProgressBar(const ProgressBar&) = delete;
    ProgressBar& operator=(const ProgressBar&) = delete;
    ~ProgressBar() { finish(); }

    // Takes the line away.
    void finish();

private:
    void work();
    void draw();

    const image::ImportProgress& m_progress;
    std::chrono::steady_clock::time_point m_begin = std::chrono::steady_clock::now();
    std::mutex m_mutex;
    std::condition_variable m_finished;
    bool m_stop = false;
    bool m_drawn = false;
    std::thread m_thread; // none unless stderr is a terminal
};

} // namespace brig::command
