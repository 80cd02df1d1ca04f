// Filters in the kernel. What a program decides for each call is tested without it, in tests/unit/setup.
#include "process_probe.hpp"
#include "support/scratch.hpp"

#include <cerrno>
#include <csignal>
#include <unistd.h>

using namespace brig;
using namespace brig::test;

Test(seccomp, decides_calls)
{
    need(::geteuid() == 0, "root");
    expect_output("filter", fmt::format("listener false\nmkdir {}\nmseal {}\npersonality 0 {}\n", ENOTTY, EXDEV, EBUSY));
}

Test(seccomp, newer_calls_do_not_exist)
{
    need(::geteuid() == 0, "root");
    expect_output("newer-calls", fmt::format("-1 {} -1 {}\n", EPERM, ENOSYS));
}

Test(seccomp, foreign_architectures_are_killed)
{
    need(::geteuid() == 0, "root");
    expect_output("foreign-call", "loaded\nsurvived\n", "native");
#ifdef __x86_64__
    for (const std::string how : {"x32", "i386"}) {
        // A kernel without the architecture answers ENOSYS to x32, and kills for int $0x80 itself.
        if (probe_process("foreign-call", how + " unfiltered").status.signaled)
            continue;
        auto outcome = probe_process("foreign-call", how);
        cr_expect(outcome.status.signaled && outcome.status.value == SIGSYS, "%s: %s", how.c_str(), outcome.output.c_str());
        cr_expect_str_eq(outcome.output.c_str(), "loaded\n");
    }
#endif
}

Test(seccomp, needs_no_new_privs_or_cap_sys_admin)
{
    need(::geteuid() == 0, "root");
    expect_output("unprivileged-filter", "loaded\n", "yes");
    expect_failure("unprivileged-filter", "permission denied (a filter needs process.noNewPrivileges or CAP_SYS_ADMIN)", "no");
}

Test(seccomp, listener_reaches_the_agent)
{
    need(::geteuid() == 0, "root");
    Scratch scratch;
    expect_output("listener", "{\"ociVersion\": \"1.2.0\"} listener true\n", scratch.path());
    expect_failure("no-listener", "connect to linux.seccomp.listenerPath", scratch.path());
}
