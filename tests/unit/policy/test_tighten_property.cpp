// A policy can only tighten: over random specs, policies and hosts, with seeds that are fixed and printed.
#include "random_documents.hpp"
#include "tightness.hpp"

#include <criterion/criterion.h>

using namespace brig;
using namespace brig::policy;
using namespace brig::policy::testing;

namespace {

constexpr uint64_t cases = 5000;

std::string text_of(const std::vector<Change>& changes)
{
    std::string text;
    for (const auto& change : changes)
        text += fmt::format("{}: {} -> {} ({}); ", change.property, change.before, change.after, change.reason);
    return text;
}

} // namespace

Test(tighten_property, never_loosens)
{
    size_t refused = 0;
    size_t changed = 0;
    for (uint64_t seed = 1; seed <= cases; seed++) {
        Chance chance(seed);
        auto spec = random_spec(chance);
        auto policy = random_policy(chance);
        auto host = random_host(chance);
        auto tightened = tighten(spec, policy, host);
        if (!tightened) {
            cr_assert(tightened.error().kind() == ErrorKind::refused, "seed %lu: %s", seed, tightened.error().message().c_str());
            refused++;
            continue;
        }
        changed += tightened->changes.empty() ? 0 : 1;
        Loosened loosened(tightened->spec, spec, policy, host);
        cr_assert(loosened.empty(), "seed %lu: looser in %s", seed, loosened.text().c_str());
    }
    // The random documents must reach both ends, or the test says little.
    cr_expect(refused > cases / 10 && refused < cases / 2, "%zu of %lu are refused", refused, cases);
    cr_expect(changed > cases / 3, "%zu of %lu are changed", changed, cases);
}

Test(tighten_property, is_complete_after_one_pass)
{
    for (uint64_t seed = 1; seed <= cases; seed++) {
        Chance chance(seed);
        auto spec = random_spec(chance);
        auto policy = random_policy(chance);
        auto host = random_host(chance);
        policy.seccomp.profile.clear();
        auto once = tighten(spec, policy, host);
        if (!once)
            continue;
        auto twice = tighten(once->spec, policy, host);
        cr_assert(twice.has_value(), "seed %lu: %s", seed, twice.error().message().c_str());
        cr_assert(twice->changes.empty(), "seed %lu: %s", seed, text_of(twice->changes).c_str());
    }
}

Test(tighten_property, two_policies_hold_together)
{
    size_t both_hold = 0;
    for (uint64_t seed = 1; seed <= cases; seed++) {
        Chance chance(seed);
        auto spec = random_spec(chance);
        auto first = random_policy(chance);
        auto second = random_policy(chance);
        auto host = random_host(chance);
        first.environment.set.clear();
        second.environment.set.clear();
        auto both = tighten_all(spec, {first, second}, host);
        if (!both)
            continue;
        both_hold++;
        for (const auto& policy : {first, second}) {
            Loosened loosened(both->spec, spec, policy, host);
            cr_assert(loosened.empty(), "seed %lu: looser in %s", seed, loosened.text().c_str());
            auto again = tighten(both->spec, policy, host);
            cr_assert(again && again->changes.empty(), "seed %lu: %s", seed,
                      again ? text_of(again->changes).c_str() : again.error().message().c_str());
        }
    }
    cr_expect(both_hold > cases / 5, "%zu of %lu", both_hold, cases);
}

// The order itself can tell: the loosenings that a broken tighten() would make are seen.
Test(tighten_property, the_order_sees_loosening)
{
    Chance chance(7);
    auto spec = random_spec(chance);
    spec.process->no_new_privileges = true;
    spec.root->readonly = true;
    spec.linux->masked_paths = {"/proc/keys"};
    spec.mounts = {{"/tmp", "tmpfs", "tmpfs", {"nosuid", "size=64k"}, {}, {}}};
    spec.process->rlimits = {{"RLIMIT_NOFILE", 10, 10}};
    HostLimits host;
    Policy policy;
    cr_expect(Loosened(spec, spec, policy, host).empty());
    using Edit = void (*)(spec::Spec&);
    for (Edit edit :
         {Edit([](spec::Spec& s) { s.process->no_new_privileges = false; }),
          Edit([](spec::Spec& s) { s.root->readonly = false; }), Edit([](spec::Spec& s) { s.linux->masked_paths.clear(); }),
          Edit([](spec::Spec& s) { s.mounts[0].options.emplace_back("suid"); }),
          Edit([](spec::Spec& s) { s.mounts[0].options.emplace_back("size=1g"); }), Edit([](spec::Spec& s) {
              s.mounts.insert(s.mounts.begin(), spec::Mount{"/x", "tmpfs", "", {}, {}, {}});
          }),
          Edit([](spec::Spec& s) { s.process->rlimits[0].hard = 11; }),
          Edit([](spec::Spec& s) { s.process->env.emplace_back("NEW=1"); }), Edit([](spec::Spec& s) {
              s.linux->namespaces.push_back({spec::NamespaceType::time, "/x"});
          })}) {
        auto looser = spec;
        edit(looser);
        cr_expect(!Loosened(looser, spec, policy, host).empty());
    }
}
