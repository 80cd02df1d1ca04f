// What went wrong, as a value: kind for decisions, text for people.
//
// Runs in: every process. An Error is made where the failing call is, gains a step on each layer that can name one,
// crosses the channel from the container's init unchanged, and is printed once, by runtime/command.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace brig {

enum class ErrorKind {
    internal,       // a broken promise inside brig
    invalid,        // config.json, process.json, a flag or an id is wrong
    not_found,      // the container, file or program does not exist
    already_exists, // the id is taken
    wrong_state,    // the container is not in the state that the verb needs
    not_supported,  // the kernel, this build or this host lacks what was asked for
    refused,        // a policy says no
    system,         // a system call failed
    timed_out,      // somebody else did not answer in time
};

std::string_view error_kind_name(ErrorKind kind);

class Error {
public:
    Error(ErrorKind kind, std::string what) : m_kind(kind), m_what(std::move(what)) {}

    // A failed system call: `what` names the call with its arguments; `code` is its errno.
    static Error system_call(int code, std::string what);

    ErrorKind kind() const { return m_kind; }
    int code() const { return m_code; } // errno, or 0
    const std::string& what() const { return m_what; }
    const std::string& hint() const { return m_hint; }
    const std::vector<std::string>& steps() const { return m_steps; } // innermost first

    Error&& with_kind(ErrorKind kind) &&;
    Error&& with_code(int code) &&;
    Error&& with_what(std::string what) &&;
    Error&& with_hint(std::string hint) &&;
    // Names the step during which it happened; outer layers add theirs later.
    Error&& during(std::string step) &&;

    // One line: "outer step: inner step: what: strerror (hint)".
    std::string message() const;

private:
    ErrorKind m_kind;
    int m_code = 0;
    std::string m_what;
    std::string m_hint;
    std::vector<std::string> m_steps;
};

} // namespace brig
