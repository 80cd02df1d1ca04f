#include "command/verb.hpp"
#include "container/live_mounts.hpp"
#include "kernel/files.hpp"

#include "base/text.hpp"

namespace brig::command {

namespace {

constexpr size_t file_limit = 1 << 20;

Result<int> run(const Invocation& invocation)
{
    const std::string& action = invocation.operand(0);
    const std::string& id = invocation.operand(1);
    const std::string& file = invocation.operand(2);
    if (action != "add" && action != "remove")
        return failure(Error(ErrorKind::invalid, fmt::format("unknown command mounts {}", quoted(action)))
                           .with_hint("brig mounts add|remove CONTAINER FILE"));
    std::string text = file == "-" ? TRY(kernel::read_all(FdRef(0), file_limit))
                                   : TRY(kernel::read_file(kernel::working_directory, file, file_limit));
    auto context = TRY(invocation.context());
    if (action == "add")
        TRY(container::add_mounts(context, id, text));
    else
        TRY(container::remove_mounts(context, id, text));
    return 0;
}

} // namespace

constinit const Verb mounts_verb = {
    .name = "mounts",
    .summary = "add mounts to a running container, or remove them",
    .usage = "add|remove CONTAINER FILE",
    .description = "FILE has a list of mounts as config.json has them; - is stdin. All are added, or none. To remove,\n"
                   "only their destinations count: each is a mount that was added, or one at exactly that path.",
    .example = "  echo '[{\"destination\": \"/data\", \"source\": \"/srv/data\", \"options\": [\"rbind\", \"ro\"]}]' |\n"
               "      brig mounts add web -\n"
               "  echo '[{\"destination\": \"/data\"}]' | brig mounts remove web -",
    .least_operands = 3,
    .most_operands = 3,
    .run = run,
    .needs_sealed_binary = true,
};

} // namespace brig::command
