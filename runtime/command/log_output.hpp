// Where the command line's messages go: the --log file as runc writes it, and stderr.
//
// The log file is shared by all verbs of a container and read as a stream of JSON objects by containerd: it is opened for
// appending, and each message is one write. An error always goes to stderr too, because engines show
// what the runtime printed. A warning goes to the log; without one to stderr, but never where a caller decodes
// stdout and stderr together (state, ps).
#pragma once

#include "base/fd.hpp"
#include "base/log.hpp"
#include "base/result.hpp"

#include <string>
#include <string_view>

namespace brig::command {

enum class LogFormat { text, json };

struct LogSettings {
    std::string file; // empty: stderr
    LogFormat format = LogFormat::text;
    LogLevel threshold = LogLevel::info;
};

// One line with its line break: {"level":..,"msg":..,"time":..} or time="..." level=... msg="..."
std::string log_line(LogFormat format, LogLevel level, std::string_view message, std::string_view time);
// Bytes that are not UTF-8 as \xNN: a message may carry a name from anywhere, and readers of the log want JSON.
std::string valid_utf8(std::string_view text);
// RFC 3339 with the local offset.
std::string log_time();

class LogOutput {
public:
    explicit LogOutput(LogSettings settings) : m_settings(std::move(settings)) {}
    LogOutput(const LogOutput&) = delete;
    LogOutput& operator=(const LogOutput&) = delete;

    // Before a verb does anything: a log that cannot be written is an error. Messages before that open it by themselves.
    Result<> open();
    void keep_stderr_clean() { m_stderr_clean = true; }
    // For the lower layers; lives no longer than this.
    Log log();
    void write(LogLevel level, std::string_view message);

private:
    void write_to_file(LogLevel level, std::string_view message);
    void write_to_stderr(LogLevel level, std::string_view message) const;

    LogSettings m_settings;
    Fd m_file;
    bool m_file_failed = false;
    bool m_stderr_clean = false;
};

} // namespace brig::command
