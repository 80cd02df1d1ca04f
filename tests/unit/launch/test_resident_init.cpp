#include "launch/resident_init.hpp"

#include <criterion/criterion.h>

using namespace brig::launch;

Test(resident_init, order_there_and_back)
{
    ProgramOrder order{.number = 3,
                       .programs = {"bash", "sh"},
                       .arguments = {"", "x y"},
                       .environment = {"A=b"},
                       .cwd = "/workspace",
                       .terminal = true,
                       .rows = 50,
                       .columns = 132};
    std::string bytes = encode_order(order);
    auto received = decode_order(bytes);
    cr_assert(received.has_value());
    cr_assert_eq(received->programs, order.programs);
    cr_assert_eq(received->arguments, order.arguments);
    cr_assert_eq(received->columns, 132);
    for (size_t length = 0; length < bytes.size(); length++)
        cr_assert_not(decode_order(std::string_view(bytes).substr(0, length)).has_value());
    order.programs.clear();
    cr_assert_not(decode_order(encode_order(order)).has_value());
}

Test(resident_init, end_there_and_back)
{
    auto received = decode_end(encode_end({.number = 5, .status = {true, 9}}));
    cr_assert(received.has_value());
    cr_assert_eq(received->number, 5);
    cr_assert_eq(received->status.as_exit_code(), 137);
    cr_assert_not(decode_end("short").has_value());
}
