// kernel/terminal.hpp and setup/terminal.hpp on a devpts of their own.
#include "process_probe.hpp"
#include "support/scratch.hpp"

#include <criterion/criterion.h>
#include <unistd.h>

using namespace brig;
using namespace brig::test;

Test(terminal, pair_is_sized_owned_sent_and_adopted)
{
    need(::geteuid() == 0, "root");
    Scratch root;
    expect_output("terminal",
                  "number 0 device 136 uid 1234 gid 5 size 33x99\n"
                  "terminals true true\n"
                  "sent /dev/pts/0 with 1 descriptors\n"
                  "in \"typed\\n\" out \"printed\\x0d\\n\" controlling true\n",
                  root.path());
}

Test(terminal, modes)
{
    need(::geteuid() == 0, "root");
    Scratch root;
    expect_output("terminal-modes", "onlcr true false\nraw true\nrestored true\n", root.path());
}

Test(terminal, only_a_devpts_and_its_own_multiplexer)
{
    need(::geteuid() == 0, "root");
    Scratch root;
    expect_failure("false-terminal", "is not a devpts (a terminal needs a mount of type devpts", root.path() + ",tmpfs");
    expect_failure("false-terminal", "ptmx", root.path() + ",covered-ptmx");
}

// The image makes /dev/pts a link to a devpts outside: inside of the root there is none.
Test(terminal, links_stay_inside_of_the_root)
{
    need(::geteuid() == 0, "root");
    Scratch root;
    root.directory("other/dev");
    root.link("/dev/pts", "other/dev/pts");
    auto outcome = probe_process("terminal-of", root.path("other"));
    cr_expect(contains(outcome.output, "open /dev/pts of the container"), "%s", outcome.output.c_str());
    cr_expect(outcome.status.value == 1);
}
