#include "sandbox/outcome.hpp"

#include <criterion/criterion.h>
#include <csignal>

using namespace brig;
using namespace brig::sandbox;

namespace {

std::string text_of(const Json& document, std::string_view member)
{
    return document.view().member(member).string();
}

} // namespace

Test(outcome, exit_status_of_brig)
{
    Outcome outcome;
    outcome.exit_code = 7;
    cr_assert_eq(outcome.as_exit_status(), 7);
    outcome.reason = Reason::timeout;
    cr_assert_eq(outcome.as_exit_status(), 124);
    outcome.reason = Reason::setup_failed;
    cr_assert_eq(outcome.as_exit_status(), 125);
    outcome.reason = Reason::oom;
    outcome.exit_code = 137;
    cr_assert_eq(outcome.as_exit_status(), 137);
}

Test(outcome, document)
{
    Outcome outcome;
    outcome.sandbox_id = "s";
    outcome.reason = Reason::signaled;
    outcome.signal = SIGSEGV;
    outcome.exit_code = 139;
    outcome.execution_microseconds = 1'500'000;
    Json document = outcome_document(outcome);
    cr_assert_eq(text_of(document, "signal"), "SIGSEGV");
    cr_assert_eq(text_of(document, "error"), "SignalError");
    cr_assert_not(document.view().member("success").boolean());
    cr_assert_eq(document.view().member("execution_time").to_text(), "1.5");
    cr_assert(document.view().member("traceparent").is_null());
}

Test(outcome, streams)
{
    Json document = Json::object();
    set_stream(document, "a", {"ab\xc3", true});
    set_stream(document, "b", {"\xff", true});
    set_stream(document, "c", {"line\n", true});
    cr_assert_eq(text_of(document, "a"), "ab\n[OUTPUT TRUNCATED]");
    cr_assert_eq(text_of(document, "b"), "/w==");
    cr_assert_eq(text_of(document, "b_encoding"), "base64");
    cr_assert_eq(text_of(document, "c"), "line\n[OUTPUT TRUNCATED]");
}

Test(outcome, every_reason_has_a_name_of_its_own)
{
    std::string seen;
    for (int reason = 0; reason <= static_cast<int>(Reason::setup_failed); reason++) {
        std::string name = " " + std::string(reason_name(static_cast<Reason>(reason))) + " ";
        cr_assert_eq(seen.find(name), std::string::npos);
        seen += name;
    }
}
