#include "policy/read_values.hpp"

#include "base/size.hpp"
#include "base/text.hpp"

namespace brig::policy {

Result<uint64_t> read_size(JsonView value, const Place& place)
{
    if (value.type() != JsonType::string) {
        uint64_t bytes = 0;
        TRY(read_value(value, place, bytes));
        return bytes;
    }
    auto bytes = parse_size(value.string());
    if (!bytes)
        return at_place(place, std::move(bytes).error());
    // -1 is "unlimited" elsewhere: here that is said by leaving the property out.
    if (*bytes < 0)
        return wrong_value(place, "a size of 0 or more", value);
    return static_cast<uint64_t>(*bytes);
}

Result<uint64_t> read_duration(JsonView value, const Place& place)
{
    constexpr int64_t nanoseconds = 1'000'000;
    TRY(expect_type(value, place, JsonType::string));
    auto duration = parse_go_duration(value.string());
    if (!duration)
        return at_place(place, std::move(duration).error());
    if (*duration % nanoseconds != 0)
        return wrong_value(place, "a whole number of milliseconds", value);
    return static_cast<uint64_t>(*duration / nanoseconds);
}

Result<uint64_t> read_thousandths(JsonView value, const Place& place)
{
    constexpr size_t digits = 3;
    constexpr uint64_t most = 1'000'000;
    constexpr std::string_view wanted = "a number above 0 with at most three decimals";
    if (value.type() != JsonType::number && value.type() != JsonType::integer)
        return wrong_value(place, wanted, value);
    std::string text = value.to_text();
    auto point = std::min(text.find('.'), text.size());
    std::string fraction = point < text.size() ? text.substr(point + 1) : "";
    while (!fraction.empty() && fraction.back() == '0')
        fraction.pop_back();
    if (fraction.size() > digits)
        return wrong_value(place, wanted, value);
    fraction.resize(digits, '0');
    auto number = parse_unsigned(text.substr(0, point) + fraction);
    if (!number || *number == 0 || *number > most)
        return wrong_value(place, wanted, value);
    return *number;
}

} // namespace brig::policy
