// Where warnings and debug lines go. Lower layers get a Log and never print; errors are returned, not logged.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace brig {

enum class LogLevel { debug, info, warning, error };

class Log {
public:
    using Sink = std::function<void(LogLevel, std::string_view)>;

    Log() = default; // silent
    Log(LogLevel threshold, Sink sink) : m_threshold(threshold), m_sink(std::move(sink)) {}

    bool enabled(LogLevel level) const { return m_sink && level >= m_threshold; }
    void write(LogLevel level, std::string_view message) const
    {
        if (enabled(level))
            m_sink(level, message);
    }
    void debug(std::string_view message) const { write(LogLevel::debug, message); }
    void warning(std::string_view message) const { write(LogLevel::warning, message); }

private:
    LogLevel m_threshold = LogLevel::error;
    Sink m_sink;
};

} // namespace brig
