#include "command/log_output.hpp"

#include "base/json.hpp"
#include "base/text.hpp"
#include "base/utf8.hpp"
#include "kernel/files.hpp"

#include <ctime>

namespace brig::command {

namespace {

std::string_view level_name(LogLevel level)
{
    switch (level) {
    case LogLevel::debug: return "debug";
    case LogLevel::info: return "info";
    case LogLevel::warning: return "warning";
    case LogLevel::error: return "error";
    }
    return "error";
}

} // namespace

std::string valid_utf8(std::string_view text)
{
    std::string valid;
    while (!text.empty()) {
        size_t length = utf8_sequence_length(text);
        if (length > 0)
            valid += text.substr(0, length);
        else
            valid += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[0]));
        text.remove_prefix(length > 0 ? length : 1);
    }
    return valid;
}

std::string log_line(LogFormat format, LogLevel level, std::string_view message, std::string_view time)
{
    if (format == LogFormat::text)
        return fmt::format("time={} level={} msg={}\n", quoted(time), level_name(level), quoted(message));
    Json line = Json::object();
    line.set("level", Json::string(level_name(level)));
    line.set("msg", Json::string(message));
    line.set("time", Json::string(time));
    return line.to_text() + "\n";
}

std::string log_time()
{
    time_t now = ::time(nullptr);
    struct tm local = {};
    ::localtime_r(&now, &local);
    std::string text = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", local.tm_year + 1900, local.tm_mon + 1, local.tm_mday,
                                   local.tm_hour, local.tm_min, local.tm_sec);
    long minutes = local.tm_gmtoff / 60;
    if (minutes == 0)
        return text + "Z";
    long absolute = minutes < 0 ? -minutes : minutes;
    return text + fmt::format("{}{:02}:{:02}", minutes < 0 ? '-' : '+', absolute / 60, absolute % 60);
}

Log LogOutput::log()
{
    return Log(
        m_settings.threshold, [this](LogLevel level, std::string_view message) { write(level, message); },
        [this] { return FdRef(m_file); });
}

void LogOutput::write(LogLevel level, std::string_view text)
{
    if (level < m_settings.threshold)
        return;
    std::string message = valid_utf8(text);
    if (!m_settings.file.empty())
        write_to_file(level, message);
    bool to_stderr = level == LogLevel::error || (m_settings.file.empty() && !m_stderr_clean);
    if (to_stderr)
        write_to_stderr(level, message);
}

Result<> LogOutput::open()
{
    if (m_settings.file.empty() || m_file.valid())
        return {};
    m_file_failed = true; // until it did not: the error is told once
    m_file = TRY_DURING("open the log of --log", kernel::open_at(kernel::working_directory, m_settings.file,
                                                                 O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY, 0644));
    m_file_failed = false;
    return {};
}

void LogOutput::write_to_file(LogLevel level, std::string_view message)
{
    if (!m_file.valid() && !m_file_failed)
        if (auto opened = open(); !opened)
            write_to_stderr(LogLevel::error, opened.error().message());
    if (m_file.valid())
        (void)kernel::write_all(m_file, log_line(m_settings.format, level, message, log_time()));
}

void LogOutput::write_to_stderr(LogLevel level, std::string_view message) const
{
    std::string line;
    if (m_settings.file.empty() && m_settings.format == LogFormat::json)
        line = log_line(LogFormat::json, level, message, log_time());
    else if (level == LogLevel::error)
        line = fmt::format("brig: {}\n", one_line(message));
    else
        line = fmt::format("brig: {}: {}\n", level_name(level), one_line(message));
    (void)kernel::write_all(FdRef(2), line);
}

} // namespace brig::command
