#include "container/exec.hpp"
#include "base/text.hpp"
#include "command/foreground.hpp"
#include "command/inherited.hpp"
#include "command/new_container.hpp"
#include "kernel/files.hpp"

#include <array>
#include <limits>

namespace brig::command {

namespace {

constexpr size_t process_file_limit = 16 << 20;

constexpr std::array options = {
    Option{"process", 'p', OptionType::text, "FILE", "the whole process as in config.json; other options do not count then"},
    Option{"detach", 'd', OptionType::flag, "", "return as soon as the program runs"},
    Option{"tty", 't', OptionType::flag, "", "give it a terminal"},
    Option{"env", 'e', OptionType::list, "NAME=VALUE", "add to the environment of the container; may be repeated"},
    Option{"cwd", 0, OptionType::text, "DIR", "working directory, absolute"},
    Option{"user", 'u', OptionType::text, "UID[:GID]", "run as this user"},
    Option{"additional-gids", 'g', OptionType::list, "GID", "add a group; may be repeated"},
    Option{"cap", 'c', OptionType::list, "CAP_NAME", "add a capability; may be repeated"},
    Option{"no-new-privs", 0, OptionType::flag, "", "set no_new_privs"},
    Option{"apparmor", 0, OptionType::text, "PROFILE", "AppArmor profile"},
    Option{"process-label", 0, OptionType::text, "LABEL", "SELinux label"},
    Option{"cgroup", 0, OptionType::list, "[CONTROLLERS:]PATH", "run in an existing cgroup below the container's"},
    Option{"ignore-paused", 0, OptionType::flag, "", "do not refuse a paused container; the program runs when it resumes"},
    console_socket_option,
    pid_file_option,
    pidfd_socket_option,
    preserve_fds_option,
};

Result<std::vector<uint32_t>> group_ids(const std::vector<std::string>& texts)
{
    std::vector<uint32_t> ids;
    for (const auto& text : texts) {
        auto id = parse_unsigned(text);
        // The highest value means "no change" to the kernel.
        if (!id || *id >= std::numeric_limits<uint32_t>::max())
            return failure(ErrorKind::invalid, fmt::format("--additional-gids {} is not a group id", quoted(text)));
        ids.push_back(static_cast<uint32_t>(*id));
    }
    return ids;
}

std::optional<std::string> text_unless_empty(const Arguments& arguments, std::string_view name)
{
    auto text = arguments.text_if_given(name);
    return text && text->empty() ? std::nullopt : text;
}

// What the program is and what it may do.
Result<container::ExecRequest> process_request(const Invocation& invocation)
{
    const Arguments& arguments = invocation.arguments;
    container::ExecRequest request;
    std::string file = arguments.text("process");
    if (!file.empty())
        request.process_text = TRY(kernel::read_file(kernel::working_directory, file, process_file_limit));
    request.args = {arguments.operands().begin() + 1, arguments.operands().end()};
    if (!request.process_text && request.args.empty())
        return failure(Error(ErrorKind::invalid, "process args cannot be empty")
                           .with_hint("brig exec CONTAINER COMMAND, or --process FILE"));
    request.env = arguments.list("env");
    request.cwd = arguments.text("cwd");
    request.user = text_unless_empty(arguments, "user");
    request.additional_gids = TRY(group_ids(arguments.list("additional-gids")));
    request.capabilities = arguments.list("cap");
    request.apparmor_profile = text_unless_empty(arguments, "apparmor");
    request.selinux_label = text_unless_empty(arguments, "process-label");
    request.no_new_privileges = arguments.flag("no-new-privs");
    request.terminal = arguments.flag("tty");
    request.cgroups = arguments.list("cgroup");
    request.ignore_paused = arguments.flag("ignore-paused");
    return request;
}

// How it is connected with the caller.
Result<> add_connections(const Invocation& invocation, container::ExecRequest& request)
{
    const Arguments& arguments = invocation.arguments;
    request.pid_file = TRY(absolute_path(arguments.text("pid-file")));
    auto inherited = TRY(inherited_descriptors(arguments.number("preserve-fds")));
    request.preserved_fds = inherited.count;
    request.listen_environment = std::move(inherited.environment);
    request.console_socket = TRY(connect_socket("console-socket", arguments.text("console-socket")));
    request.pidfd_socket = TRY(connect_socket("pidfd-socket", arguments.text("pidfd-socket")));
    return {};
}

Result<int> exec_attached(const container::Context& context, const std::string& id, container::ExecRequest request)
{
    request.terminal_to_caller = true;
    // Before the program runs: a program that asks at once would find no size.
    if (auto size = CallerTerminal().size())
        request.console_size = spec::ConsoleSize{.height = size->rows, .width = size->columns};
    auto foreground = TRY(Foreground::open());
    auto launched = TRY(container::exec(context, id, std::move(request)));
    TRY(foreground.adopt_terminal(std::move(launched.terminal)));
    return TRY(foreground.stay_with(launched.pid, launched.pidfd)).as_exit_code();
}

Result<int> exec_in_container(const Invocation& invocation)
{
    bool detached = invocation.arguments.flag("detach");
    TRY(check_console(detached, invocation.arguments.text("console-socket")));
    auto context = TRY(invocation.context());
    container::ExecRequest request = TRY(process_request(invocation));
    TRY(add_connections(invocation, request));
    const std::string& id = invocation.operand(0);
    if (!detached)
        return exec_attached(context, id, std::move(request));
    TRY(container::exec(context, id, std::move(request)));
    return 0;
}

Result<int> run(const Invocation& invocation)
{
    return TRY_DURING("exec failed", exec_in_container(invocation));
}

} // namespace

constinit const Verb exec_verb = {
    .name = "exec",
    .summary = "run another program in a container",
    .usage = "[options] CONTAINER COMMAND [ARGUMENT...] | --process FILE [options] CONTAINER",
    .description = "Runs COMMAND in the namespaces, cgroup and limits of a running container, with its user, environment\n"
                   "and capabilities unless options say otherwise. Options end at CONTAINER. Exits with the program's\n"
                   "status, with 128 and the number of the signal that killed it, or with 255 when it cannot be run.",
    .example = "  brig exec -t -e TERM=xterm web sh -c 'ls -l /'",
    .options = options,
    .least_operands = 1,
    .most_operands = any_number,
    .run = run,
    .order = OptionOrder::before_operands,
    .needs_sealed_binary = true,
    .failure_code = 255,
};

} // namespace brig::command
