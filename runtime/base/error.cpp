#include "base/error.hpp"

#include <cstring>

namespace brig {

std::string_view error_kind_name(ErrorKind kind)
{
    switch (kind) {
    case ErrorKind::internal: return "internal";
    case ErrorKind::invalid: return "invalid";
    case ErrorKind::not_found: return "not found";
    case ErrorKind::already_exists: return "already exists";
    case ErrorKind::wrong_state: return "wrong state";
    case ErrorKind::not_supported: return "not supported";
    case ErrorKind::system: return "system";
    case ErrorKind::timed_out: return "timed out";
    }
    return "unknown";
}

Error Error::system_call(int code, std::string what)
{
    Error error(ErrorKind::system, std::move(what));
    error.m_code = code;
    return error;
}

Error&& Error::with_kind(ErrorKind kind) &&
{
    m_kind = kind;
    return std::move(*this);
}

Error&& Error::with_code(int code) &&
{
    m_code = code;
    return std::move(*this);
}

Error&& Error::with_hint(std::string hint) &&
{
    m_hint = std::move(hint);
    return std::move(*this);
}

Error&& Error::during(std::string step) &&
{
    m_steps.push_back(std::move(step));
    return std::move(*this);
}

namespace {

// strerror's texts start with a capital; the engines match the lower-case form of Go's syscall package.
std::string errno_text(int code)
{
    std::string text = strerrordesc_np(code) ? strerrordesc_np(code) : "unknown error " + std::to_string(code);
    if (text.size() > 1 && text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'a' && text[1] <= 'z')
        text[0] = static_cast<char>(text[0] - 'A' + 'a');
    return text;
}

} // namespace

std::string Error::message() const
{
    std::string text;
    for (auto step = m_steps.rbegin(); step != m_steps.rend(); ++step)
        text += *step + ": ";
    text += m_what;
    if (m_code != 0)
        text += ": " + errno_text(m_code);
    if (!m_hint.empty())
        text += " (" + m_hint + ")";
    return text;
}

} // namespace brig
