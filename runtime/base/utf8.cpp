#include "base/utf8.hpp"

namespace brig {

size_t utf8_sequence_length(std::string_view text)
{
    auto byte = [&](size_t index) { return static_cast<unsigned char>(text[index]); };
    auto is_tail = [&](size_t index) { return index < text.size() && (byte(index) & 0xc0) == 0x80; };
    unsigned char first = byte(0);
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first <= 0xdf)
        return is_tail(1) ? 2 : 0;
    if (first >= 0xe0 && first <= 0xef) {
        bool overlong_or_surrogate = is_tail(1) && ((first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) > 0x9f));
        return is_tail(1) && is_tail(2) && !overlong_or_surrogate ? 3 : 0;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        bool out_of_range = is_tail(1) && ((first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) > 0x8f));
        return is_tail(1) && is_tail(2) && is_tail(3) && !out_of_range ? 4 : 0;
    }
    return 0;
}

bool is_utf8(std::string_view text)
{
    while (!text.empty()) {
        size_t length = utf8_sequence_length(text);
        if (length == 0)
            return false;
        text.remove_prefix(length);
    }
    return true;
}

std::string_view without_cut_sequence(std::string_view text)
{
    constexpr size_t longest_beginning = 3;
    for (size_t length = 1; length <= longest_beginning && length <= text.size(); length++) {
        auto lead = static_cast<unsigned char>(text[text.size() - length]);
        if ((lead & 0xc0) == 0x80)
            continue;
        size_t whole = lead > 0xf4 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 1;
        return whole > length ? text.substr(0, text.size() - length) : text;
    }
    return text;
}

std::string base64(std::string_view bytes)
{
    constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    for (size_t index = 0; index < bytes.size(); index += 3) {
        unsigned group = 0;
        for (size_t offset = 0; offset < 3; offset++)
            group = group << 8 | (index + offset < bytes.size() ? static_cast<unsigned char>(bytes[index + offset]) : 0U);
        for (size_t digit = 0; digit < 4; digit++)
            text += index + digit <= bytes.size() ? digits[group >> (18 - 6 * digit) & 0x3f] : '=';
    }
    return text;
}

} // namespace brig
