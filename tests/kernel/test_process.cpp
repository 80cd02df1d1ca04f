// kernel/process.hpp, setup/identity.hpp and setup/limits.hpp on the real kernel, in a process of their own.
#include "process_probe.hpp"
#include "support/scratch.hpp"

#include <csignal>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace brig;
using namespace brig::test;

static void root_needed()
{
    need(::geteuid() == 0, "root");
}

Test(identity, user_groups_and_capability_sets, .init = root_needed)
{
    // chown 0, kill 5, net_bind_service 10
    expect_output("become-user", "Uid 1000 1000 1000 1000\n"
                                 "Gid 1001 1001 1001 1001\n"
                                 "Groups 7 8\n"
                                 "CapInh 0000000000000001\n"
                                 "CapPrm 0000000000000021\n"
                                 "CapEff 0000000000000020\n"
                                 "CapBnd 0000000000000421\n"
                                 "CapAmb 0000000000000001\n"
                                 "setuid fails\n");
}

Test(identity, plain_user_keeps_nothing, .init = root_needed)
{
    expect_output("become-plain-user", "CapPrm 0000000000000000\n"
                                       "CapBnd 0000000000000000\n"
                                       "CapAmb 0000000000000000\n"
                                       "Groups \n"
                                       "NoNewPrivs 1\n"
                                       "keepcaps 0\n");
}

Test(identity, ambient_needs_inheritable, .init = root_needed)
{
    expect_failure("ambient-without-inheritable",
                   "raise cap_kill in the ambient set: operation not permitted (an ambient capability must be");
}

Test(identity, session_keyring, .init = root_needed)
{
    need(kernel::exists(kernel::working_directory, "/proc/keys"), "a kernel with keyrings");
    expect_output("keyring", "_ses.brig-test\nsearchable true\n");
}

Test(identity, stdio_belongs_to_the_user_but_not_dev_null, .init = root_needed)
{
    expect_output("stdio", "pipe uid 1234 group kept true\nnull uid 0\n");
}

Test(limits, rlimits_are_set, .init = root_needed)
{
    expect_output("rlimits", "files 100 200 core 0 0\n");
}

Test(limits, refused_rlimit_names_the_limit_and_the_remedy, .init = root_needed)
{
    expect_failure("raise-rlimit", "error setting RLIMIT_NOFILE to soft 100, hard 300");
    expect_failure("raise-rlimit", "operation not permitted (the hard limit is 200 here, and raising it needs CAP_SYS_RESOURCE");
    expect_failure("soft-above-hard", "error setting RLIMIT_NPROC to soft 20, hard 10");
    expect_failure("soft-above-hard", "invalid argument");
}

Test(limits, oom_score, .init = root_needed)
{
    std::string own = *kernel::read_file(kernel::working_directory, "/proc/self/oom_score_adj", 100);
    expect_output("oom-score", "700\n", "700");
    // The present value is not written: without the privilege even that could be refused.
    expect_output("oom-score", "800\n", "800,800");
    expect_output("oom-score", own, std::string(trim(own)));
    expect_failure("oom-score", "lowering it needs CAP_SYS_RESOURCE", "-1000");
}

Test(limits, oom_score_of_another_process, .init = root_needed)
{
    pid_t pid = -1;
    const char* arguments[] = {"sleep", "60", nullptr};
    cr_assert(::posix_spawnp(&pid, "sleep", nullptr, nullptr, const_cast<char**>(arguments), nullptr) == 0);
    expect_output("oom-score-of-other", "", std::to_string(pid));
    auto score = kernel::read_file(kernel::working_directory, fmt::format("/proc/{}/oom_score_adj", pid), 100);
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    cr_expect(score && *score == "321\n");
}

Test(limits, scheduling, .init = root_needed)
{
    // SCHED_BATCH 3 with SCHED_RESET_ON_FORK 0x40000000; best effort is class 2
    expect_output("scheduling", fmt::format("policy {} nice 5 io class 2 priority 6\n", 3 | 0x40000000));
    expect_failure("scheduling-impossible", "error setting scheduler: sched_setattr policy 6");
}

Test(limits, personality)
{
    std::string machine = sizeof(long) == 8 ? "i686" : "";
#ifdef __x86_64__
    expect_output("personality", "8 " + machine + "\n");
#else
    need(false, "x86_64, whose 32-bit name is known");
#endif
}

Test(limits, memory_policy)
{
    need(kernel::exists(kernel::working_directory, "/proc/self/numa_maps"), "a kernel with NUMA");
    expect_output("memory-policy", "mode 0x8002 nodes 0x1\n");
}

Test(limits, cpu_affinity)
{
    expect_output("affinity", "narrow 1\nwide again true\n");
}

Test(process, signals_are_reset)
{
    auto outcome = probe_process("signals");
    cr_expect(contains(outcome.output, "before fffffffffffbfeff fffffffffffbfeff"), "%s", outcome.output.c_str());
    cr_expect(contains(outcome.output, "after 0000000000000000 0000000000000000"), "%s", outcome.output.c_str());
}

Test(process, descriptors)
{
    expect_output("descriptors", "inherited true\n"
                                 "20 false 21 true marked 0 1 1\n"
                                 "onto itself 0\n"
                                 "30 false 400 false 21 true\n");
}

Test(process, a_directory_outside_of_the_root_shows, .init = root_needed)
{
    Scratch root;
    expect_output("unreachable-directory", "(unreachable)/usr\n/\n", root.path());
}

Test(process, attributes, .init = root_needed)
{
    expect_output("attributes", "dumpable 0 signal 10 subreaper 1 name brig: a name th\n"
                                "box example.org\n"
                                "session true\n");
}
