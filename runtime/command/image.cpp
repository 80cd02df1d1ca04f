#include "base/text.hpp"
#include "command/verb.hpp"
#include "kernel/child_process.hpp"
#include "kernel/files.hpp"
#include "kernel/trusted_program.hpp"

#include <unistd.h>

namespace brig::command {

namespace {

constexpr const char* program_name = "brig-image";

// Beside this program, as it is built, or where `make install` puts what only brig calls. Never by $PATH.
Result<Fd> open_image_program()
{
    std::string self = TRY(kernel::read_link(kernel::working_directory, "/proc/self/exe"));
    std::string folder(parent_path(self));
    std::string beside = join_path(folder, program_name);
    auto found = kernel::open_trusted_program(beside);
    if (found || found.error().kind() != ErrorKind::not_found)
        return found;
    std::string installed = join_path(std::string(parent_path(folder)), std::string("libexec/brig/") + program_name);
    auto second = kernel::open_trusted_program(installed);
    if (!second && second.error().kind() == ErrorKind::not_found)
        return failure(Error(ErrorKind::not_supported, fmt::format("the program {} is neither at {} nor at {}", program_name,
                                                                   one_line(beside), one_line(installed)))
                           .with_hint("it belongs to brig: `make install` puts it there"));
    return second;
}

Result<int> run(const Invocation& invocation)
{
    Fd program = TRY(open_image_program());
    std::vector<std::string> words = {program_name};
    for (auto& word : invocation.globals.as_words())
        words.push_back(std::move(word));
    for (const auto& word : invocation.arguments.operands())
        words.push_back(word);
    std::vector<std::string> environment;
    for (char** entry = ::environ; *entry != nullptr; entry++)
        environment.emplace_back(*entry);
    return failure(kernel::execute_descriptor(program, words, environment));
}

} // namespace

constinit const Verb image_verb = {
    .name = "image",
    .summary = "import images, list them, make bundles of them",
    .usage = "VERB [options] [operands]",
    .description = "import, list, inspect, tag, remove, prune, verify, unpack, bundle and export: images in a store on\n"
                   "this host, from archives of `docker save`, OCI layouts, tars and folders. Nothing is downloaded.\n"
                   "`brig image VERB --help` tells more; `brig run --image NAME` runs one.",
    .example = "  brig image import busybox.tar --name busybox\n  brig run --image busybox echo works",
    .least_operands = 1,
    .most_operands = any_number,
    .run = run,
    .order = OptionOrder::before_operands,
};

} // namespace brig::command
