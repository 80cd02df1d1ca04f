#include "process_probe.hpp"

#include <unistd.h>

using namespace brig::test;

Test(netlink, loopback_comes_up_when_planned)
{
    need(::geteuid() == 0, "root");
    expect_output("loopback", "not planned false\nplanned true\nagain true\n");
}

Test(netlink, refusal_is_reported)
{
    need(::geteuid() == 0, "root");
    expect_failure("loopback-without-privilege", "RTM_NEWLINK lo up: operation not permitted");
}
