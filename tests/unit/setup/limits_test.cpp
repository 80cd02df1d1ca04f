#include "base/text.hpp"
#include "setup/limits.hpp"

#include <criterion/criterion.h>

using namespace brig;
using kernel::BitMask;
using setup::parse_index_list;

Test(index_list, ranges_and_single_numbers)
{
    cr_expect(*parse_index_list("") == BitMask{});
    cr_expect(*parse_index_list("0") == BitMask{1});
    cr_expect(*parse_index_list("0-3,7") == BitMask{0x8f});
    cr_expect(*parse_index_list(" 1 , 2-2,") == BitMask{6});
    cr_expect(*parse_index_list("63-64") == (BitMask{1UL << 63, 1}));
    cr_expect(parse_index_list("8191")->size() == 128);
}

Test(index_list, refuses_everything_else)
{
    for (const char* list : {"x", "-1", "3-", "-", "3-1", "1-2-3", "0x1", "8192", "0-18446744073709551615", "1;2"}) {
        auto mask = parse_index_list(list);
        cr_assert(!mask.has_value(), "%s", list);
        cr_expect(mask.error().kind() == ErrorKind::invalid);
    }
}

Test(limits, nothing_planned_changes_nothing)
{
    plan::Process process;
    cr_expect(setup::apply_rlimits(0, process).has_value());
    cr_expect(setup::apply_scheduling(process).has_value());
    cr_expect(setup::apply_memory_policy(process).has_value());
    cr_expect(setup::apply_personality(process).has_value());
    cr_expect(setup::apply_cpu_affinity("").has_value());
    cr_expect(setup::apply_sysctls({}).has_value());
}
