// Runs a case of probe-process, the program that changes itself where a test body must not.
#pragma once

#include "base/text.hpp"
#include "kernel/child_process.hpp"
#include "kernel/files.hpp"
#include "support/needs.hpp"

#include <criterion/criterion.h>
#include <cstdlib>

namespace brig::test {

struct ProbeOutcome {
    kernel::ExitStatus status;
    std::string output;
};

inline ProbeOutcome probe_process(const std::string& name, const std::string& argument = "")
{
    std::string self = *kernel::read_link(kernel::working_directory, "/proc/self/exe");
    kernel::SpawnRequest request;
    request.path = join_path(parent_path(self), "probe-process");
    request.args = {"probe-process", name, argument};
    request.timeout_milliseconds = 60000;
    if (const char* sanitizer = getenv("ASAN_OPTIONS"))
        request.environment = {std::string("ASAN_OPTIONS=") + sanitizer};
    auto ran = kernel::run_program(request);
    cr_assert(ran.has_value(), "%s", ran ? "" : ran.error().message().c_str());
    cr_assert(!ran->timed_out, "probe-process %s hangs after: %s", name.c_str(), ran->output.c_str());
    return {ran->status, ran->output};
}

// The case succeeds and prints exactly this.
inline void expect_output(const std::string& name, const std::string& output, const std::string& argument = "")
{
    auto outcome = probe_process(name, argument);
    cr_expect_str_eq(outcome.output.c_str(), output.c_str(), "%s printed\n%sinstead of\n%s", name.c_str(), outcome.output.c_str(),
                     output.c_str());
    cr_expect(!outcome.status.signaled && outcome.status.value == 0, "%s ended with %d", name.c_str(),
              outcome.status.as_exit_code());
}

// The case fails with a message that has this part.
inline void expect_failure(const std::string& name, const std::string& part, const std::string& argument = "")
{
    auto outcome = probe_process(name, argument);
    cr_expect(!outcome.status.signaled && outcome.status.value == 1, "%s ended with %d", name.c_str(),
              outcome.status.as_exit_code());
    cr_expect(contains(outcome.output, part), "%s printed: %s", name.c_str(), outcome.output.c_str());
}

} // namespace brig::test
