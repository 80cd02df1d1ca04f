#include "base/json_reader.hpp"

#include "base/text.hpp"

namespace brig {

std::string Place::text() const
{
    std::string before = outer ? outer->text() : std::string();
    switch (kind) {
    case Kind::document: return before;
    case Kind::member: return before.empty() ? std::string(name) : fmt::format("{}.{}", before, name);
    case Kind::key: return fmt::format("{}[{}]", before, quoted(name));
    case Kind::element: return fmt::format("{}[{}]", before, index);
    }
    return before;
}

namespace {

std::string shortened(JsonView value)
{
    constexpr size_t longest = 60;
    std::string text = one_line(value.to_text());
    if (text.size() <= longest)
        return text;
    text.resize(longest);
    // Half a UTF-8 character would make the log line invalid JSON.
    while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0x80) != 0)
        text.pop_back();
    return text + "...";
}

tl::unexpected<Error> problem(const Place& place, const std::string& text)
{
    std::string where = place.text();
    return failure(ErrorKind::invalid, fmt::format("{} {}", where.empty() ? "the document" : where, text));
}

} // namespace

tl::unexpected<Error> wrong_value(const Place& place, std::string_view wanted, JsonView found)
{
    return problem(place, fmt::format("must be {}, not {}", wanted, shortened(found)));
}

tl::unexpected<Error> at_place(const Place& place, Error error)
{
    return failure(std::move(error).during(place.text()));
}

Result<> expect_type(JsonView value, const Place& place, JsonType type)
{
    if (value.type() != type)
        return wrong_value(place, json_type_name(type), value);
    return {};
}

Result<> expect_members(JsonView value, const Place& place, const std::vector<std::string>& known)
{
    Result<> result;
    value.for_each_member([&](std::string_view name, JsonView) {
        if (!result || name == "$comment" || name == "$schema" || std::find(known.begin(), known.end(), name) != known.end())
            return;
        result = failure(Error(ErrorKind::invalid, fmt::format("{} is not a known property", place.member(name).text()))
                             .with_hint("known here are " + join(known, ", ")));
    });
    return result;
}

Result<> expect_range(JsonView value, const Place& place, int64_t lowest, uint64_t highest)
{
    TRY(expect_type(value, place, JsonType::integer));
    auto number = value.unsigned_integer();
    bool inside = number ? *number <= highest : false;
    if (!number && lowest < 0)
        if (auto negative = value.signed_integer())
            inside = *negative >= lowest;
    if (!inside)
        return problem(place, fmt::format("must be from {} to {}, not {}", lowest, highest, shortened(value)));
    return {};
}

Result<> read_value(JsonView value, const Place& place, bool& out)
{
    TRY(expect_type(value, place, JsonType::boolean));
    out = value.boolean();
    return {};
}

// No string of a specification or policy can hold a NUL: the kernel would see only what is before it, a check all of it.
Result<> read_value(JsonView value, const Place& place, std::string& out)
{
    TRY(expect_type(value, place, JsonType::string));
    out = value.string();
    if (out.find('\0') != std::string::npos)
        return problem(place, fmt::format("must not contain a NUL character, but is {}", shortened(value)));
    return {};
}

} // namespace brig
