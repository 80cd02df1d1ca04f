// put, get and ls: files of a sandbox's workspace. The supervisor opens them; only bytes are moved here.
#include "kernel/files.hpp"
#include "base/text.hpp"
#include "command/sandbox/client.hpp"
#include "command/sandbox/options.hpp"
#include "command/table.hpp"

#include <array>

namespace brig::command {

using sandbox::ControlKind;

namespace {

constexpr std::array json_options = {json_option};

Result<> copy_until_end(FdRef from, FdRef to, uint64_t& bytes)
{
    constexpr size_t piece = 1 << 16;
    while (true) {
        std::string data = TRY(kernel::read_some(from, piece));
        if (data.empty())
            return {};
        TRY(kernel::write_all(to, data));
        bytes += data.size();
    }
}

Result<> tell_moved(const Invocation& invocation, std::string_view path, uint64_t size)
{
    if (!invocation.arguments.flag("json"))
        return {};
    Json document = Json::object();
    document.set("sandbox_id", Json::string(invocation.operand(0)))
        .set("path", Json::string(path))
        .set("size", Json::unsigned_number(size));
    return print(document.to_text() + "\n");
}

Result<int> put(const Invocation& invocation)
{
    const std::string& source = invocation.operand(1);
    Fd opened;
    if (source != "-")
        opened = TRY(kernel::open_at(kernel::working_directory, source, O_RDONLY | O_NOCTTY));
    std::string path = invocation.arguments.operands().size() > 2 ? invocation.operand(2) : std::string(base_name(source));
    auto client = TRY(SandboxClient::connect(invocation, invocation.operand(0)));
    auto answer = TRY(client.ask({.kind = ControlKind::write_file, .text = path}));
    if (answer.fds.empty())
        return failure(ErrorKind::internal, "the supervisor gave no file");
    uint64_t size = 0;
    TRY_DURING("copy into the sandbox", copy_until_end(opened ? FdRef(opened) : FdRef(0), answer.fds[0], size));
    TRY(client.ask({.kind = ControlKind::commit}));
    TRY(tell_moved(invocation, path, size));
    return 0;
}

Result<int> get(const Invocation& invocation)
{
    const std::string& path = invocation.operand(1);
    std::string target = invocation.arguments.operands().size() > 2 ? invocation.operand(2) : "-";
    if (target == "-" && invocation.arguments.flag("json"))
        return failure(Error(ErrorKind::invalid, "--json and the file cannot both go to stdout").with_hint("name a file"));
    auto client = TRY(SandboxClient::connect(invocation, invocation.operand(0)));
    auto answer = TRY(client.ask({.kind = ControlKind::read_file, .text = path}));
    if (answer.fds.empty())
        return failure(ErrorKind::internal, "the supervisor gave no file");
    Fd opened;
    if (target != "-")
        opened = TRY(kernel::open_at(kernel::working_directory, target, O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY, 0644));
    uint64_t size = 0;
    TRY_DURING("copy out of the sandbox", copy_until_end(answer.fds[0], opened ? FdRef(opened) : FdRef(1), size));
    TRY(tell_moved(invocation, path, size));
    return 0;
}

Result<int> list(const Invocation& invocation)
{
    std::string path = invocation.arguments.operands().size() > 1 ? invocation.operand(1) : "";
    auto client = TRY(SandboxClient::connect(invocation, invocation.operand(0)));
    std::string text = TRY(client.ask_for_document({.kind = ControlKind::list_files, .text = path}));
    if (invocation.arguments.flag("json")) {
        TRY(print(text + "\n"));
        return 0;
    }
    Json document = TRY(Json::parse(text));
    std::vector<std::vector<std::string>> rows = {{"TYPE", "SIZE", "NAME"}};
    for (size_t index = 0; index < document.view().size(); index++) {
        auto entry = document.view().at(index);
        rows.push_back({entry.member("type").string(), std::to_string(TRY(entry.member("size").signed_integer())),
                        one_line(entry.member("name").string())});
    }
    TRY(print(format_table(rows)));
    return 0;
}

} // namespace

constinit const Verb sandbox_put_verb = {
    .name = "put",
    .summary = "copy a file into the workspace of a sandbox",
    .usage = "[options] ID FILE|- [PATH]",
    .description =
        "PATH is relative to /workspace; without it the file keeps its name. It appears whole or not at all, belongs to\n"
        "the sandbox's user, and never lies outside of the workspace, whatever links programs put there.",
    .example = "  brig sandbox put notebook data.csv input/data.csv",
    .options = json_options,
    .least_operands = 2,
    .most_operands = 3,
    .run = put,
};

constinit const Verb sandbox_get_verb = {
    .name = "get",
    .summary = "copy a file out of the workspace of a sandbox",
    .usage = "[options] ID PATH [FILE|-]",
    .description = "PATH is relative to /workspace. Only regular files are read, and links are not followed. Without FILE the\n"
                   "content goes to stdout.",
    .example = "  brig sandbox get notebook result.json result.json",
    .options = json_options,
    .least_operands = 2,
    .most_operands = 3,
    .run = get,
};

constinit const Verb sandbox_ls_verb = {
    .name = "ls",
    .summary = "list files of the workspace of a sandbox",
    .usage = "[options] ID [PATH]",
    .description = "PATH is relative to /workspace.",
    .example = "  brig sandbox ls --json notebook input",
    .options = json_options,
    .least_operands = 1,
    .most_operands = 2,
    .run = list,
};

} // namespace brig::command
