// What a test of the kernel's interfaces needs of the host; without it the test is skipped, or fails where all must run.
#pragma once

#include "kernel/host_facts.hpp"

#include <criterion/criterion.h>
#include <cstdlib>
#include <string_view>
#include <unistd.h>

namespace brig::test {

inline void need(bool available, const char* what)
{
    if (available)
        return;
    const char* must_run = std::getenv("BRIG_TESTS_MUST_RUN");
    cr_assert(must_run == nullptr || std::string_view(must_run) != "1", "needs %s", what);
    cr_skip_test("needs %s", what);
}

inline HostFacts host_with_root()
{
    need(::geteuid() == 0, "root");
    auto facts = kernel::read_host_facts();
    cr_assert(facts.has_value(), "%s", facts ? "" : facts.error().message().c_str());
    return *facts;
}

} // namespace brig::test
