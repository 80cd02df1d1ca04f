// /etc/subuid, /etc/nsswitch.conf and id maps, well-formed and hostile.
#include "kernel/subordinate_ids.hpp"

#include "base/text.hpp"

#include <criterion/criterion.h>

using namespace brig;
using namespace brig::kernel;

namespace {

std::string text_of(const std::vector<IdRange>& ranges)
{
    std::vector<std::string> texts;
    for (const auto& range : ranges)
        texts.push_back(fmt::format("{}+{}", range.first, range.count));
    return join(texts, " ");
}

void expect_ranges(const std::vector<IdRange>& found, const char* expected)
{
    std::string text = text_of(found);
    cr_expect_str_eq(text.c_str(), expected);
}

} // namespace

Test(subordinate_ids, are_found_by_name_and_by_number)
{
    constexpr const char* file = "alice:100000:65536\nbob:200000:65536\n1000:300000:10\nalice:400000:1\n";
    expect_ranges(parse_subordinate_ids(file, "alice", 1000), "100000+65536 300000+10 400000+1");
    expect_ranges(parse_subordinate_ids(file, "bob", 1001), "200000+65536");
    expect_ranges(parse_subordinate_ids(file, "carol", 1002), "");
    expect_ranges(parse_subordinate_ids("alice:1:2", "alice", 7), "1+2");
}

Test(subordinate_ids, of_a_user_without_a_name_are_found_by_number_alone)
{
    expect_ranges(parse_subordinate_ids(":100000:65536\n7:5:5\n", "", 7), "5+5");
}

Test(subordinate_ids, malformed_lines_give_nothing)
{
    for (const char* line : {"alice",
                             "alice:",
                             "alice:1",
                             "alice:1:2:3",
                             "alice::5",
                             "alice:5:",
                             "alice:-1:5",
                             "alice:+1:5",
                             "alice: 1:5",
                             "alice:0x10:5",
                             "alice:1:5 ",
                             "alice:1e3:5",
                             "#alice:1:5",
                             " alice:1:5",
                             "alice:5:0",
                             "alice:4294967296:1",
                             "alice:4294967295:2",
                             "alice:1:4294967296",
                             "alice:18446744073709551615:18446744073709551615",
                             "alice:99999999999999999999:1",
                             "alic:1:5",
                             "alicee:1:5",
                             "ALICE:1:5"})
        expect_ranges(parse_subordinate_ids(line, "alice", 1000), "");
    expect_ranges(parse_subordinate_ids("garbage\n\n:::\nalice:7:8\n\xff\xfe:1:1\n", "alice", 1000), "7+8");
    expect_ranges(parse_subordinate_ids(std::string_view("alice:1:2\0alice:3:4", 19), "alice", 1000), "");
    expect_ranges(parse_subordinate_ids("alice:4294967295:1", "alice", 1000), "4294967295+1");
}

Test(subordinate_ids, another_source_is_seen)
{
    cr_expect(names_other_source("passwd: files\nsubid: sss\n"));
    cr_expect(names_other_source("subid:\tfiles sss"));
    cr_expect_not(names_other_source("subid: files # sss\n"));
    cr_expect_not(names_other_source("passwd: files sss\n# subid: sss\n"));
    cr_expect_not(names_other_source(""));
}

Test(subordinate_ids, of_a_map_are_those_inside)
{
    expect_ranges(parse_id_map("         0       1000          1\n         1     100000      65536\n"), "0+1 1+65536");
    expect_ranges(parse_id_map("         0          0 4294967295\n"), "0+4294967295");
    expect_ranges(parse_id_map("nonsense\n1 2\n1 2 3 4\n"), "");
}
