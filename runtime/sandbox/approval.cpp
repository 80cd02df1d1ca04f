#include "sandbox/approval.hpp"

#include "base/text.hpp"
#include "base/utf8.hpp"
#include "kernel/child_process.hpp"

namespace brig::sandbox {

namespace {

std::string last_line(std::string_view output)
{
    output = trim(output);
    auto begin = output.rfind('\n');
    return one_line(begin == std::string_view::npos ? output : output.substr(begin + 1));
}

std::string why_refused(const Result<kernel::SpawnOutcome>& outcome, uint64_t timeout)
{
    if (!outcome)
        return outcome.error().message();
    if (outcome->timed_out)
        return fmt::format("no answer within {} ms", timeout);
    std::string said = last_line(outcome->output);
    return said.empty() ? fmt::format("exit status {}", outcome->status.as_exit_code()) : said;
}

} // namespace

Json approval_request(const Request& request, const Program* program, std::string_view verb)
{
    Json document = Json::object();
    document.set("verb", Json::string(verb))
        .set("sandbox_id", Json::string(request.id))
        .set("policy", request.policy.empty() ? Json() : Json::string(request.policy))
        .set("root", Json::string(request.source))
        .set("workspace", request.workspace.empty() ? Json() : Json::string(request.workspace))
        .set("artifacts", request.artifacts.empty() ? Json() : Json::string(request.artifacts))
        .set("traceparent", request.traceparent.empty() ? Json() : Json::string(request.traceparent));
    if (program == nullptr)
        return document;
    document.set("program", Json::string(program->programs[0])).set("arguments", Json::strings(program->arguments));
    if (program->code)
        document.set("code", Json::string(is_utf8(*program->code) ? *program->code : "base64:" + base64(*program->code)));
    return document;
}

Result<> ask_approval(const policy::Policy& policy, const Json& request, const Audit& audit)
{
    if (!policy.approval)
        return {};
    kernel::SpawnRequest spawn;
    spawn.path = policy.approval->command.at(0);
    spawn.args = policy.approval->command;
    spawn.environment = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
    spawn.input = request.to_text() + "\n";
    spawn.timeout_milliseconds = static_cast<int64_t>(policy.approval->timeout_ms);
    auto outcome = kernel::run_program(spawn);
    bool approved = outcome && !outcome->timed_out && !outcome->status.signaled && outcome->status.value == 0;
    std::string why = approved ? "" : why_refused(outcome, policy.approval->timeout_ms);
    Json details = Json::object();
    details.set("request", Json::copy_of(request.view()));
    if (!approved)
        details.set("why", Json::string(why));
    TRY(audit.write(approved ? "approved" : "refused", std::move(details)));
    if (approved)
        return {};
    return failure(Error(ErrorKind::refused, fmt::format("the approval command {} refused: {}", quoted(spawn.path), why)));
}

} // namespace brig::sandbox
