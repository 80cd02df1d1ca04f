#include "command/table.hpp"
#include "command/user_names.hpp"

#include <criterion/criterion.h>

using namespace brig::command;

Test(tables, columns_are_aligned)
{
    cr_expect(format_table({{"ID", "PID", "OWNER"}}) == "ID          PID         OWNER\n");
    cr_expect(format_table({{"ID", "PID"}, {"a-long-name-of-a-container", "1"}})
              == "ID                           PID\na-long-name-of-a-container   1\n");
    cr_expect(format_table({}).empty());
}

Test(tables, names_of_users)
{
    UserNames names("root:x:0:0:root:/root:/bin/sh\nbroken\nother:x:x:1::/:\nuser:x:1000:1000::/:\nsecond:x:1000:1::/:\n");
    cr_expect(names.find(0) == "root");
    cr_expect(names.find(1000) == "user");
    cr_expect(names.find(1).empty());
    cr_expect(UserNames("").find(0).empty());
}
