#include "guard/duties.hpp"

#include <criterion/criterion.h>

using namespace brig;
using namespace brig::guard;

namespace {

policy::Policy named(const char* name)
{
    policy::Policy policy;
    policy.name = name;
    return policy;
}

policy::Policy reaching(std::vector<policy::Destination> allow)
{
    policy::Policy policy = named("names");
    policy.network.mode = policy::NetworkMode::allow;
    policy.network.allow = std::move(allow);
    return policy;
}

const policy::Destination pypi{.host = "pypi.org"};
const policy::Destination below_example{.host = "example", .subdomains = true};

} // namespace

Test(duties, none_of_policies_without_time_and_names)
{
    cr_assert_not(duties_of({})->any());
    cr_assert_not(duties_of({named("one"), reaching({})})->any());
}

Test(duties, of_several_times_the_lowest_with_its_own_grace)
{
    auto first = named("first");
    first.limits.timeout_ms = 60'000;
    first.limits.grace_ms = 1000;
    auto second = named("second");
    second.limits.lifetime_ms = 5000;
    auto duties = duties_of({first, second});
    cr_assert_eq(duties->time->milliseconds, 5000);
    cr_assert_eq(duties->time->grace_ms, usual_grace_ms);
    cr_assert_eq(duties->time->reason(), "the policy second ends this container: it ran for 5 s (limits.maxLifetime)");
    cr_assert_eq(duties_of({first})->time->grace_ms, 1000);
}

Test(duties, names_are_those_that_all_allow)
{
    cr_assert_eq(duties_of({reaching({pypi, below_example})})->rules.allow.size(), 2);
    auto both = duties_of({reaching({pypi, {.host = "a.example", .port = 443}}), reaching({below_example})});
    cr_assert_eq(both->rules.allow, std::vector<std::string>{"a.example:443"});
    auto none = named("none");
    none.network.mode = policy::NetworkMode::none;
    cr_assert_not(duties_of({reaching({pypi}), none})->has_names());
    cr_assert_not(duties_of({none, reaching({pypi})})->has_names());
    cr_assert(duties_of({reaching({pypi}), named("host")})->has_names());
}

Test(duties, the_lower_limits_of_the_network)
{
    auto first = reaching({pypi});
    first.network.connections = 5;
    first.network.bytes = 1000;
    auto second = reaching({pypi});
    second.network.connections = 9;
    second.network.bytes = 10;
    auto duties = duties_of({first, second});
    cr_assert_eq(duties->network.connections, 5);
    cr_assert_eq(duties->network.bytes, 10);
}

Test(duties, durations_for_people)
{
    cr_assert_eq(duration_text(300'000), "5 min");
    cr_assert_eq(duration_text(90'000), "90 s");
    cr_assert_eq(duration_text(1500), "1500 ms");
}
