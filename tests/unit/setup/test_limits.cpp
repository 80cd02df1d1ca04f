#include "base/text.hpp"
#include "setup/limits.hpp"

#include <criterion/criterion.h>

using namespace brig;

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

Test(limits, bad_lists_are_named)
{
    auto affinity = setup::apply_cpu_affinity("3-1");
    cr_assert(!affinity.has_value());
    cr_expect(contains(affinity.error().message(), "process.execCPUAffinity: "), "%s", affinity.error().message().c_str());
    plan::Process process;
    process.memory_policy = spec::MemoryPolicy{"MPOL_BIND", "x", {}};
    auto policy = setup::apply_memory_policy(process);
    cr_assert(!policy.has_value());
    cr_expect(contains(policy.error().message(), "linux.memoryPolicy.nodes: "), "%s", policy.error().message().c_str());
}
