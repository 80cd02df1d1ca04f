#include "sandbox/end_reason.hpp"

#include <criterion/criterion.h>
#include <csignal>

using namespace brig::sandbox;

namespace {

EndFacts exited(int code)
{
    return {.status = {false, code}};
}

EndFacts killed(int signal)
{
    return {.status = {true, signal}};
}

} // namespace

Test(end_reason, plain_ends)
{
    cr_assert_eq(end_reason(exited(0)), Reason::exited);
    cr_assert_eq(end_reason(exited(1)), Reason::exited);
    cr_assert_eq(end_reason(killed(SIGSEGV)), Reason::signaled);
}

Test(end_reason, what_the_supervisor_did_comes_first)
{
    EndFacts facts = exited(0);
    facts.decided = Reason::timeout;
    facts.oom_kills = 1;
    cr_assert_eq(end_reason(facts), Reason::timeout);
}

Test(end_reason, a_limit_is_the_reason_only_of_a_failure)
{
    for (auto status : {exited(0), exited(1), killed(SIGKILL)}) {
        bool failed = status.status.value != 0;
        EndFacts facts = status;
        facts.oom_kills = 1;
        cr_assert_eq(end_reason(facts), failed ? Reason::oom : Reason::exited);
    }
    EndFacts full = exited(1);
    full.disk_full = true;
    full.pids_refusals = 2;
    cr_assert_eq(end_reason(full), Reason::disk_limit);
    full.disk_full = false;
    cr_assert_eq(end_reason(full), Reason::pids_limit);
    EndFacts crashed = killed(SIGSEGV);
    crashed.oom_kills = 1;
    cr_assert_eq(end_reason(crashed), Reason::signaled);
}

Test(end_reason, words)
{
    Request request;
    cr_assert_eq(end_message(Reason::exited, request, 0, {}), "");
    cr_assert_eq(end_message(Reason::timeout, request, 1500, {}), "ended after 1.5 s, its time limit");
}
