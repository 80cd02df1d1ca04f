#include "command/sandbox/options.hpp"
#include "sandbox/approval.hpp"
#include "sandbox/supervisor.hpp"

#include <array>

namespace brig::command {

namespace {

constexpr std::array options = {
    rootfs_option,  workspace_option,    artifacts_option,     env_option,   user_option,   timeout_option,
    grace_option,   memory_option,       cpus_option,          pids_option,  disk_option,   output_limit_option,
    idle_option,    lifetime_option,     log_limit_option,     json_option,  policy_option, user_namespace_option,
    network_option, allow_domain_option, allow_address_option, image_option, store_option,  best_effort_option,
    id_option,      audit_option,
};

Result<int> run(const Invocation& invocation)
{
    auto context = TRY(invocation.context());
    SandboxWish wish;
    TRY(sandbox_wish(invocation.arguments, context, wish));
    const sandbox::Request& request = wish.request;
    if (request.policy_document) {
        auto audit = TRY(sandbox::Audit::open(wish.audit));
        audit.describe(request);
        TRY(sandbox::ask_approval(*request.policy_document, sandbox::approval_request(request, nullptr, "create"), audit));
    }
    TRY(sandbox::start_supervisor(context, request, wish.audit, std::move(wish.leases)));
    Json document = Json::object();
    document.set("sandbox_id", Json::string(request.id)).set("status", Json::string("running"));
    TRY(print((invocation.arguments.flag("json") ? document.to_text() : request.id) + "\n"));
    return 0;
}

} // namespace

constinit const Verb sandbox_create_verb = {
    .name = "create",
    .summary = "make a sandbox that stays",
    .usage = "[options]",
    .description =
        "Makes a sandbox in which `brig sandbox exec` and `attach` run programs one after the other or together, and\n"
        "prints its id. A supervisor stays with it. The sandbox ends with `brig sandbox rm`, after --idle or --lifetime,\n"
        "or with its supervisor; its programs and its tmpfs files end with it.",
    .example = "  brig sandbox create --rootfs build/images/python/rootfs --idle 5m --lifetime 30m --id notebook",
    .options = options,
    .run = run,
    .needs_sealed_binary = true,
    .failure_code = 125,
};

} // namespace brig::command
