#include "base/size.hpp"

#include "base/text.hpp"

#include <charconv>
#include <limits>
#include <optional>
#include <string>

namespace brig {

namespace {

// The exponent of 1024; nullopt for what is no unit.
std::optional<int> unit_exponent(std::string_view unit)
{
    constexpr std::string_view letters = "kmgtp";
    std::string lower;
    for (char character : unit)
        lower += character >= 'A' && character <= 'Z' ? static_cast<char>(character - 'A' + 'a') : character;
    if (lower.ends_with("b"))
        lower.pop_back();
    if (lower.size() == 2 && lower[1] == 'i')
        lower.pop_back();
    if (lower.empty())
        return 0;
    auto position = letters.find(lower[0]);
    if (lower.size() != 1 || position == std::string_view::npos)
        return std::nullopt;
    return static_cast<int>(position) + 1;
}

} // namespace

Result<int64_t> parse_size(std::string_view text)
{
    if (text == "-1")
        return -1;
    auto bad = [&] {
        return failure(Error(ErrorKind::invalid, fmt::format("{} is not a size", quoted(text)))
                           .with_hint("write bytes, or a number with k, m, g or t; -1 is unlimited"));
    };
    auto digits = std::min(text.find_first_not_of("0123456789."), text.size());
    double number = 0;
    auto [end, code] = std::from_chars(text.data(), text.data() + digits, number, std::chars_format::fixed);
    auto exponent = unit_exponent(trim(text.substr(digits)));
    if (digits == 0 || code != std::errc() || end != text.data() + digits || !exponent)
        return bad();
    // Whole bytes are exact; a double is not above 2^53.
    if (auto whole = parse_integer(text.substr(0, digits)); whole && *exponent == 0)
        return *whole;
    for (int step = 0; step < *exponent; ++step)
        number *= 1024;
    if (number >= static_cast<double>(std::numeric_limits<int64_t>::max()))
        return bad();
    return static_cast<int64_t>(number);
}

} // namespace brig
