// JSON objects into structs by tables of {property, member}.
//
// A struct is read by a table of Row and a one-line overload of read_value in the struct's own namespace; the overloads below do
// the rest: numbers exactly in range, lists, maps and optional values. Errors name the place, which costs nothing until one is
// needed.
#pragma once

#include "base/json.hpp"

#include <algorithm>
#include <concepts>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <type_traits>

namespace brig {

// Where a value is in the document: a chain on the stack, spelled out only for an error.
struct Place {
    enum class Kind { document, member, key, element };

    const Place* outer = nullptr;
    Kind kind = Kind::document;
    std::string_view name;
    size_t index = 0;

    Place member(std::string_view property) const { return {this, Kind::member, property, 0}; }
    Place key(std::string_view property) const { return {this, Kind::key, property, 0}; }
    Place element(size_t position) const { return {this, Kind::element, {}, position}; }
    std::string text() const; // linux.netDevices["eth0"].name, mounts[3].options[0]
};

// "PLACE must be WANTED, not FOUND", FOUND shortened to a line.
tl::unexpected<Error> wrong_value(const Place& place, std::string_view wanted, JsonView found);
Result<> expect_type(JsonView value, const Place& place, JsonType type);
// The error of another's check of a value, which says what is wrong with it, with the place.
tl::unexpected<Error> at_place(const Place& place, Error error);
// Every member but "$comment" and "$schema" must be among `known`.
Result<> expect_members(JsonView value, const Place& place, const std::vector<std::string>& known);
Result<> expect_range(JsonView value, const Place& place, int64_t lowest, uint64_t highest);

template<typename Struct> struct Row {
    std::string_view name;
    Result<> (*read)(JsonView, const Place&, Struct&);
};

Result<> read_value(JsonView value, const Place& place, bool& out);
Result<> read_value(JsonView value, const Place& place, std::string& out);

template<std::integral Integer>
requires(!std::same_as<Integer, bool> && !std::same_as<Integer, char>) Result<> read_value(JsonView value, const Place& place,
                                                                                           Integer& out)
{
    using Limits = std::numeric_limits<Integer>;
    TRY(expect_range(value, place, static_cast<int64_t>(Limits::min()), static_cast<uint64_t>(Limits::max())));
    if constexpr (std::is_signed_v<Integer>)
        out = static_cast<Integer>(TRY(value.signed_integer()));
    else
        out = static_cast<Integer>(TRY(value.unsigned_integer()));
    return {};
}

template<typename Item> Result<> read_value(JsonView value, const Place& place, std::optional<Item>& out);
template<typename Item> Result<> read_value(JsonView value, const Place& place, std::vector<Item>& out);
template<typename Item> Result<> read_value(JsonView value, const Place& place, std::map<std::string, Item>& out);

template<typename Item> Result<> read_value(JsonView value, const Place& place, std::optional<Item>& out)
{
    return read_value(value, place, out.emplace());
}

template<typename Item> Result<> read_value(JsonView value, const Place& place, std::vector<Item>& out)
{
    TRY(expect_type(value, place, JsonType::array));
    size_t size = value.size();
    out.reserve(size);
    for (size_t i = 0; i < size; i++)
        TRY(read_value(value.at(i), place.element(i), out.emplace_back()));
    return {};
}

// A key with the value null stays, with the zero value: what Go makes of a map.
template<typename Item> Result<> read_value(JsonView value, const Place& place, std::map<std::string, Item>& out)
{
    TRY(expect_type(value, place, JsonType::object));
    Result<> result;
    value.for_each_member([&](std::string_view name, JsonView member) {
        Item& item = out[std::string(name)];
        if (result && !member.is_null())
            result = read_value(member, place.key(name), item);
    });
    return result;
}

template<typename Struct>
Result<> read_rows(JsonView value, const Place& place, std::type_identity_t<std::span<const Row<Struct>>> rows, Struct& out)
{
    TRY(expect_type(value, place, JsonType::object));
    for (const auto& row : rows)
        if (auto member = value.member(row.name); !member.is_null())
            TRY(row.read(member, place.member(row.name), out));
    return {};
}

// For documents of our own, where a misspelt property must not be passed over: kind invalid, with the known ones as hint.
// "$comment" and "$schema" are known everywhere.
template<typename Struct>
Result<> read_only_rows(JsonView value, const Place& place, std::type_identity_t<std::span<const Row<Struct>>> rows, Struct& out)
{
    TRY(expect_type(value, place, JsonType::object));
    std::vector<std::string> known;
    for (const auto& row : rows)
        known.emplace_back(row.name);
    TRY(expect_members(value, place, known));
    return read_rows(value, place, rows, out);
}

namespace detail {

template<typename Struct, typename Item> Struct struct_of(Item Struct::*);

} // namespace detail

// row<&Process::cwd>("cwd")
template<auto member> constexpr auto row(std::string_view name)
{
    using Struct = decltype(detail::struct_of(member));
    return Row<Struct>{
        name, [](JsonView value, const Place& place, Struct& out) -> Result<> { return read_value(value, place, out.*member); }};
}

} // namespace brig
