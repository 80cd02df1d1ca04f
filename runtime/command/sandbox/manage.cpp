// The verbs about whole sandboxes: rm, list, prune, logs, stats, pause, resume.
#include "base/text.hpp"
#include "command/sandbox/client.hpp"
#include "command/sandbox/options.hpp"
#include "command/table.hpp"
#include "container/lifecycle.hpp"
#include "sandbox/registry.hpp"

#include <array>

namespace brig::command {

using sandbox::ControlKind;

namespace {

constexpr std::array json_options = {json_option};

Result<> tell_done(const Invocation& invocation, const std::string& id, std::string_view status)
{
    if (!invocation.arguments.flag("json"))
        return {};
    Json document = Json::object();
    document.set("sandbox_id", Json::string(id)).set("status", Json::string(status));
    return print(document.to_text() + "\n");
}

// Only sandboxes: a container of somebody else's is not removed by a slip.
Result<> remove_one(const Invocation& invocation, const std::string& id)
{
    auto context = TRY(invocation.context());
    auto connection = sandbox::connect_to_sandbox(context, id);
    if (connection) {
        auto client = TRY(SandboxClient::connect(invocation, id));
        auto answer = client.ask({.kind = ControlKind::remove});
        if (answer || answer.error().kind() != ErrorKind::wrong_state)
            return answer ? Result<>() : failure(std::move(answer).error());
    } else if (connection.error().kind() == ErrorKind::not_found) {
        return failure(std::move(connection).error());
    }
    for (const auto& listed : TRY(sandbox::list_sandboxes(context)))
        if (listed.container.record.id == id)
            return container::remove(context, id, true);
    return connection ? Result<>() : failure(ErrorKind::not_found, fmt::format("{} is not a sandbox", quoted(id)));
}

Result<int> remove(const Invocation& invocation)
{
    for (const auto& id : invocation.arguments.operands()) {
        TRY(remove_one(invocation, id));
        TRY(tell_done(invocation, id, "removed"));
    }
    return 0;
}

Result<int> list(const Invocation& invocation)
{
    auto context = TRY(invocation.query_context());
    auto sandboxes = TRY(sandbox::list_sandboxes(context));
    Json documents = Json::array();
    std::vector<std::vector<std::string>> rows = {{"ID", "STATUS", "KIND", "POLICY", "SUPERVISOR", "CREATED"}};
    for (const auto& listed : sandboxes) {
        Json document = sandbox::listed_document(listed);
        auto text = [&](std::string_view name) { return document.view().member(name).string(); };
        rows.push_back({text("sandbox_id"), text("status"), text("kind"),
                        document.view().member("policy").is_null() ? "-" : text("policy"), std::to_string(listed.supervisor),
                        text("created")});
        documents.append(std::move(document));
    }
    TRY(print(invocation.arguments.flag("json") ? documents.to_text() + "\n" : format_table(rows)));
    return 0;
}

Result<int> prune(const Invocation& invocation)
{
    auto context = TRY(invocation.context());
    auto removed = TRY(sandbox::prune_sandboxes(context));
    Json document = Json::object();
    document.set("removed", Json::strings(removed));
    std::string lines;
    for (const auto& id : removed)
        lines += id + "\n";
    TRY(print(invocation.arguments.flag("json") ? document.to_text() + "\n" : lines));
    return 0;
}

Result<int> logs(const Invocation& invocation)
{
    auto client = TRY(SandboxClient::connect(invocation, invocation.operand(0)));
    std::string text = TRY(client.ask_for_document({.kind = ControlKind::logs}));
    TRY(print(text + "\n"));
    return 0;
}

Result<int> stats(const Invocation& invocation)
{
    auto client = TRY(SandboxClient::connect(invocation, invocation.operand(0)));
    Json metrics = TRY(Json::parse(TRY(client.ask_for_document({.kind = ControlKind::stats}))));
    auto second = TRY(SandboxClient::connect(invocation, invocation.operand(0)));
    Json document = TRY(Json::parse(TRY(second.ask_for_document({.kind = ControlKind::describe}))));
    document.set("metrics", std::move(metrics));
    TRY(print(document.to_text(!invocation.arguments.flag("json")) + "\n"));
    return 0;
}

Result<int> pause(const Invocation& invocation)
{
    auto client = TRY(SandboxClient::connect(invocation, invocation.operand(0)));
    TRY(client.ask({.kind = ControlKind::pause}));
    TRY(tell_done(invocation, invocation.operand(0), "paused"));
    return 0;
}

Result<int> resume(const Invocation& invocation)
{
    auto client = TRY(SandboxClient::connect(invocation, invocation.operand(0)));
    TRY(client.ask({.kind = ControlKind::resume}));
    TRY(tell_done(invocation, invocation.operand(0), "running"));
    return 0;
}

} // namespace

constinit const Verb sandbox_rm_verb = {
    .name = "rm",
    .summary = "remove sandboxes",
    .usage = "[options] ID...",
    .description = "Kills whatever runs in them and removes them: no process, mount, cgroup or file of theirs is left.",
    .example = "  brig sandbox rm notebook",
    .options = json_options,
    .least_operands = 1,
    .most_operands = any_number,
    .run = remove,
};

constinit const Verb sandbox_list_verb = {
    .name = "list",
    .summary = "list the sandboxes of the state root",
    .usage = "[options]",
    .description = "An orphan is one whose supervisor is dead; its programs are dead, too.",
    .example = "  brig sandbox list --json",
    .options = json_options,
    .run = list,
    .keeps_stderr_clean = true,
};

constinit const Verb sandbox_prune_verb = {
    .name = "prune",
    .summary = "remove what is left of sandboxes without supervisor",
    .usage = "[options]",
    .description = "Prints the ids of what was removed.",
    .example = "  brig sandbox prune",
    .options = json_options,
    .run = prune,
};

constinit const Verb sandbox_logs_verb = {
    .name = "logs",
    .summary = "show the last output of all programs of a sandbox",
    .usage = "[options] ID",
    .description = "One JSON object with the last of stdout and stderr that the supervisor keeps (create --log-limit).",
    .example = "  brig sandbox logs notebook",
    .options = json_options,
    .least_operands = 1,
    .most_operands = 1,
    .run = logs,
};

constinit const Verb sandbox_stats_verb = {
    .name = "stats",
    .summary = "show what a sandbox uses",
    .usage = "[options] ID",
    .description = "What the kernel has counted since the sandbox began, its age and how long nothing has happened in it.",
    .example = "  brig sandbox stats --json notebook",
    .options = json_options,
    .least_operands = 1,
    .most_operands = 1,
    .run = stats,
};

constinit const Verb sandbox_pause_verb = {
    .name = "pause",
    .summary = "stop every process of a sandbox for a while",
    .usage = "[options] ID",
    .description = "Time limits go on meanwhile.",
    .example = "  brig sandbox pause notebook",
    .options = json_options,
    .least_operands = 1,
    .most_operands = 1,
    .run = pause,
};

constinit const Verb sandbox_resume_verb = {
    .name = "resume",
    .summary = "let a paused sandbox go on",
    .usage = "[options] ID",
    .description = "The opposite of `brig sandbox pause`.",
    .example = "  brig sandbox resume notebook",
    .options = json_options,
    .least_operands = 1,
    .most_operands = 1,
    .run = resume,
};

} // namespace brig::command
