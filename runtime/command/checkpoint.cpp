#include "command/criu_options.hpp"

#include "base/text.hpp"
#include "kernel/events.hpp"

#include <array>
#include <limits>

namespace brig::command {

namespace {

constexpr std::array options = {
    image_path_option,
    work_path_option,
    Option{"parent-path", 0, OptionType::text, "DIR", "images of the pre-dump before this one, relative to --image-path"},
    Option{"leave-running", 0, OptionType::flag, "", "let the container go on, and keep it"},
    Option{"pre-dump", 0, OptionType::flag, "", "save the memory only; the container goes on"},
    tcp_established_option,
    Option{"tcp-skip-in-flight", 0, OptionType::flag, "", "leave out TCP connections that are being made"},
    ext_unix_sk_option,
    shell_job_option,
    file_locks_option,
    Option{"link-remap", 0, OptionType::flag, "", "allow files that are open but removed by name"},
    lazy_pages_option,
    Option{"page-server", 0, OptionType::text, "ADDRESS:PORT", "send the memory there, or with --lazy-pages serve it there"},
    Option{"status-fd", 0, OptionType::text, "N", "write a zero byte to this descriptor when --lazy-pages is ready"},
    auto_dedup_option,
    manage_cgroups_mode_option,
    empty_ns_option,
};

// ADDRESS:PORT or [ADDRESS]:PORT.
Result<> set_page_server(container::CheckpointRequest& request, const std::string& text)
{
    if (text.empty())
        return {};
    auto colon = text.rfind(':');
    auto wrong = [&] {
        return failure(Error(ErrorKind::invalid, "Use --page-server ADDRESS:PORT to specify page server")
                           .with_hint(fmt::format("not {}; an IPv6 address stands in brackets", quoted(text))));
    };
    if (colon == std::string::npos)
        return wrong();
    std::string address = text.substr(0, colon);
    if (address.size() > 2 && address.front() == '[' && address.back() == ']')
        address = address.substr(1, address.size() - 2);
    else if (address.find(':') != std::string::npos)
        return wrong();
    auto port = parse_unsigned(std::string_view(text).substr(colon + 1));
    if (address.empty() || !port || *port == 0 || *port > std::numeric_limits<uint16_t>::max())
        return wrong();
    request.page_server_address = std::move(address);
    request.page_server_port = static_cast<uint16_t>(*port);
    return {};
}

Result<Fd> status_descriptor(const std::string& text)
{
    if (text.empty() || text == "-1")
        return Fd();
    auto number = parse_unsigned(text);
    if (!number || *number > 1 << 20 || !kernel::is_inherited(FdRef(static_cast<int>(*number))))
        return failure(ErrorKind::invalid, fmt::format("invalid --status-fd argument {}: it is not open", quoted(text)));
    return Fd(static_cast<int>(*number));
}

Result<int> run(const Invocation& invocation)
{
    const Arguments& arguments = invocation.arguments;
    container::CheckpointRequest request;
    TRY(set_page_server(request, arguments.text("page-server")));
    request.status_fd = TRY(status_descriptor(arguments.text("status-fd")));
    request.settings = TRY(criu_settings(invocation));
    std::string parent = arguments.text("parent-path");
    if (parent.starts_with("/"))
        return failure(ErrorKind::invalid, "--parent-path must be relative");
    request.parent_path = std::move(parent);
    request.leave_running = arguments.flag("leave-running");
    request.pre_dump = arguments.flag("pre-dump");
    request.tcp_skip_in_flight = arguments.flag("tcp-skip-in-flight");
    request.link_remap = arguments.flag("link-remap");
    auto context = TRY(invocation.context());
    if (context.rootless)
        context.log.warning("brig checkpoint: CRIU needs the host's root");
    TRY(container::checkpoint(context, invocation.operand(0), request));
    return 0;
}

} // namespace

constinit const Verb checkpoint_verb = {
    .name = "checkpoint",
    .summary = "save a running container to files",
    .usage = "[options] CONTAINER",
    .description = "Saves the processes of a running or paused container with CRIU, then deletes the container unless\n"
                   "--leave-running or --pre-dump is given; `brig restore` brings it back. Needs the program criu.",
    .example = "  brig checkpoint --image-path /var/lib/checkpoints/web web",
    .options = options,
    .least_operands = 1,
    .most_operands = 1,
    .run = run,
};

} // namespace brig::command
