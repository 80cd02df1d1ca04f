#include "command/new_container.hpp"
#include "plan/plan_document.hpp"

#include "base/text.hpp"

#include <array>

namespace brig::command {

namespace {

constexpr std::array options = {
    bundle_option,   config_option,         Option{"format", 0, OptionType::text, "FORMAT", "text or json (default: text)"},
    no_pivot_option, no_new_keyring_option, preserve_fds_option,
};

Result<int> run(const Invocation& invocation)
{
    std::string format = invocation.arguments.text("format", "text");
    if (format != "text" && format != "json")
        return failure(
            Error(ErrorKind::invalid, fmt::format("invalid format option {}", quoted(format))).with_hint("text or json"));
    auto context = TRY(invocation.context());
    container::CreateRequest request;
    const Arguments& arguments = invocation.arguments;
    TRY(fill_from_bundle(arguments, request));
    request.id = arguments.operands().empty() ? "example" : arguments.operands().front();
    request.preserved_fds = arguments.number("preserve-fds");
    plan::Plan plan = TRY(container::plan_container(context, request));
    TRY(print(format == "json" ? plan::plan_document(plan).to_text(true) + "\n" : plan::plan_text(plan)));
    return 0;
}

} // namespace

constinit const Verb plan_verb = {
    .name = "plan",
    .summary = "show what create would do",
    .usage = "[options] [CONTAINER]",
    .description = "Reads and checks config.json, looks at the host, and prints every decision that `brig create` would\n"
                   "carry out: namespaces, cgroup files and their values, mounts, devices, capabilities, limits.\n"
                   "Makes nothing and needs no running container; errors in config.json are told as by create.",
    .example = "  brig plan -b /bundles/web\n  brig plan -b /bundles/web --format json | jq .cgroup",
    .options = options,
    .most_operands = 1,
    .run = run,
};

} // namespace brig::command
