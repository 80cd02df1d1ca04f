#include "sandbox/policy_limits.hpp"

#include <algorithm>
#include <criterion/criterion.h>

using namespace brig;
using namespace brig::sandbox;

Test(policy_limits, the_policys_in_place_of_the_defaults)
{
    policy::Policy policy;
    policy.limits.timeout_ms = 60'000;
    policy.resources.memory_bytes = 1 << 30;
    Limits limits;
    uint64_t pids = limits.pids;
    take_limits(limits, policy);
    cr_assert_eq(limits.timeout, 60'000);
    cr_assert_eq(limits.memory, uint64_t{1} << 30);
    cr_assert_eq(limits.pids, pids);
}

Test(policy_limits, options_only_lower_them)
{
    policy::Policy policy;
    policy.limits.timeout_ms = 1000;
    policy.limits.output_bytes = 10;
    Limits limits;
    limits.output = 5;
    for (int64_t asked : {0, 5000}) {
        limits.timeout = asked;
        lower_limits(limits, policy);
        cr_assert_eq(limits.timeout, 1000);
    }
    limits.timeout = 300;
    lower_limits(limits, policy);
    cr_assert_eq(limits.timeout, 300);
    cr_assert_eq(limits.output, 5);
}

Test(policy_limits, environment)
{
    policy::Policy policy;
    policy.environment.allow = {{"A", "LC_*"}};
    policy.environment.set = {{"B", "set"}};
    auto environment = allowed_environment({"A=1", "B=own", "C=1", "LC_ALL=x"}, policy);
    cr_assert(environment.has_value());
    std::vector<std::string> sorted = *environment;
    std::sort(sorted.begin(), sorted.end());
    cr_assert_eq(sorted, (std::vector<std::string>{"A=1", "B=set", "LC_ALL=x"}));
}
