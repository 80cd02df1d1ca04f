#include "base/text.hpp"
#include "command/default_image.hpp"
#include "command/foreground.hpp"
#include "command/image_options.hpp"
#include "command/inherited.hpp"
#include "command/new_container.hpp"
#include "container/policy_files.hpp"
#include "kernel/files.hpp"
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
    Option{"image", 0, OptionType::text, "IMAGE", "run an image of the store instead of a bundle; the operands are its arguments",
           true},
    Option{"id", 0, OptionType::text, "CONTAINER", "name of the container of an image (default: made up)"},
    Option{"tty", 't', OptionType::flag, "", "with --image: give it a terminal"},
    Option{"env", 'e', OptionType::list, "NAME=VALUE", "with --image: add to its environment; may be repeated"},
    Option{"user", 'u', OptionType::text, "USER[:GROUP]", "with --image: run as this user, a name of the image or a number"},
    Option{"cwd", 0, OptionType::text, "DIR", "with --image: working directory"},
    Option{"entrypoint", 0, OptionType::text, "FILE", "with --image: run this instead of the image's entry point"},
    Option{"read-only", 0, OptionType::flag, "", "with --image: nothing can be written outside of volumes and mounts"},
    Option{"upper-size", 0, OptionType::text, "SIZE",
           "with --image: how much can be written to its files, all kept in memory (default: 1g)"},
    Option{"no-seccomp", 0, OptionType::flag, "",
           "with --image: leave out the filter of system calls (policies/seccomp/default.json, as Docker's)"},
    store_option,
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

// ---- an image instead of a bundle --------------------------------------------------------------------------------------

// Eight digits that nobody else has just now.
Result<std::string> new_id(std::string_view image)
{
    std::string random = TRY(kernel::read_some(TRY(kernel::open_at(kernel::working_directory, "/dev/urandom", O_RDONLY)), 4));
    std::string name;
    for (char letter : base_name(image.substr(0, image.find('@'))))
        name += std::string_view(":@").find(letter) == std::string_view::npos ? letter : '-';
    std::string digits;
    for (char byte : random)
        digits += fmt::format("{:02x}", static_cast<unsigned char>(byte));
    return name + "-" + digits;
}

Result<> check_sizes(const std::string& size)
{
    // tmpfs takes a percentage, too.
    bool fine = !size.empty() && size.find_first_not_of("0123456789kmgtpeKMGTPE%") == std::string::npos && size.front() <= '9';
    if (fine)
        return {};
    return failure(
        Error(ErrorKind::invalid, fmt::format("--upper-size {} is not a size", quoted(size))).with_hint("512m, 2g or 10%"));
}

// What engines give every container. A program that is not installed finds none, which is said and no reason not to run.
Result<> add_default_filter(Json& spec, const container::Context& context)
{
    auto profile = container::PolicyFiles(context.policy_folders()).profile("default");
    if (!profile && profile.error().kind() == ErrorKind::not_found) {
        context.log.warning("its system calls are not filtered: " + profile.error().message());
        return {};
    }
    Json section = Json::copy_of(spec.view().member("linux"));
    section.set("seccomp", TRY(std::move(profile)));
    spec.set("linux", std::move(section));
    return {};
}

Result<container::CreateRequest> image_request(const Invocation& invocation, const container::Context& context)
{
    const Arguments& arguments = invocation.arguments;
    for (std::string_view other : {"bundle", "config"})
        if (arguments.text_if_given(other))
            return failure(Error(ErrorKind::invalid, fmt::format("--image and --{} exclude each other", other))
                               .with_hint("`brig image bundle` makes a bundle of an image"));
    std::string name = arguments.text("image");
    std::string size = arguments.text("upper-size", "1g");
    TRY(check_sizes(size));
    image::Store store = TRY(image::Store::open(TRY(store_root(arguments))));
    image::Image image = TRY(find_or_build_image(store, name, context.log));
    image::SpecRequest request;
    request.process = process_of_options(arguments, arguments.operands());
    request.upper.tmpfs_size = size;
    request.read_only = arguments.flag("read-only");
    request.rootless = context.rootless;
    Json spec = TRY_DURING("image " + quoted(name), image::make_spec(image, store.attributes(), request));
    if (!arguments.flag("no-seccomp"))
        TRY(add_default_filter(spec, context));
    container::CreateRequest create = TRY(request_from_options(arguments));
    create.id = arguments.text("id");
    if (create.id.empty())
        create.id = TRY(new_id(name));
    create.bundle = image::bundle_of_store(store);
    create.config_text = spec.to_text();
    return create;
}

Result<> check_bundle_options(const Arguments& arguments)
{
    for (std::string_view name :
         {"id", "tty", "env", "user", "cwd", "entrypoint", "read-only", "upper-size", "no-seccomp", "store"})
        if (arguments.is_given(name))
            return failure(
                Error(ErrorKind::invalid, fmt::format("--{} is for --image", name)).with_hint("a bundle's config.json says it"));
    if (arguments.operands().size() == 1)
        return {};
    return failure(Error(ErrorKind::invalid, "\"run\" requires exactly 1 argument(s)")
                       .with_hint("usage: brig run [options] CONTAINER, or brig run --image IMAGE [options] [ARGUMENTS]"));
}

Result<container::CreateRequest> run_request(const Invocation& invocation, const container::Context& context)
{
    if (invocation.arguments.is_given("image"))
        return image_request(invocation, context);
    TRY(check_bundle_options(invocation.arguments));
    return create_request(invocation);
}

Result<int> run(const Invocation& invocation)
{
    const Arguments& arguments = invocation.arguments;
    bool detached = arguments.flag("detach");
    TRY(check_console(detached, arguments.text("console-socket")));
    auto context = TRY(invocation.context());
    container::CreateRequest request = TRY(run_request(invocation, context));
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
    .usage = "[options] CONTAINER\n       brig run --image IMAGE [options] [--] [ARGUMENTS]",
    .description = "The same as create and start. Stays until the program ends, passes signals on to it, removes the\n"
                   "container and exits with the program's status, or with 128 and the number of the signal that\n"
                   "killed it. With process.terminal the caller's terminal becomes the container's.\n"
                   "With --image the container is made of an image that `brig image import` put into the store: what\n"
                   "it writes to its files is kept in memory and gone at its end.",
    .example = "  brig run -b /bundles/web web\n  brig run --image busybox sh -c 'echo works'",
    .options = options,
    .most_operands = any_number,
    .run = run,
    .needs_sealed_binary = true,
};

} // namespace brig::command
