#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace brig {

std::vector<std::string_view> split(std::string_view text, char separator)
{
    std::vector<std::string_view> parts;
    while (true) {
        auto position = text.find(separator);
        parts.push_back(text.substr(0, position));
        if (position == std::string_view::npos)
            return parts;
        text.remove_prefix(position + 1);
    }
}

std::vector<std::string_view> words_of(std::string_view line)
{
    constexpr std::string_view blanks = " \t";
    std::vector<std::string_view> words;
    for (size_t at = 0; (at = line.find_first_not_of(blanks, at)) != std::string_view::npos;) {
        size_t end = std::min(line.find_first_of(blanks, at), line.size());
        words.push_back(line.substr(at, end - at));
        at = end;
    }
    return words;
}

std::string join(const std::vector<std::string>& parts, std::string_view separator)
{
    std::string text;
    for (const auto& part : parts) {
        if (&part != &parts.front())
            text += separator;
        text += part;
    }
    return text;
}

std::string_view trim(std::string_view text)
{
    constexpr std::string_view blank = " \t\r\n";
    auto first = text.find_first_not_of(blank);
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

bool contains(std::string_view text, std::string_view part)
{
    return text.find(part) != std::string_view::npos;
}

namespace {

template<typename Number> Result<Number> parse_number(std::string_view text)
{
    Number value = 0;
    auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (code == std::errc::result_out_of_range)
        return failure(ErrorKind::invalid, fmt::format("{} is out of range", quoted(text)));
    if (code != std::errc() || end != text.data() + text.size())
        return failure(ErrorKind::invalid, fmt::format("{} is not a number", quoted(text)));
    return value;
}

} // namespace

Result<int64_t> parse_integer(std::string_view text)
{
    return parse_number<int64_t>(text);
}

Result<uint64_t> parse_unsigned(std::string_view text)
{
    return parse_number<uint64_t>(text);
}

namespace {

struct DurationUnit {
    std::string_view name;
    double nanoseconds;
};

constexpr std::array duration_units = {
    DurationUnit{"ns", 1},  DurationUnit{"us", 1e3}, DurationUnit{"µs", 1e3},   DurationUnit{"ms", 1e6},
    DurationUnit{"s", 1e9}, DurationUnit{"m", 60e9}, DurationUnit{"h", 3600e9},
};

double unit_of(std::string_view name)
{
    for (const auto& unit : duration_units)
        if (unit.name == name)
            return unit.nanoseconds;
    return 0;
}

} // namespace

Result<int64_t> parse_go_duration(std::string_view text)
{
    auto bad = [&] {
        return failure(Error(ErrorKind::invalid, fmt::format("{} is not a duration", quoted(text)))
                           .with_hint("write it like 30s, 1m30s or 250ms"));
    };
    if (text == "0")
        return 0;
    double total = 0;
    std::string_view rest = text;
    if (rest.empty())
        return bad();
    while (!rest.empty()) {
        double value = 0;
        auto [end, code] = std::from_chars(rest.data(), rest.data() + rest.size(), value, std::chars_format::fixed);
        if (code != std::errc() || value < 0)
            return bad();
        rest.remove_prefix(static_cast<size_t>(end - rest.data()));
        auto length = std::min(rest.find_first_of("0123456789."), rest.size());
        double unit = unit_of(rest.substr(0, length));
        if (unit == 0)
            return bad();
        total += value * unit;
        rest.remove_prefix(length);
    }
    if (total > 9e18)
        return bad();
    return static_cast<int64_t>(std::llround(total));
}

std::string one_line(std::string_view text)
{
    std::string line;
    for (unsigned char character : text) {
        if (character == '\n')
            line += "\\n";
        else if (character == '\t')
            line += "\\t";
        else if (character < 0x20 || character == 0x7f)
            line += fmt::format("\\x{:02x}", character);
        else
            line += static_cast<char>(character);
    }
    return line;
}

std::string quoted(std::string_view text)
{
    std::string escaped;
    for (char character : text) {
        if (character == '"' || character == '\\')
            escaped += '\\';
        escaped += character;
    }
    return "\"" + one_line(escaped) + "\"";
}

std::string clean_path(std::string_view path)
{
    bool absolute = !path.empty() && path.front() == '/';
    std::vector<std::string> kept;
    for (auto part : split(path, '/')) {
        if (part.empty() || part == ".")
            continue;
        if (part != ".." || (kept.empty() && !absolute) || (!kept.empty() && kept.back() == ".."))
            kept.emplace_back(part);
        else if (!kept.empty())
            kept.pop_back();
    }
    std::string cleaned = join(kept, "/");
    if (absolute)
        return "/" + cleaned;
    return cleaned.empty() ? "." : cleaned;
}

std::string join_path(std::string_view directory, std::string_view name)
{
    if (!name.empty() && name.front() == '/')
        return std::string(name);
    return clean_path(fmt::format("{}/{}", directory, name));
}

std::string_view base_name(std::string_view path)
{
    auto slash = path.rfind('/');
    return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string_view parent_path(std::string_view path)
{
    auto slash = path.rfind('/');
    if (slash == std::string_view::npos)
        return ".";
    return slash == 0 ? path.substr(0, 1) : path.substr(0, slash);
}

} // namespace brig
