#include "command/detach_keys.hpp"

#include "base/text.hpp"

namespace brig::command {

namespace {

// ctrl-a is 1, ctrl-@ is 0, ctrl-[ is escape.
Result<char> parse_key(std::string_view key)
{
    constexpr std::string_view control = "ctrl-";
    constexpr char first_control = '@';
    constexpr char last_control = '_';
    if (key.size() == 1)
        return key[0];
    if (key.starts_with(control) && key.size() == control.size() + 1) {
        char letter = key.back();
        if (letter >= 'a' && letter <= 'z')
            letter = static_cast<char>(letter - 'a' + 'A');
        if (letter >= first_control && letter <= last_control)
            return static_cast<char>(letter - first_control);
    }
    return failure(Error(ErrorKind::invalid, fmt::format("{} is not a key", quoted(key)))
                       .with_hint("a character, or ctrl- and a letter; keys are separated by commas: ctrl-p,ctrl-q"));
}

} // namespace

Result<DetachKeys> DetachKeys::parse(std::string_view text)
{
    std::string keys;
    if (!text.empty())
        for (auto key : split(text, ','))
            keys += TRY(parse_key(key));
    return DetachKeys(std::move(keys));
}

std::string DetachKeys::pass(std::string_view typed)
{
    std::string passed;
    for (char key : typed) {
        if (complete())
            break;
        if (m_keys.empty()) {
            passed += key;
            continue;
        }
        if (key == m_keys[m_matched]) {
            m_matched++;
            continue;
        }
        // What was held back goes on; the key itself may begin the sequence anew.
        passed += m_keys.substr(0, m_matched);
        m_matched = key == m_keys[0] ? 1 : 0;
        if (m_matched == 0)
            passed += key;
    }
    return passed;
}

} // namespace brig::command
