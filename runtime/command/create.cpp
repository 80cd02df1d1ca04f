#include "command/inherited.hpp"
#include "command/new_container.hpp"

#include <array>

namespace brig::command {

namespace {

constexpr std::array options = {
    bundle_option,
    config_option,
    console_socket_option,
    pid_file_option,
    pidfd_socket_option,
    preserve_fds_option,
    no_pivot_option,
    no_new_keyring_option,
    Option{"detach", 'd', OptionType::flag, "", ""}, // containerd may send it: create always detaches
    Option{"no-subreaper", 0, OptionType::flag, "", ""},
};

Result<int> run(const Invocation& invocation)
{
    auto context = TRY(invocation.context());
    container::CreateRequest request = TRY(create_request(invocation));
    request.notify_socket = notify_socket();
    request.start_by = container::StartBy::socket;
    TRY(container::create(context, std::move(request)));
    return 0;
}

} // namespace

constinit const Verb create_verb = {
    .name = "create",
    .summary = "create a container from a bundle",
    .usage = "[options] CONTAINER",
    .description = "Builds the container up to the point where its program would run; `brig start` runs it.\n"
                   "CONTAINER is a new name: letters, digits and the characters _ + - and dot.",
    .example = "  brig create -b /bundles/web --pid-file /run/web.pid web",
    .options = options,
    .least_operands = 1,
    .most_operands = 1,
    .run = run,
    .needs_sealed_binary = true,
};

} // namespace brig::command
