#include "base/json.hpp"
#include "base/text.hpp"

#include <criterion/criterion.h>

using namespace brig;

Test(json, types)
{
    struct Row {
        const char* text;
        JsonType type;
    };
    for (const auto& row : std::vector<Row>{{"null", JsonType::null},
                                            {"true", JsonType::boolean},
                                            {"1.5", JsonType::number},
                                            {"1e3", JsonType::number},
                                            {"-7", JsonType::integer},
                                            {"\"a\"", JsonType::string},
                                            {"[]", JsonType::array},
                                            {"{}", JsonType::object},
                                            {" 12 ", JsonType::integer}}) {
        auto json = Json::parse(row.text);
        cr_assert(json.has_value(), "%s: %s", row.text, json ? "" : json.error().message().c_str());
        cr_expect(json->view().type() == row.type, "%s", row.text);
        cr_expect(!json_type_name(row.type).empty());
    }
}

Test(json, refuses_what_is_not_one_value)
{
    for (const char* text : {"",    " ",  "{",  "[1,", "\"a",       "tru", "{\"a\":}", "{'a':1}", "[1,]",     "{} {}", "1 2",
                             "nul", "+1", "01", "NaN", "-Infinity", "nan", "True",     "/* */ 1", "\"\xff\"", "\"\n\""})
        cr_expect(!Json::parse(text).has_value(), "%s", text);
    std::string deep(200, '[');
    cr_expect(!Json::parse(deep + std::string(200, ']')).has_value());
}

Test(json, errors_have_a_position)
{
    auto json = Json::parse("{\n  \"a\": ?\n}");
    cr_expect(contains(json.error().message(), "line 2 column 8"), "%s", json.error().message().c_str());
    json = Json::parse("{\n  \"a\": 1");
    cr_expect(contains(json.error().message(), "JSON ends too early, at line 2"), "%s", json.error().message().c_str());
}

Test(json, integers_are_exact)
{
    auto value = [](const char* text) { return Json::parse(text); };
    cr_expect(*value("9223372036854775807")->view().signed_integer() == INT64_MAX);
    cr_expect(*value("-9223372036854775808")->view().signed_integer() == INT64_MIN);
    cr_expect(!value("9223372036854775808")->view().signed_integer().has_value());
    cr_expect(*value("18446744073709551615")->view().unsigned_integer() == UINT64_MAX);
    cr_expect(!value("-1")->view().unsigned_integer().has_value());
    for (const char* text : {"1.0", "1e3", "\"1\"", "true", "null", "[]"}) {
        cr_expect(!value(text)->view().signed_integer().has_value(), "%s", text);
        cr_expect(!value(text)->view().unsigned_integer().has_value(), "%s", text);
    }
}

// A number that no 64 bits hold must not become the largest one.
Test(json, numbers_beyond_64_bits)
{
    for (const char* text : {"18446744073709551616", "-9223372036854775809", "99999999999999999999999"}) {
        auto json = Json::parse(text);
        cr_expect(!json.has_value(), "%s", text);
        cr_expect(!Json::parse(std::string("{\"a\": [1, ") + text + "]}").has_value(), "%s", text);
    }
}

Test(json, strings_may_hold_what_looks_like_a_flaw)
{
    for (const char* text : {R"("99999999999999999999999")", R"("'NaN'")", R"("\\\" ' -99999999999999999999 ")", R"("\u0000")"})
        cr_expect(Json::parse(text).has_value(), "%s", text);
}

Test(json, another_type_gives_a_zero_value)
{
    auto json = Json::parse("{\"a\": 1}");
    cr_expect(json->view().string().empty());
    cr_expect(!json->view().boolean());
    cr_expect(json->view().size() == 0);
    cr_expect(json->view().at(0).is_null());
    cr_expect(json->view().member("missing").is_null());
    cr_expect(json->view().member("a").member("b").is_null());
}

Test(json, building)
{
    Json list = Json::strings({"a", "b\n"});
    list.append(Json::number(-5)).append(Json::unsigned_number(UINT64_MAX)).append(Json::boolean(false)).append(Json());
    Json object = Json::object();
    object.set("list", std::move(list))
        .set("text", Json::string("x"))
        .set("text", Json::string("/y\""))
        .set("r", Json::real(0.5));
    cr_expect(object.to_text() == R"({"list":["a","b\n",-5,18446744073709551615,false,null],"text":"/y\"","r":0.5})", "%s",
              object.to_text().c_str());
    Json copy = Json::copy_of(object.view());
    object.set("text", Json::number(1));
    cr_expect(copy.view().member("text").string() == "/y\"");
    cr_expect(Json::copy_of(Json().view()).view().is_null());
    cr_expect(Json().to_text() == "null");
}

Test(json, members_in_order)
{
    auto json = Json::parse(R"({"b": 1, "a": 2})");
    std::string names;
    json->view().for_each_member([&](std::string_view name, JsonView value) { names += std::string(name) + value.to_text(); });
    cr_expect(names == "b1a2");
}

Test(json, moving_keeps_one_owner)
{
    Json first = Json::string("text");
    Json second = std::move(first);
    cr_expect(first.view().is_null());
    cr_expect(second.view().string() == "text");
    second = std::move(second);
    cr_expect(second.view().string() == "text");
}
