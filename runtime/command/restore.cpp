#include "command/criu_options.hpp"
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
    image_path_option,
    work_path_option,
    Option{"detach", 'd', OptionType::flag, "", "return as soon as the container runs"},
    console_socket_option,
    pid_file_option,
    pidfd_socket_option,
    Option{"no-subreaper", 0, OptionType::flag, "", "do not adopt orphans of the container"},
    Option{"no-pivot", 0, OptionType::flag, "", "accepted: CRIU makes the mounts"},
    no_new_keyring_option,
    tcp_established_option,
    ext_unix_sk_option,
    shell_job_option,
    file_locks_option,
    lazy_pages_option,
    auto_dedup_option,
    manage_cgroups_mode_option,
    empty_ns_option,
    Option{"lsm-profile", 0, OptionType::text, "TYPE:NAME", "another AppArmor profile or SELinux label for the processes"},
    Option{"lsm-mount-context", 0, OptionType::text, "LABEL", "another SELinux label for the mounts"},
};

Result<container::RestoreRequest> restore_request(const Invocation& invocation)
{
    const Arguments& arguments = invocation.arguments;
    container::RestoreRequest request;
    request.create.id = invocation.operand(0);
    TRY(fill_from_bundle(arguments, request.create));
    request.create.pid_file = TRY(absolute_path(arguments.text("pid-file")));
    request.create.console_socket = TRY(connect_socket("console-socket", arguments.text("console-socket")));
    request.create.pidfd_socket = TRY(connect_socket("pidfd-socket", arguments.text("pidfd-socket")));
    request.settings = TRY(criu_settings(invocation));
    request.lsm_profile = arguments.text("lsm-profile");
    request.lsm_mount_context = arguments.text("lsm-mount-context");
    return request;
}

Result<int> restore_attached(const container::Context& context, container::RestoreRequest request)
{
    request.create.terminal_to_caller = true;
    auto foreground = TRY(Foreground::open());
    auto restored = TRY(container::restore(context, request));
    TRY(foreground.adopt_terminal(std::move(restored.terminal)));
    auto status = TRY(foreground.stay_with(restored.pid, restored.pidfd));
    if (auto removed = container::remove(context, restored.record.id, true); !removed)
        context.log.warning(removed.error().message());
    return status.as_exit_code();
}

Result<int> run(const Invocation& invocation)
{
    const Arguments& arguments = invocation.arguments;
    bool detached = arguments.flag("detach");
    TRY(check_console(detached, arguments.text("console-socket")));
    auto context = TRY(invocation.context());
    if (context.rootless)
        context.log.warning("brig restore: CRIU needs the host's root");
    container::RestoreRequest request = TRY(restore_request(invocation));
    if (detached) {
        TRY(container::restore(context, request));
        return 0;
    }
    if (!arguments.flag("no-subreaper"))
        TRY(kernel::set_child_subreaper(true));
    return restore_attached(context, std::move(request));
}

} // namespace

constinit const Verb restore_verb = {
    .name = "restore",
    .summary = "bring a saved container back",
    .usage = "[options] CONTAINER",
    .description = "Makes a container from a bundle and the images of `brig checkpoint`; its processes go on where they\n"
                   "were. Stays until the first of them ends, as `brig run` does, unless --detach is given. The standard\n"
                   "streams are those of this call. Needs the program criu.",
    .example = "  brig restore -d -b /bundles/web --image-path /var/lib/checkpoints/web web",
    .options = options,
    .least_operands = 1,
    .most_operands = 1,
    .run = run,
};

} // namespace brig::command
