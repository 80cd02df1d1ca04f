// Undo steps that run in reverse order unless keep() is called: half-built things do not survive a failure.
#pragma once

#include <functional>
#include <utility>
#include <vector>

namespace brig {

class Rollback {
public:
    Rollback() = default;
    Rollback(const Rollback&) = delete;
    Rollback& operator=(const Rollback&) = delete;
    ~Rollback() { run(); }

    void add(std::function<void()> undo) { m_undo.push_back(std::move(undo)); }
    void keep() { m_undo.clear(); }
    void run()
    {
        while (!m_undo.empty()) {
            auto undo = std::move(m_undo.back());
            m_undo.pop_back();
            undo();
        }
    }

private:
    std::vector<std::function<void()>> m_undo;
};

} // namespace brig
