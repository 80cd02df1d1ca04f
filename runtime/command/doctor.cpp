#include "command/verb.hpp"

#include "base/text.hpp"
#include "command/table.hpp"
#include "doctor/host_report.hpp"
#include "doctor/host_view.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace brig::command {

namespace {

constexpr std::array options = {Option{"json", 0, OptionType::flag, "", "show JSON"}};

Json document_of(const std::vector<doctor::Line>& lines, bool usable)
{
    Json rows = Json::array();
    for (const auto& line : lines) {
        Json row = Json::object();
        row.set("section", Json::string(line.section)).set("name", Json::string(line.name));
        row.set("state", Json::string(doctor::state_word(line.state))).set("detail", Json::string(line.detail));
        row.set("remedy", line.remedy.empty() ? Json() : Json::string(line.remedy));
        rows.append(std::move(row));
    }
    Json document = Json::object();
    document.set("usable", Json::boolean(usable)).set("checks", std::move(rows));
    return document;
}

std::string text_of(const std::vector<doctor::Line>& lines)
{
    std::vector<std::vector<std::string>> table = {{"SECTION", "WHAT", "STATE", "DETAIL"}};
    for (const auto& line : lines) {
        table.push_back({line.section, line.name, std::string(doctor::state_word(line.state)), one_line(line.detail)});
        if (!line.remedy.empty())
            table.push_back({"", "", "", "  remedy: " + line.remedy});
    }
    return format_table(table);
}

Result<int> run(const Invocation& invocation)
{
    const char* search_path = std::getenv("PATH");
    auto view = TRY(doctor::read_host_view(search_path ? search_path : "/usr/sbin:/usr/bin:/sbin:/bin"));
    auto lines = doctor::host_report(view);
    bool usable = std::ranges::none_of(lines, [](const auto& line) { return line.state == doctor::State::missing; });
    TRY(print(invocation.arguments.flag("json") ? document_of(lines, usable).to_text(true) + "\n" : text_of(lines)));
    return usable ? 0 : 1;
}

} // namespace

constinit const Verb doctor_verb = {
    .name = "doctor",
    .summary = "show what isolation this host can give",
    .usage = "[--json]",
    .description = "Looks at the kernel, its cgroups, users, security modules, file systems and engines, and says what a gap\n"
                   "takes away and how to close it. Changes nothing. The exit status is 1 when brig cannot work here.",
    .example = "  brig doctor\n  brig doctor --json | jq '.checks[] | select(.state != \"ok\")'",
    .options = options,
    .run = run,
};

} // namespace brig::command
