// Which names a container may have: they become folder and cgroup names.
#include "container/state_store.hpp"

#include <criterion/criterion.h>
#include <string>

using namespace brig;

Test(container_id, takes_what_engines_give)
{
    for (const char* id : {"a", "0", "web-1", "a.b_c+d", "...", "..a", "3f4e1c0d9b"})
        cr_assert(container::check_id(id), "%s", id);
    cr_assert(container::check_id(std::string(1024, 'x')));
}

Test(container_id, refuses_what_names_another_place)
{
    for (const char* id : {"", ".", "..", "a/b", "/a", "../a", "a b", "a\nb", "a\\b", "ü", "a:b", "a*"}) {
        auto refused = container::check_id(id);
        cr_assert_not(refused, "%s", id);
        cr_assert_eq(static_cast<int>(refused.error().kind()), static_cast<int>(ErrorKind::invalid));
    }
    cr_assert_not(container::check_id(std::string(1025, 'x')));
    cr_assert_not(container::check_id(std::string("a\0b", 3)));
}
