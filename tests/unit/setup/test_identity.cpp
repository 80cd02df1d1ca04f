#include "setup/identity.hpp"

#include <criterion/criterion.h>

using namespace brig;
using setup::home_from_passwd;

Test(home, comes_from_the_first_entry_with_the_uid)
{
    constexpr const char* passwd = "root:x:0:0:root:/root:/bin/sh\n"
                                   "www:x:33:33::/var/www:/usr/sbin/nologin\n"
                                   "other:x:33:33::/other:/bin/sh\n"
                                   "last:x:1000:1000::/home/last:/bin/sh";
    cr_expect(home_from_passwd(passwd, 0) == "/root");
    cr_expect(home_from_passwd(passwd, 33) == "/var/www");
    cr_expect(home_from_passwd(passwd, 1000) == "/home/last");
    cr_expect(home_from_passwd(passwd, 1) == "");
}

Test(home, ignores_lines_that_are_no_entries)
{
    constexpr const char* passwd = "# comment:x:5:5::/comment:/bin/sh:\n"
                                   "\n"
                                   "short:x:7\n"
                                   "signed:x:+7:7::/signed:/bin/sh\n"
                                   "wide:x:4294967303:7::/wide:/bin/sh\n"
                                   "octal:x:07x:7::/octal:/bin/sh\n"
                                   "right:x:7:7::/right:/bin/sh\n";
    cr_expect(home_from_passwd(passwd, 7) == "/right");
    cr_expect(home_from_passwd("", 7) == "");
    cr_expect(home_from_passwd(std::string_view("a\0b:x:7:7::/nul:/bin/sh", 22), 7) == "/nul");
}

Test(home, present_values_stay)
{
    std::vector<std::string> env = {"PATH=/bin", "HOME=/data", "HOMELESS=1"};
    cr_assert(setup::complete_home(env, 0).has_value());
    cr_expect(env == (std::vector<std::string>{"PATH=/bin", "HOME=/data", "HOMELESS=1"}));
}

Test(home, empty_and_missing_values_are_filled)
{
    std::vector<std::string> empty = {"HOME=", "PATH=/bin"};
    cr_assert(setup::complete_home(empty, 0).has_value());
    cr_expect(empty == (std::vector<std::string>{"HOME=/root", "PATH=/bin"}));
    std::vector<std::string> missing = {"PATH=/bin"};
    cr_assert(setup::complete_home(missing, 4000000001).has_value());
    cr_expect(missing == (std::vector<std::string>{"PATH=/bin", "HOME=/"}));
}
