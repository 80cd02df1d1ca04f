#include "command/own_files.hpp"
#include "command/verb.hpp"
#include "kernel/child_process.hpp"

namespace brig::command {

namespace {

Result<int> run(const Invocation& invocation)
{
    Fd program = TRY(open_image_program());
    std::vector<std::string> words = {image_program};
    for (auto& word : invocation.globals.as_words())
        words.push_back(std::move(word));
    for (const auto& word : invocation.arguments.operands())
        words.push_back(word);
    return failure(kernel::execute_descriptor(program, words, kernel::own_environment()));
}

} // namespace

constinit const Verb image_verb = {
    .name = "image",
    .summary = "import images, list them, make bundles of them",
    .usage = "VERB [options] [operands]",
    .description = "import, build, list, inspect, tag, remove, prune, verify, unpack, bundle and export: images in a store\n"
                   "on this host, from archives of `docker save`, OCI layouts, tars and folders, or from recipes.\n"
                   "`brig image VERB --help` tells more; `brig run --image NAME` runs one.",
    .example = "  brig image import busybox.tar --name busybox\n  brig run --image busybox echo works",
    .least_operands = 1,
    .most_operands = any_number,
    .run = run,
    .order = OptionOrder::before_operands,
};

} // namespace brig::command
