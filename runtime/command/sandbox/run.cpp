#include "base/text.hpp"
#include "command/sandbox/options.hpp"
#include "sandbox/approval.hpp"
#include "sandbox/one_shot.hpp"

#include <array>

namespace brig::command {

namespace {

constexpr std::array options = {
    rootfs_option,       workspace_option,     artifacts_option, env_option,    user_option,           timeout_option,
    grace_option,        memory_option,        cpus_option,      pids_option,   disk_option,           output_limit_option,
    language_option,     code_option,          stdin_option,     policy_option, user_namespace_option, network_option,
    allow_domain_option, allow_address_option, image_option,     store_option,  best_effort_option,    json_option,
    id_option,           audit_option,
};

sandbox::Outcome not_begun(const sandbox::Request& request, const Error& error)
{
    sandbox::Outcome outcome;
    outcome.sandbox_id = request.id;
    outcome.traceparent = request.traceparent;
    outcome.reason = error.kind() == ErrorKind::refused ? sandbox::Reason::refused : sandbox::Reason::setup_failed;
    outcome.exit_code = -1;
    outcome.message = error.message();
    return outcome;
}

Result<int> tell(const Invocation& invocation, const sandbox::Outcome& outcome, bool json)
{
    if (json)
        TRY(print(sandbox::outcome_document(outcome).to_text() + "\n"));
    else if (outcome.reason != sandbox::Reason::exited)
        invocation.log.write(LogLevel::error, fmt::format("sandbox {}: {}: {}", outcome.sandbox_id,
                                                          sandbox::reason_name(outcome.reason), one_line(outcome.message)));
    return outcome.as_exit_status();
}

Result<sandbox::Outcome> run_wish(const container::Context& context, SandboxWish& wish, sandbox::Program program,
                                  const sandbox::CallerStreams& streams)
{
    auto audit = TRY(sandbox::Audit::open(wish.audit));
    audit.describe(wish.request);
    if (wish.request.policy_document)
        TRY(sandbox::ask_approval(*wish.request.policy_document, sandbox::approval_request(wish.request, &program, "run"),
                                  audit));
    return sandbox::run_once(context, wish.request, std::move(program), std::move(audit), streams, wish.leases.ids);
}

Result<int> run(const Invocation& invocation)
{
    const Arguments& arguments = invocation.arguments;
    bool json = arguments.flag("json");
    auto context = TRY(invocation.context());
    sandbox::Program program = TRY(sandbox_program(arguments, 0));
    SandboxWish wish;
    if (auto refused = sandbox_wish(arguments, context, wish); !refused && refused.error().kind() == ErrorKind::refused)
        return tell(invocation, not_begun(wish.request, refused.error()), json);
    else
        TRY(std::move(refused));
    sandbox::CallerStreams streams;
    if (arguments.flag("stdin"))
        streams.input = FdRef(0);
    if (!json) {
        streams.output = FdRef(1);
        streams.error = FdRef(2);
    }
    auto outcome = run_wish(context, wish, std::move(program), streams);
    return tell(invocation, outcome ? *outcome : not_begun(wish.request, outcome.error()), json);
}

} // namespace

constinit const Verb sandbox_run_verb = {
    .name = "run",
    .summary = "run one program in a new sandbox",
    .usage = "[options] -- COMMAND [ARGUMENT...] | --language LANGUAGE --code FILE [options] [-- ARGUMENT...]",
    .description = "Makes a sandbox, runs the program, and removes the sandbox. The program has no network, no privileges and\n"
                   "no more of memory, processors, processes, disk, time and output than the options say. Exits with the\n"
                   "program's status; with 124 past the time, 125 when the sandbox could not be made, 126 when it was\n"
                   "refused, 137 when it was killed.",
    .example = "  brig sandbox run --rootfs build/images/python/rootfs --timeout 5 --json -- python3 -c 'print(1)'",
    .options = options,
    .most_operands = any_number,
    .run = run,
    .order = OptionOrder::before_operands,
    .needs_sealed_binary = true,
    .failure_code = 125,
};

} // namespace brig::command
