#include "command/verb.hpp"

#include "base/text.hpp"
#include "command/table.hpp"
#include "command/user_names.hpp"
#include "container/lifecycle.hpp"

#include <array>

namespace brig::command {

namespace {

constexpr std::array options = {
    Option{"format", 'f', OptionType::text, "FORMAT", "table or json (default: table)"},
    Option{"quiet", 'q', OptionType::flag, "", "only the ids"},
};

using States = std::vector<container::ContainerState>;

std::string owner_of(const container::ContainerState& found, const UserNames& names)
{
    std::string name = names.find(found.record.owner_uid);
    return name.empty() ? fmt::format("#{}", found.record.owner_uid) : name;
}

std::string ids_of(const States& states)
{
    std::string text;
    for (const auto& found : states)
        text += found.record.id + "\n";
    return text;
}

std::string json_of(const States& states)
{
    auto names = UserNames::of_host();
    Json list = Json::array();
    for (const auto& found : states)
        list.append(container::state_document(found.record, found.status, owner_of(found, names)));
    return list.to_text() + "\n";
}

std::string table_of(const States& states)
{
    auto names = UserNames::of_host();
    std::vector<std::vector<std::string>> rows = {{"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"}};
    for (const auto& found : states) {
        pid_t pid = found.status == container::Status::stopped ? 0 : found.record.pid;
        rows.push_back({found.record.id, fmt::format("{}", pid), std::string(container::status_name(found.status)),
                        one_line(found.record.bundle), found.record.created, owner_of(found, names)});
    }
    return format_table(rows);
}

Result<int> run(const Invocation& invocation)
{
    std::string format = invocation.arguments.text("format", "table");
    if (format != "table" && format != "json")
        return failure(
            Error(ErrorKind::invalid, fmt::format("invalid format option {}", quoted(format))).with_hint("table or json"));
    auto context = TRY(invocation.query_context());
    States states = TRY(container::list(context));
    if (invocation.arguments.flag("quiet"))
        TRY(print(ids_of(states)));
    else
        TRY(print(format == "json" ? json_of(states) : table_of(states)));
    return 0;
}

} // namespace

constinit const Verb list_verb = {
    .name = "list",
    .summary = "list the containers of the state root",
    .usage = "[options]",
    .description = "Lists brig's containers below --root. Folders of other runtimes there are passed over.",
    .example = "  brig --root /run/docker/runtime-brig/moby list",
    .options = options,
    .run = run,
    .keeps_stderr_clean = true,
};

} // namespace brig::command
