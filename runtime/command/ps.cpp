#include "command/verb.hpp"

#include "base/text.hpp"
#include "container/lifecycle.hpp"
#include "kernel/program_output.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace brig::command {

namespace {

constexpr size_t output_limit = 64 << 20;

constexpr std::array options = {
    Option{"format", 'f', OptionType::text, "FORMAT", "table or json (default: table)"},
};

std::string json_of(const std::vector<pid_t>& pids)
{
    Json list = Json::array();
    for (pid_t pid : pids)
        list.append(Json::number(pid));
    return list.to_text() + "\n";
}

Result<std::string> output_of_ps(const std::vector<std::string>& options_of_ps)
{
    const char* search_path = std::getenv("PATH");
    std::string program = TRY(kernel::find_program("ps", search_path ? search_path : "/usr/local/bin:/usr/bin:/bin"));
    std::vector<std::string> args = {"ps"};
    args.insert(args.end(), options_of_ps.begin(), options_of_ps.end());
    if (options_of_ps.empty())
        args.emplace_back("-ef");
    auto result = TRY(kernel::read_program_output(program, args, {"LC_ALL=C", "COLUMNS=512"}, output_limit));
    if (result.status.as_exit_code() != 0)
        return failure(ErrorKind::invalid,
                       fmt::format("{} ended with status {}", one_line(join(args, " ")), result.status.as_exit_code()));
    return std::move(result.output);
}

// The rows of ps whose column PID names one of the container's processes.
Result<std::string> table_of(const std::vector<pid_t>& pids, std::string_view listing)
{
    auto lines = split(listing, '\n');
    auto titles = words_of(lines.front());
    auto column = std::find(titles.begin(), titles.end(), "PID") - titles.begin();
    if (static_cast<size_t>(column) == titles.size())
        return failure(Error(ErrorKind::invalid, "couldn't find PID field in ps output")
                           .with_hint("the options for ps must keep the column PID"));
    std::string table = fmt::format("{}\n", lines.front());
    for (auto line : std::span(lines).subspan(1)) {
        auto fields = words_of(line);
        if (fields.size() <= static_cast<size_t>(column))
            continue;
        auto pid = parse_integer(fields[static_cast<size_t>(column)]);
        if (pid && std::find(pids.begin(), pids.end(), static_cast<pid_t>(*pid)) != pids.end())
            table += fmt::format("{}\n", line);
    }
    return table;
}

Result<int> run(const Invocation& invocation)
{
    const auto& operands = invocation.arguments.operands();
    std::string format = invocation.arguments.text("format", "table");
    if (format != "table" && format != "json")
        return failure(
            Error(ErrorKind::invalid, fmt::format("invalid format option {}", quoted(format))).with_hint("table or json"));
    auto context = TRY(invocation.query_context());
    auto pids = TRY(container::processes(context, operands[0]));
    if (format == "json") {
        TRY(print(json_of(pids)));
        return 0;
    }
    std::string listing = TRY(output_of_ps({operands.begin() + 1, operands.end()}));
    TRY(print(TRY(table_of(pids, listing))));
    return 0;
}

} // namespace

constinit const Verb ps_verb = {
    .name = "ps",
    .summary = "list the processes of a container",
    .usage = "[options] CONTAINER [options for ps]",
    .description = "Prints the rows of ps(1), called with -ef or with the options given, that belong to the container;\n"
                   "with --format json the process ids as an array.",
    .example = "  brig ps web -o pid,rss,args",
    .options = options,
    .least_operands = 1,
    .most_operands = any_number,
    .run = run,
    .order = OptionOrder::before_operands,
    .keeps_stderr_clean = true,
};

} // namespace brig::command
