// Sample documents and edits of them. Tests run from the root of the repository.
#pragma once

#include "base/json.hpp"

#include <cstdio>
#include <cstdlib>
#include <json-c/json.h>
#include <json-c/json_pointer.h>
#include <memory>
#include <string>

namespace brig::tests {

inline std::string sample(const std::string& name)
{
    std::string path = "tests/unit/spec/" + name;
    FILE* file = std::fopen(path.c_str(), "re");
    if (file == nullptr) {
        std::fprintf(stderr, "cannot open %s: run the tests from the root of the repository\n", path.c_str());
        std::abort();
    }
    std::string text(1 << 20, '\0');
    text.resize(std::fread(text.data(), 1, text.size(), file));
    std::fclose(file);
    return text;
}

// `text` with the value at the JSON pointer replaced by `value` (JSON text); the last name may be new.
inline std::string edited(const std::string& text, const std::string& pointer, const std::string& value)
{
    json_object* document = json_tokener_parse(text.c_str());
    json_object* replacement = json_tokener_parse(value.c_str());
    if (json_pointer_set(&document, pointer.c_str(), replacement) != 0) {
        std::fprintf(stderr, "no place %s in the sample\n", pointer.c_str());
        std::abort();
    }
    std::string result = json_object_to_json_string_ext(document, JSON_C_TO_STRING_PLAIN);
    json_object_put(document);
    return result;
}

} // namespace brig::tests
