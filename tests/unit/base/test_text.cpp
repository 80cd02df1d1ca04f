#include "base/text.hpp"

#include <criterion/criterion.h>

using namespace brig;
using Texts = std::vector<std::string>;
using Views = std::vector<std::string_view>;

Test(text, split_and_join)
{
    cr_expect((split("", ',') == Views{""}));
    cr_expect((split("a", ',') == Views{"a"}));
    cr_expect((split("a,,b,", ',') == Views{"a", "", "b", ""}));
    cr_expect((join({}, ", ") == ""));
    cr_expect((join({"a"}, ", ") == "a"));
    cr_expect((join({"a", "", "b"}, ", ") == "a, , b"));
}

Test(text, trim_and_contains)
{
    cr_expect(trim("") == "");
    cr_expect(trim(" \t\r\n ") == "");
    cr_expect(trim(" a b\n") == "a b");
    cr_expect(contains("abc", "bc") && contains("abc", "") && !contains("abc", "cb"));
}

Test(text, numbers)
{
    cr_expect(*parse_integer("-5") == -5);
    cr_expect(*parse_integer("-9223372036854775808") == INT64_MIN);
    cr_expect(*parse_unsigned("18446744073709551615") == UINT64_MAX);
    for (const char* bad : {"", " 1", "1 ", "+1", "0x10", "1.0", "a", "9223372036854775808", "--1"})
        cr_expect(!parse_integer(bad).has_value(), "%s", bad);
    for (const char* bad : {"", "-1", "+1", "18446744073709551616"})
        cr_expect(!parse_unsigned(bad).has_value(), "%s", bad);
    cr_expect(contains(parse_unsigned("18446744073709551616").error().message(), "out of range"));
}

Test(text, durations)
{
    struct Row {
        const char* text;
        int64_t nanoseconds;
    };
    for (const auto& row : std::vector<Row>{{"0", 0},
                                            {"30s", 30'000'000'000},
                                            {"1m30s", 90'000'000'000},
                                            {"250ms", 250'000'000},
                                            {"1.5h", 5'400'000'000'000},
                                            {"7ns", 7},
                                            {"2us", 2000},
                                            {"2µs", 2000},
                                            {".5s", 500'000'000}})
        cr_expect(parse_go_duration(row.text).value_or(-1) == row.nanoseconds, "%s", row.text);
    for (const char* bad : {"", "5", "s", "-5s", "5x", "5s ", "1m 30s", "99999999999h", "nan", "infs", "1e3s"})
        cr_expect(!parse_go_duration(bad).has_value(), "%s", bad);
}

Test(text, quoting)
{
    cr_expect(quoted("a\"b\\c\n\t\x01") == "\"a\\\"b\\\\c\\n\\t\\x01\"");
    cr_expect(one_line("a\nb\x1b[31m\x7f") == "a\\nb\\x1b[31m\\x7f");
    cr_expect(one_line("é") == "é");
}

Test(text, clean_path)
{
    struct Row {
        const char* path;
        const char* clean;
    };
    for (const auto& row : std::vector<Row>{{"", "."},
                                            {"/", "/"},
                                            {"//a//b/", "/a/b"},
                                            {"a/./b", "a/b"},
                                            {"a/../b", "b"},
                                            {"/..", "/"},
                                            {"/../../a", "/a"},
                                            {"..", ".."},
                                            {"../a/../..", "../.."},
                                            {"a/..", "."},
                                            {"./", "."},
                                            {"/a/b/../../..", "/"}})
        cr_expect(clean_path(row.path) == row.clean, "%s: %s", row.path, clean_path(row.path).c_str());
}

Test(text, path_parts)
{
    cr_expect(join_path("/a/b", "c") == "/a/b/c");
    cr_expect(join_path("/a", "/c") == "/c");
    cr_expect(join_path("/a", "../c") == "/c");
    cr_expect(base_name("/a/b") == "b" && base_name("b") == "b" && base_name("/a/") == "");
    cr_expect(parent_path("/a/b") == "/a" && parent_path("/a") == "/" && parent_path("a") == ".");
}

Test(text, words)
{
    std::string line = "  a\t bc d \t";
    auto words = words_of(std::string_view(line));
    cr_assert(words.size() == 3);
    cr_expect(words[0] == "a" && words[1] == "bc" && words[2] == "d");
    cr_expect(words_of(std::string_view()).empty() && words_of(" \t ").empty());
}
