#include "sandbox/network.hpp"

#include <criterion/criterion.h>

using namespace brig;
using namespace brig::sandbox;

namespace {

policy::Network allowing(std::vector<policy::Destination> destinations)
{
    policy::Network network;
    network.mode = policy::NetworkMode::allow;
    network.allow = std::move(destinations);
    return network;
}

egress::RuleTexts asking(std::vector<std::string> names)
{
    return {.allow = std::move(names)};
}

} // namespace

Test(network, what_is_asked_for_lies_within_the_policy)
{
    auto policy = allowing({{"pypi.org", false, {}}, {"example", true, 8443}});
    for (const char* name : {"pypi.org", "pypi.org:443", "pypi.org:80", "a.example:8443", "*.example:8443", "*.b.example:8443"})
        cr_assert(allowed_rules(asking({name}), policy).has_value(), "%s", name);
    for (const char* name : {"npmjs.org", "pypi.org:22", "*.pypi.org", "a.pypi.org", "example:8443", "a.example", "a.example:443",
                             "pypi.org:443/tcp", "evilexample:8443"})
        cr_assert_not(allowed_rules(asking({name}), policy).has_value(), "%s", name);
}

Test(network, the_policys_destinations_are_the_default)
{
    auto rules = allowed_rules({}, allowing({{"pypi.org", false, 443}}));
    cr_assert(rules.has_value());
    cr_assert_eq(rules->allow, std::vector<std::string>{"pypi.org:443"});
}

Test(network, an_open_policy_takes_any_name_and_needs_one)
{
    cr_assert(allowed_rules(asking({"anything.org"}), allowing({})).has_value());
    auto nothing = allowed_rules({}, allowing({}));
    cr_assert_not(nothing.has_value());
    cr_assert_eq(nothing.error().kind(), ErrorKind::invalid);
}

Test(network, none_is_refused_and_denials_stay)
{
    policy::Network none;
    none.mode = policy::NetworkMode::none;
    cr_assert_eq(allowed_rules(asking({"pypi.org"}), none).error().kind(), ErrorKind::refused);
    auto policy = allowing({});
    policy.deny = {{"bad.org", true, {}}};
    cr_assert_eq(allowed_rules(asking({"*.org"}), policy)->deny, std::vector<std::string>{"*.bad.org"});
    egress::RuleTexts addresses = asking({"pypi.org"});
    addresses.allow_addresses = {"10.0.0.0/8"};
    cr_assert(allowed_rules(addresses, policy).has_value());
    cr_assert_not(allowed_rules(addresses, allowing({{"pypi.org", false, {}}})).has_value());
}
