// Annotations org.systemd.property.*: a small part of GVariant's text format, checked against the type that each name has.
#include "base/text.hpp"
#include "plan/unit_properties.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

namespace brig::plan {

namespace {

constexpr std::string_view prefix = "org.systemd.property.";

enum class PropertyType { boolean, int32, uint32, uint64, text, texts };

struct KnownProperty {
    std::string_view name;
    PropertyType type;
};

// Annotations may come from whoever made an image. None of these starts, stops or reaches another unit, and none gives the
// container more than the unit would have without it: what linux.resources sets cannot be set again.
constexpr std::array known_properties = {
    KnownProperty{"After", PropertyType::texts},
    KnownProperty{"Before", PropertyType::texts},
    KnownProperty{"BlockIOWeight", PropertyType::uint64},
    KnownProperty{"CPUQuotaPerSecUSec", PropertyType::uint64},
    KnownProperty{"CPUQuotaPeriodUSec", PropertyType::uint64},
    KnownProperty{"CPUShares", PropertyType::uint64},
    KnownProperty{"CPUWeight", PropertyType::uint64},
    KnownProperty{"CollectMode", PropertyType::text},
    KnownProperty{"DefaultDependencies", PropertyType::boolean},
    KnownProperty{"Documentation", PropertyType::texts},
    KnownProperty{"IOWeight", PropertyType::uint64},
    KnownProperty{"IPAccounting", PropertyType::boolean},
    KnownProperty{"KillMode", PropertyType::text},
    KnownProperty{"KillSignal", PropertyType::int32},
    KnownProperty{"ManagedOOMMemoryPressure", PropertyType::text},
    KnownProperty{"ManagedOOMMemoryPressureLimit", PropertyType::uint32},
    KnownProperty{"ManagedOOMPreference", PropertyType::text},
    KnownProperty{"ManagedOOMSwap", PropertyType::text},
    KnownProperty{"MemoryHigh", PropertyType::uint64},
    KnownProperty{"MemoryLimit", PropertyType::uint64},
    KnownProperty{"MemoryLow", PropertyType::uint64},
    KnownProperty{"MemoryMax", PropertyType::uint64},
    KnownProperty{"MemoryMin", PropertyType::uint64},
    KnownProperty{"MemorySwapMax", PropertyType::uint64},
    KnownProperty{"OOMPolicy", PropertyType::text},
    KnownProperty{"RuntimeMaxUSec", PropertyType::uint64},
    KnownProperty{"SendSIGHUP", PropertyType::boolean},
    KnownProperty{"SendSIGKILL", PropertyType::boolean},
    KnownProperty{"StartupCPUWeight", PropertyType::uint64},
    KnownProperty{"StartupIOWeight", PropertyType::uint64},
    KnownProperty{"TasksMax", PropertyType::uint64},
    KnownProperty{"TimeoutStopUSec", PropertyType::uint64},
};

// CollectMode and DefaultDependencies are brig's own habit only, which an annotation may change.
constexpr std::array may_be_replaced = {std::string_view("CollectMode"), std::string_view("DefaultDependencies")};

const KnownProperty* find_property(std::string_view name)
{
    auto row = std::find_if(known_properties.begin(), known_properties.end(), [&](const auto& one) { return one.name == name; });
    return row == known_properties.end() ? nullptr : &*row;
}

Error bad_value(std::string_view name, std::string_view value, std::string_view wanted)
{
    return Error(ErrorKind::invalid, fmt::format("annotation {}{}: {} is not {}", prefix, name, quoted(value), wanted))
        .with_hint("values are GVariant text: 'a string', true, uint64 5, ['a', 'list']");
}

// "uint64 5" and "@t 5" say the type first; it follows from the name already.
std::string_view without_type(std::string_view text, std::string_view keyword, std::string_view code)
{
    for (auto said : {keyword, code})
        if (text.starts_with(said) && text.size() > said.size() && text[said.size()] == ' ')
            return trim(text.substr(said.size()));
    return text;
}

// A quoted string at the beginning of `text`, which is moved behind it; nullopt when there is none.
std::optional<std::string> take_string(std::string_view& text)
{
    if (text.empty() || (text.front() != '\'' && text.front() != '"'))
        return std::nullopt;
    const char quote = text.front();
    std::string value;
    for (size_t index = 1; index < text.size(); index++) {
        char character = text[index];
        if (character == quote) {
            text.remove_prefix(index + 1);
            return value;
        }
        if (character == '\\' && ++index < text.size())
            character = text[index];
        if (static_cast<unsigned char>(character) < 0x20)
            return std::nullopt;
        value += character;
    }
    return std::nullopt;
}

std::optional<std::vector<std::string>> parse_strings(std::string_view text)
{
    text = without_type(text, "@as", "@as");
    if (text.size() < 2 || text.front() != '[' || text.back() != ']')
        return std::nullopt;
    text = trim(text.substr(1, text.size() - 2));
    std::vector<std::string> values;
    while (!text.empty()) {
        auto value = take_string(text);
        if (!value)
            return std::nullopt;
        values.push_back(std::move(*value));
        text = trim(text);
        if (text.empty())
            break;
        if (text.front() != ',')
            return std::nullopt;
        text = trim(text.substr(1));
    }
    return values;
}

Result<UnitValue> parse_value(const KnownProperty& property, std::string_view text)
{
    std::string_view rest = trim(text);
    switch (property.type) {
    case PropertyType::boolean:
        if (rest == "true" || rest == "false")
            return UnitValue(rest == "true");
        return failure(bad_value(property.name, text, "true or false"));
    case PropertyType::int32:
        if (auto number = parse_integer(without_type(rest, "int32", "@i")); number && *number >= 0 && *number <= INT32_MAX)
            return UnitValue(static_cast<int32_t>(*number));
        return failure(bad_value(property.name, text, "a number"));
    case PropertyType::uint32:
        if (auto number = parse_unsigned(without_type(rest, "uint32", "@u")); number && *number <= UINT32_MAX)
            return UnitValue(static_cast<uint32_t>(*number));
        return failure(bad_value(property.name, text, "a number"));
    case PropertyType::uint64:
        if (auto number = parse_unsigned(without_type(rest, "uint64", "@t")))
            return UnitValue(*number);
        return failure(bad_value(property.name, text, "a number"));
    case PropertyType::text:
        if (auto value = take_string(rest); value && rest.empty())
            return UnitValue(std::move(*value));
        return failure(bad_value(property.name, text, "a quoted string"));
    case PropertyType::texts:
        if (auto values = parse_strings(rest))
            return UnitValue(std::move(*values));
        return failure(bad_value(property.name, text, "a list of quoted strings"));
    }
    return failure(bad_value(property.name, text, "known"));
}

// TimeoutStopSec is a name of unit files; D-Bus has TimeoutStopUSec only. Seconds may have decimals.
Result<uint64_t> parse_seconds(std::string_view name, std::string_view text)
{
    constexpr uint64_t second = 1000000;
    std::string_view rest = trim(text);
    for (std::string_view keyword : {"uint64", "int64", "uint32", "int32", "double"})
        rest = without_type(rest, keyword, keyword);
    auto point = rest.find('.');
    auto whole = parse_unsigned(rest.substr(0, point));
    std::string decimals(point == std::string_view::npos ? "0" : rest.substr(point + 1, 6));
    bool too_long = point != std::string_view::npos && rest.find_first_not_of("0123456789", point + 1) != std::string_view::npos;
    decimals.resize(6, '0');
    auto part = parse_unsigned(decimals);
    if (!whole || !part || too_long || *whole > std::numeric_limits<uint64_t>::max() / second - 1)
        return failure(bad_value(name, text, "a number of seconds"));
    return *whole * second + *part;
}

Error not_a_property(std::string_view name)
{
    std::vector<std::string> names;
    for (const auto& row : known_properties)
        names.emplace_back(row.name);
    return Error(ErrorKind::invalid, fmt::format("annotation {}{} is not for containers", prefix, one_line(name)))
        .with_hint("brig passes on: " + join(names, ", "));
}

Result<UnitProperty> read_annotation(std::string_view name, std::string_view value)
{
    if (const auto* property = find_property(name))
        return UnitProperty{std::string(name), TRY(parse_value(*property, value))};
    constexpr std::string_view seconds = "Sec";
    if (name.ends_with(seconds)) {
        std::string precise = std::string(name.substr(0, name.size() - seconds.size())) + "USec";
        if (find_property(precise) != nullptr)
            return UnitProperty{precise, TRY(parse_seconds(name, value))};
    }
    return failure(not_a_property(name));
}

} // namespace

Result<> add_annotated_properties(std::vector<UnitProperty>& properties, const std::map<std::string, std::string>& annotations)
{
    for (const auto& [key, value] : annotations) {
        if (!key.starts_with(prefix))
            continue;
        auto property = TRY(read_annotation(std::string_view(key).substr(prefix.size()), value));
        bool present =
            std::any_of(properties.begin(), properties.end(), [&](const auto& one) { return one.name == property.name; });
        bool replaceable = std::find(may_be_replaced.begin(), may_be_replaced.end(), property.name) != may_be_replaced.end();
        if (present && !replaceable)
            return failure(Error(ErrorKind::invalid, fmt::format("annotation {} sets what config.json sets already", quoted(key)))
                               .with_hint("remove one of the two"));
        set_property(properties, std::move(property.name), std::move(property.value));
    }
    return {};
}

} // namespace brig::plan
