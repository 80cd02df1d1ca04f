#include "command/detach_keys.hpp"

#include <criterion/criterion.h>

using namespace brig::command;

Test(detach_keys, the_sequence_is_held_back)
{
    auto keys = DetachKeys::parse("ctrl-p,ctrl-q").value();
    cr_assert_eq(keys.pass("ab\x10"), "ab");
    cr_assert_not(keys.complete());
    cr_assert_eq(keys.pass("\x10"), "\x10");
    cr_assert_eq(keys.pass("x"), "\x10x");
    cr_assert_eq(keys.pass("y\x10\x11z"), "y");
    cr_assert(keys.complete());
}

Test(detach_keys, other_sequences)
{
    auto keys = DetachKeys::parse("ctrl-a,d").value();
    cr_assert_eq(keys.pass("d\x01"
                           "d"),
                 "d");
    cr_assert(keys.complete());
    auto none = DetachKeys::parse("").value();
    cr_assert_eq(none.pass("\x10\x11"), "\x10\x11");
    cr_assert_not(none.complete());
    for (std::string_view text : {"ctrl-", "ctrl-pp", "ab", "a,,b", "ctrl-1"})
        cr_assert_not(DetachKeys::parse(text).has_value());
}
