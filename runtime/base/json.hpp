// json-c behind value types: bounded parsing with a position in errors, and building for output.
//
// Ownership: Json owns one reference of a json_object; JsonView lends one. Errors: kind invalid, naming the position.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

struct json_object;

namespace brig {

enum class JsonType { null, boolean, number, integer, string, array, object };

std::string_view json_type_name(JsonType type);

class JsonView {
public:
    explicit JsonView(json_object* object) : m_object(object) {}

    JsonType type() const;
    bool is_null() const { return type() == JsonType::null; }
    bool is_object() const { return type() == JsonType::object; }
    bool is_array() const { return type() == JsonType::array; }

    // The caller checked the type; another type gives a zero value.
    bool boolean() const;
    std::string string() const;
    // Exact integers only: out-of-range, fractions and other types are errors of kind invalid.
    Result<int64_t> signed_integer() const;
    Result<uint64_t> unsigned_integer() const;

    size_t size() const; // of an array
    JsonView at(size_t index) const;
    // A missing member is a null view. A member with the value null cannot be told from a missing one, as in Go.
    JsonView member(std::string_view name) const;
    void for_each_member(const std::function<void(std::string_view, JsonView)>& visit) const;

    std::string to_text(bool pretty = false) const;
    json_object* raw() const { return m_object; }

private:
    json_object* m_object;
};

class Json {
public:
    Json() = default; // null
    explicit Json(json_object* owned) : m_object(owned) {}
    Json(Json&& other) noexcept;
    Json& operator=(Json&& other) noexcept;
    Json(const Json&) = delete;
    Json& operator=(const Json&) = delete;
    ~Json();

    // The whole text must be one JSON value. Limits: 128 levels; the caller bounds the size.
    static Result<Json> parse(std::string_view text);

    static Json object();
    static Json array();
    static Json string(std::string_view text);
    static Json number(int64_t value);
    static Json unsigned_number(uint64_t value);
    static Json real(double value);
    static Json boolean(bool value);
    static Json strings(const std::vector<std::string>& texts);
    static Json copy_of(JsonView view); // deep

    // Both return *this so that objects read as a list of rows. An existing member is replaced.
    Json& set(std::string_view name, Json value);
    Json& append(Json value);

    JsonView view() const { return JsonView(m_object); }
    std::string to_text(bool pretty = false) const { return view().to_text(pretty); }

private:
    json_object* m_object = nullptr;
};

} // namespace brig
