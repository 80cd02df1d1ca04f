// Private to the read_*.cpp files: values that people write with a unit, and words.
#pragma once

#include "base/json_reader.hpp"

#include <array>
#include <cstdint>
#include <optional>

namespace brig::policy {

// "128MiB", or bytes as a number.
Result<uint64_t> read_size(JsonView value, const Place& place);
// "15s", "500ms", in milliseconds.
Result<uint64_t> read_duration(JsonView value, const Place& place);
// 0.5, in thousandths.
Result<uint64_t> read_thousandths(JsonView value, const Place& place);

namespace detail {

using Reader = Result<uint64_t> (*)(JsonView, const Place&);

template<auto member, Reader reader> constexpr auto number_row(std::string_view name)
{
    using Struct = decltype(brig::detail::struct_of(member));
    return Row<Struct>{name, [](JsonView value, const Place& place, Struct& out) -> Result<> {
                           out.*member = TRY(reader(value, place));
                           return {};
                       }};
}

} // namespace detail

template<auto member> constexpr auto size_row(std::string_view name)
{
    return detail::number_row<member, read_size>(name);
}

template<auto member> constexpr auto duration_row(std::string_view name)
{
    return detail::number_row<member, read_duration>(name);
}

template<typename Enum> struct Word {
    std::string_view name;
    Enum value;
};

template<typename Enum, size_t count>
Result<> read_word(JsonView value, const Place& place, const std::array<Word<Enum>, count>& words, Enum& out)
{
    TRY(expect_type(value, place, JsonType::string));
    std::string wanted;
    for (const auto& word : words) {
        if (word.name == value.string()) {
            out = word.value;
            return {};
        }
        wanted += wanted.empty() ? "one of \"" : ", \"";
        wanted.append(word.name).append("\"");
    }
    return wrong_value(place, wanted, value);
}

} // namespace brig::policy
