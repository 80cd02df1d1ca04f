#include "base/json.hpp"

#include "base/text.hpp"

#include <json-c/json.h>
#include <limits>
#include <optional>

namespace brig {

std::string_view json_type_name(JsonType type)
{
    switch (type) {
    case JsonType::null: return "null";
    case JsonType::boolean: return "a boolean";
    case JsonType::number: return "a fractional number";
    case JsonType::integer: return "an integer";
    case JsonType::string: return "a string";
    case JsonType::array: return "an array";
    case JsonType::object: return "an object";
    }
    return "unknown";
}

JsonType JsonView::type() const
{
    switch (json_object_get_type(m_object)) {
    case json_type_null: return JsonType::null;
    case json_type_boolean: return JsonType::boolean;
    case json_type_double: return JsonType::number;
    case json_type_int: return JsonType::integer;
    case json_type_string: return JsonType::string;
    case json_type_array: return JsonType::array;
    case json_type_object: return JsonType::object;
    }
    return JsonType::null;
}

bool JsonView::boolean() const
{
    return type() == JsonType::boolean && json_object_get_boolean(m_object) != 0;
}

std::string JsonView::string() const
{
    if (type() != JsonType::string)
        return {};
    return {json_object_get_string(m_object), static_cast<size_t>(json_object_get_string_len(m_object))};
}

namespace {

tl::unexpected<Error> not_an_integer(JsonView value)
{
    return failure(ErrorKind::invalid, fmt::format("must be an integer, not {}", value.is_null() ? "null" : value.to_text()));
}

} // namespace

Result<int64_t> JsonView::signed_integer() const
{
    if (type() != JsonType::integer)
        return not_an_integer(*this);
    // json-c saturates at both ends; the text of the number tells whether it did.
    int64_t value = json_object_get_int64(m_object);
    if (value == std::numeric_limits<int64_t>::max() && json_object_get_uint64(m_object) > static_cast<uint64_t>(value))
        return failure(ErrorKind::invalid, fmt::format("{} is out of range", to_text()));
    return value;
}

Result<uint64_t> JsonView::unsigned_integer() const
{
    if (type() != JsonType::integer)
        return not_an_integer(*this);
    if (json_object_get_int64(m_object) < 0)
        return failure(ErrorKind::invalid, fmt::format("must not be negative, but is {}", to_text()));
    return json_object_get_uint64(m_object);
}

size_t JsonView::size() const
{
    return is_array() ? json_object_array_length(m_object) : 0;
}

JsonView JsonView::at(size_t index) const
{
    return JsonView(is_array() ? json_object_array_get_idx(m_object, index) : nullptr);
}

JsonView JsonView::member(std::string_view name) const
{
    json_object* found = nullptr;
    if (is_object())
        json_object_object_get_ex(m_object, std::string(name).c_str(), &found);
    return JsonView(found);
}

void JsonView::for_each_member(const std::function<void(std::string_view, JsonView)>& visit) const
{
    if (!is_object())
        return;
    auto iterator = json_object_iter_begin(m_object);
    auto end = json_object_iter_end(m_object);
    for (; !json_object_iter_equal(&iterator, &end); json_object_iter_next(&iterator))
        visit(json_object_iter_peek_name(&iterator), JsonView(json_object_iter_peek_value(&iterator)));
}

std::string JsonView::to_text(bool pretty) const
{
    int flags = JSON_C_TO_STRING_NOSLASHESCAPE;
    flags |= pretty ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED : JSON_C_TO_STRING_PLAIN;
    return m_object ? json_object_to_json_string_ext(m_object, flags) : "null";
}

Json::Json(Json&& other) noexcept : m_object(std::exchange(other.m_object, nullptr)) {}

Json& Json::operator=(Json&& other) noexcept
{
    if (this != &other) {
        json_object_put(m_object);
        m_object = std::exchange(other.m_object, nullptr);
    }
    return *this;
}

Json::~Json()
{
    json_object_put(m_object);
}

namespace {

std::string position_in(std::string_view text, size_t offset)
{
    size_t line = 1;
    size_t column = 1;
    for (size_t i = 0; i < offset && i < text.size(); i++) {
        column = text[i] == '\n' ? 1 : column + 1;
        line += text[i] == '\n';
    }
    return fmt::format("line {} column {}", line, column);
}

struct Flaw {
    size_t offset;
    std::string_view what;
};

bool fits_into_64_bits(std::string_view number)
{
    if (number.find_first_of(".eE") != std::string_view::npos)
        return true;
    auto range = [](const Error& error) { return contains(error.what(), "out of range"); };
    if (number.starts_with('-')) {
        auto value = parse_integer(number);
        return value || !range(value.error());
    }
    auto value = parse_unsigned(number);
    return value || !range(value.error());
}

bool is_followed_by_colon(std::string_view text, size_t closing_quote)
{
    auto next = text.find_first_not_of(" \t\r\n", closing_quote + 1);
    return next != std::string_view::npos && text[next] == ':';
}

// What json-c takes although it is no JSON, or changes silently: it makes the largest number of one that is larger, so
// a limit would become another limit, and ends a property's name at a zero character, so it would be another property.
std::optional<Flaw> find_flaw(std::string_view text)
{
    constexpr std::string_view number_letters = "+-.0123456789eE";
    constexpr std::string_view zero_character = "\\u0000";
    bool in_string = false;
    size_t zero = std::string_view::npos;
    for (size_t i = 0; i < text.size(); i++) {
        char letter = text[i];
        if (in_string && static_cast<unsigned char>(letter) < 0x20)
            return Flaw{i, "a control character in a string"};
        if (in_string && letter == '\\') {
            if (text.substr(i, zero_character.size()) == zero_character)
                zero = i;
            i++;
        } else if (letter == '"') {
            if (in_string && zero != std::string_view::npos && is_followed_by_colon(text, i))
                return Flaw{zero, "a zero character in the name of a property"};
            zero = std::string_view::npos;
            in_string = !in_string;
        } else if (!in_string && (letter == '\'' || letter == 'N' || letter == 'I'))
            return Flaw{i, "a value that JSON does not have"};
        else if (!in_string && (letter == '-' || (letter >= '0' && letter <= '9'))) {
            auto number = text.substr(i, text.find_first_not_of(number_letters, i) - i);
            if (!fits_into_64_bits(number))
                return Flaw{i, "a number that does not fit into 64 bits"};
            i += number.size() - 1;
        }
    }
    return std::nullopt;
}

} // namespace

Result<Json> Json::parse(std::string_view text)
{
    if (auto flaw = find_flaw(text))
        return failure(ErrorKind::invalid, fmt::format("not valid JSON at {}: {}", position_in(text, flaw->offset), flaw->what));
    constexpr int levels = 128;
    if (text.size() > static_cast<size_t>(std::numeric_limits<int>::max() - 1))
        return failure(ErrorKind::invalid, "JSON text is larger than 2 GiB");
    json_tokener* tokener = json_tokener_new_ex(levels);
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    Json value(json_tokener_parse_ex(tokener, text.data(), static_cast<int>(text.size())));
    auto status = json_tokener_get_error(tokener);
    auto end = json_tokener_get_parse_end(tokener);
    // A bare number or word ends only where something else begins.
    if (status == json_tokener_continue && !text.empty()) {
        value = Json(json_tokener_parse_ex(tokener, " ", 1));
        status = json_tokener_get_error(tokener);
        end = text.size();
    }
    json_tokener_free(tokener);
    if (status == json_tokener_continue)
        return failure(ErrorKind::invalid, fmt::format("JSON ends too early, at {}", position_in(text, text.size())));
    if (status != json_tokener_success)
        return failure(ErrorKind::invalid,
                       fmt::format("not valid JSON at {}: {}", position_in(text, end), json_tokener_error_desc(status)));
    if (!trim(text.substr(end)).empty())
        return failure(ErrorKind::invalid, fmt::format("JSON is followed by other text at {}", position_in(text, end)));
    return value;
}

Json Json::object()
{
    return Json(json_object_new_object());
}

Json Json::array()
{
    return Json(json_object_new_array());
}

Json Json::string(std::string_view text)
{
    return Json(json_object_new_string_len(text.data(), static_cast<int>(text.size())));
}

Json Json::number(int64_t value)
{
    return Json(json_object_new_int64(value));
}

Json Json::unsigned_number(uint64_t value)
{
    return Json(json_object_new_uint64(value));
}

Json Json::real(double value)
{
    // The shortest text that reads back as this number: json-c itself writes 0.07 as 0.070000000000000007.
    return Json(json_object_new_double_s(value, fmt::format("{}", value).c_str()));
}

Json Json::boolean(bool value)
{
    return Json(json_object_new_boolean(value));
}

Json Json::strings(const std::vector<std::string>& texts)
{
    Json list = array();
    for (const auto& text : texts)
        list.append(string(text));
    return list;
}

Json Json::copy_of(JsonView view)
{
    json_object* copy = nullptr;
    if (view.raw() != nullptr)
        json_object_deep_copy(view.raw(), &copy, nullptr);
    return Json(copy);
}

Json& Json::set(std::string_view name, Json value)
{
    json_object_object_add(m_object, std::string(name).c_str(), std::exchange(value.m_object, nullptr));
    return *this;
}

Json& Json::append(Json value)
{
    json_object_array_add(m_object, std::exchange(value.m_object, nullptr));
    return *this;
}

} // namespace brig
