// One owner per file descriptor: Fd owns and closes, FdRef lends.
#pragma once

#include <unistd.h>
#include <utility>

namespace brig {

class Fd {
public:
    Fd() = default;
    explicit Fd(int number) : m_number(number) {}
    Fd(Fd&& other) noexcept : m_number(std::exchange(other.m_number, -1)) {}
    Fd& operator=(Fd&& other) noexcept
    {
        if (this != &other) {
            reset();
            m_number = std::exchange(other.m_number, -1);
        }
        return *this;
    }
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    ~Fd() { reset(); }

    int get() const { return m_number; }
    bool valid() const { return m_number >= 0; }
    explicit operator bool() const { return valid(); }
    [[nodiscard]] int release() { return std::exchange(m_number, -1); }

    // Linux has closed the descriptor even when close reports an error, so there is nothing to do about one.
    void reset()
    {
        if (m_number >= 0)
            (void)::close(m_number);
        m_number = -1;
    }

private:
    int m_number = -1;
};

class FdRef {
public:
    FdRef(const Fd& owner) : m_number(owner.get()) {} // NOLINT: lending is the point
    explicit FdRef(int number) : m_number(number) {}

    int get() const { return m_number; }
    bool valid() const { return m_number >= 0; }

private:
    int m_number;
};

} // namespace brig
