#include "command/new_container.hpp"

#include "command/inherited.hpp"
#include "kernel/process.hpp"

namespace brig::command {

Result<> fill_from_bundle(const Arguments& arguments, container::CreateRequest& request)
{
    std::string bundle = arguments.text("bundle");
    request.bundle = TRY(absolute_path(bundle.empty() ? "." : bundle));
    request.config_text = TRY(container::read_bundle_config(request.bundle, arguments.text("config", "config.json")));
    request.no_pivot = arguments.flag("no-pivot");
    request.no_new_keyring = arguments.flag("no-new-keyring");
    return {};
}

Result<container::CreateRequest> request_from_options(const Arguments& arguments)
{
    container::CreateRequest request;
    request.no_pivot = arguments.flag("no-pivot");
    request.no_new_keyring = arguments.flag("no-new-keyring");
    request.pid_file = TRY(absolute_path(arguments.text("pid-file")));

    auto inherited = TRY(inherited_descriptors(arguments.number("preserve-fds")));
    request.preserved_fds = inherited.count;
    request.listen_environment = std::move(inherited.environment);

    request.console_socket = TRY(connect_socket("console-socket", arguments.text("console-socket")));
    request.pidfd_socket = TRY(connect_socket("pidfd-socket", arguments.text("pidfd-socket")));
    return request;
}

Result<container::CreateRequest> create_request(const Invocation& invocation)
{
    container::CreateRequest bundle;
    TRY(fill_from_bundle(invocation.arguments, bundle));
    container::CreateRequest request = TRY(request_from_options(invocation.arguments));
    request.id = invocation.operand(0);
    request.bundle = std::move(bundle.bundle);
    request.config_text = std::move(bundle.config_text);
    return request;
}

Result<> check_console(bool detached, const std::string& console_socket)
{
    if (!detached && !console_socket.empty())
        return failure(Error(ErrorKind::invalid, "cannot use console socket if brig will not detach or allocate tty")
                           .with_hint("add --detach, or leave --console-socket out"));
    return {};
}

} // namespace brig::command
