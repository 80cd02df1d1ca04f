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
    Option{"config", 'f', OptionType::text, "FILE", "name of the file, or its path (default: config.json)"},
    Option{"rootless", 0, OptionType::flag, "", "for a container that is run without root privileges"},
};

Result<int> run(const Invocation& invocation)
{
    std::string bundle = invocation.arguments.text("bundle");
    std::string name = invocation.arguments.text("config", "config.json");
    if (name.empty())
        return failure(ErrorKind::invalid, "--config cannot be empty");
    Json document = spec::default_spec(invocation.arguments.flag("rootless"), kernel::effective_uid(), kernel::effective_gid());
    std::string path = name.front() == '/' ? name : join_path(bundle.empty() ? "." : bundle, name);
    // O_EXCL: neither an edited config.json nor what a link of that name points at is lost.
    auto file = kernel::open_at(kernel::working_directory, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0666);
    if (!file && file.error().code() == EEXIST)
        return failure(ErrorKind::already_exists, fmt::format("File {} exists. Remove it first", one_line(name)));
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
