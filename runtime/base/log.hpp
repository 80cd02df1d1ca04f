// Where warnings and debug lines go. Lower layers get a Log and never print; errors are returned, not logged.
#pragma once

#include "base/fd.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace brig {

enum class LogLevel { debug, info, warning, error };

class Log {
public:
    using Sink = std::function<void(LogLevel, std::string_view)>;
    using File = std::function<FdRef()>;

    Log() = default; // silent
    Log(LogLevel threshold, Sink sink, File file = {}) : m_threshold(threshold), m_sink(std::move(sink)), m_file(std::move(file))
    {
    }

    bool enabled(LogLevel level) const { return m_sink && level >= m_threshold; }
    void write(LogLevel level, std::string_view message) const
    {
        if (enabled(level))
            m_sink(level, message);
    }
    // Where it is written, for who closes everything else; invalid: not to a file of its own.
    FdRef file() const { return m_file ? m_file() : FdRef(-1); }
    void debug(std::string_view message) const { write(LogLevel::debug, message); }
    void warning(std::string_view message) const { write(LogLevel::warning, message); }

private:
    LogLevel m_threshold = LogLevel::error;
    Sink m_sink;
    File m_file;
};

} // namespace brig
