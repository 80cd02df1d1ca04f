// Small text tools that the standard library of g++ 12 lacks.
#pragma once

#include "base/result.hpp"

#include <concepts>
#include <cstdint>
#include <fmt/format.h>
#include <string>
#include <string_view>
#include <vector>

namespace brig {

// Splits at every separator; empty parts are kept.
std::vector<std::string_view> split(std::string_view text, char separator);
template<std::same_as<std::string> Text> void split(Text&& text, char separator) = delete; // the views would outlive the text
// The parts between blanks and tabs, none of them empty.
std::vector<std::string_view> words_of(std::string_view line);
template<std::same_as<std::string> Text> void words_of(Text&& line) = delete;
std::string join(const std::vector<std::string>& parts, std::string_view separator);
std::string_view trim(std::string_view text);
bool contains(std::string_view text, std::string_view part);

// Whole text, base 10, no sign for the unsigned form; anything else is an error of kind invalid.
Result<int64_t> parse_integer(std::string_view text);
Result<uint64_t> parse_unsigned(std::string_view text);

// "30s", "1m30s", "250ms", "1.5h" as Go writes durations; gives nanoseconds.
Result<int64_t> parse_go_duration(std::string_view text);

// Text for a one-line message: quoted, control characters escaped as in Go's %q.
std::string quoted(std::string_view text);
// Control characters and newlines escaped, no quotes; for error lines that carry foreign text.
std::string one_line(std::string_view text);

// Path tools, purely textual. clean_path folds "//", "/./" and "a/../" as Go's path.Clean does.
std::string clean_path(std::string_view path);
std::string join_path(std::string_view directory, std::string_view name);
std::string_view base_name(std::string_view path);
std::string_view parent_path(std::string_view path);

} // namespace brig
