// Which bytes are text: UTF-8 as RFC 3629 defines it, and base64 (RFC 4648) for what is none.
//
// Layer: base, pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace brig {

// The length of the well-formed sequence at the beginning of a text that is not empty; 0 when there is none.
size_t utf8_sequence_length(std::string_view text);
bool is_utf8(std::string_view text);
// Without a sequence at the end whose beginning is right and whose rest is missing: a cut may have gone through it.
std::string_view without_cut_sequence(std::string_view text);

std::string base64(std::string_view bytes);

} // namespace brig
