#include "base/error.hpp"

#include <cerrno>
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
    case ErrorKind::refused: return "refused";
    case ErrorKind::system: return "system";
    case ErrorKind::timed_out: return "timed out";
    }
    return "unknown";
}

namespace {

// The newer calls that brig makes, and the kernel that has all of what it asks them for.
struct NewCall {
    std::string_view name;
    std::string_view since;
};

constexpr NewCall new_calls[] = {
    {"clone3", "5.7"},  {"close_range", "5.11"}, {"fsconfig", "5.2"},          {"fsmount", "5.2"},
    {"fsopen", "5.2"},  {"move_mount", "5.2"},   {"mount_setattr", "5.12"},    {"open_tree", "5.2"},
    {"openat2", "5.6"}, {"pidfd_open", "5.3"},   {"pidfd_send_signal", "5.1"},
};

// A kernel may have the call and a system-call filter around brig may hide it: containers' hosts do that.
std::string remedy_for_missing(std::string_view what)
{
    std::string_view name = what.substr(0, what.find(' '));
    for (const NewCall& call : new_calls)
        if (call.name == name)
            return "not supported: " + std::string(name) + " needs Linux " + std::string(call.since)
                   + " and a system-call filter that lets it through";
    return {};
}

} // namespace

Error Error::system_call(int code, std::string what)
{
    Error error(ErrorKind::system, std::move(what));
    error.m_code = code;
    if (code == ENOSYS) {
        error.m_kind = ErrorKind::not_supported;
        error.m_hint = remedy_for_missing(error.m_what);
    }
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

Error&& Error::with_what(std::string what) &&
{
    m_what = std::move(what);
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
