// The keys by which a person leaves a terminal that goes on without him.
//
// Pure. Written as Docker writes them: "ctrl-p,ctrl-q", "ctrl-a,d".
#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>

namespace brig::command {

class DetachKeys {
public:
    // Kind invalid. Empty: no keys, nothing detaches.
    static Result<DetachKeys> parse(std::string_view text);

    // What goes on to the program. Keys that may be the beginning of the sequence are held back until it is clear.
    std::string pass(std::string_view typed);
    bool complete() const { return !m_keys.empty() && m_matched == m_keys.size(); }

private:
    explicit DetachKeys(std::string keys) : m_keys(std::move(keys)) {}

    std::string m_keys;
    size_t m_matched = 0;
};

} // namespace brig::command
