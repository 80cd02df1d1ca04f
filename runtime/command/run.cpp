#include "command/foreground.hpp"
#include "command/inherited.hpp"
#include "command/new_container.hpp"
#include "kernel/process.hpp"

#include <array>

namespace brig::command {

namespace {

constexpr std::array options = {
    bundle_option,
    config_option,
    Option{"detach", 'd', OptionType::flag, "", "return as soon as the program runs"},
    Option{"keep", 0, OptionType::flag, "", "leave the stopped container for `brig state` and `brig delete`"},
    console_socket_option,
    pid_file_option,
    pidfd_socket_option,
    preserve_fds_option,
    Option{"no-subreaper", 0, OptionType::flag, "", "do not adopt orphans of the container"},
    no_pivot_option,
    no_new_keyring_option,
};

// From here on the container exists and a failure must not leave it behind.
Result<> start_or_remove(const container::Context& context, container::Created& created)
{
    auto started = container::start(context, created);
    if (started)
        return {};
    if (auto removed = container::remove(context, created.record.id, true); !removed)
        context.log.warning(removed.error().message());
    return failure(std::move(started).error());
}

Result<int> run_detached(const container::Context& context, container::CreateRequest request)
{
    auto created = TRY(container::create(context, std::move(request)));
    TRY(start_or_remove(context, created));
    if (created.notifier)
        TRY(created.notifier->wait_until_ready(created.launched.pid, created.launched.pidfd));
    return 0;
}

Result<int> run_attached(const container::Context& context, container::CreateRequest request, bool keep)
{
    request.terminal_to_caller = true;
    auto foreground = TRY(Foreground::open());
    auto created = TRY(container::create(context, std::move(request)));
    TRY(foreground.adopt_terminal(std::move(created.launched.terminal)));
    TRY(start_or_remove(context, created));
    auto status = TRY(foreground.stay_with(created.launched.pid, created.launched.pidfd, std::move(created.notifier)));
    if (!keep) {
        // The process's own status matters more to the caller than a folder that could not be removed.
        if (auto removed = container::remove(context, created.record.id, true); !removed)
            context.log.warning(removed.error().message());
    }
    return status.as_exit_code();
}

Result<int> run(const Invocation& invocation)
{
    const Arguments& arguments = invocation.arguments;
    bool detached = arguments.flag("detach");
    TRY(check_console(detached, arguments.text("console-socket")));
    auto context = TRY(invocation.context());
    container::CreateRequest request = TRY(create_request(invocation));
    request.notify_socket = notify_socket();
    request.start_by = container::StartBy::handle;
    if (detached)
        return run_detached(context, std::move(request));
    if (!arguments.flag("no-subreaper"))
        TRY(kernel::set_child_subreaper(true));
    return run_attached(context, std::move(request), arguments.flag("keep"));
}

} // namespace

constinit const Verb run_verb = {
    .name = "run",
    .summary = "create a container and run its program",
    .usage = "[options] CONTAINER",
    .description = "The same as create and start. Stays until the program ends, passes signals on to it, removes the\n"
                   "container and exits with the program's status, or with 128 and the number of the signal that\n"
                   "killed it. With process.terminal the caller's terminal becomes the container's.",
    .example = "  brig run -b /bundles/web web",
    .options = options,
    .least_operands = 1,
    .most_operands = 1,
    .run = run,
    .needs_sealed_binary = true,
};

} // namespace brig::command
