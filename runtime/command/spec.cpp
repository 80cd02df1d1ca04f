#include "command/verb.hpp"

#include "base/text.hpp"
#include "kernel/files.hpp"
#include "kernel/process.hpp"
#include "spec/default_spec.hpp"

#include <array>
#include <cerrno>

namespace brig::command {

namespace {

constexpr std::array options = {
    Option{"bundle", 'b', OptionType::text, "DIR", "where to write config.json (default: the current directory)"},
    Option{"rootless", 0, OptionType::flag, "", "for a container that is run without root privileges"},
};

Result<int> run(const Invocation& invocation)
{
    std::string bundle = invocation.arguments.text("bundle");
    Json document = spec::default_spec(invocation.arguments.flag("rootless"), kernel::effective_uid(), kernel::effective_gid());
    // O_EXCL: neither an edited config.json nor what a link of that name points at is lost.
    auto file = kernel::open_at(kernel::working_directory, join_path(bundle.empty() ? "." : bundle, "config.json"),
                                O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0666);
    if (!file && file.error().code() == EEXIST)
        return failure(ErrorKind::already_exists, "File config.json exists. Remove it first");
    TRY(kernel::write_all(TRY(std::move(file)), document.to_text(true) + "\n"));
    return 0;
}

} // namespace

constinit const Verb spec_verb = {
    .name = "spec",
    .summary = "write a config.json to start from",
    .usage = "[options]",
    .description = "Writes a config.json that runs sh in the folder rootfs of the bundle, with the namespaces and\n"
                   "capabilities that `runc spec` gives. An existing config.json is left alone.",
    .example = "  mkdir -p web/rootfs && brig spec -b web",
    .options = options,
    .run = run,
};

} // namespace brig::command
