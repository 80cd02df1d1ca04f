#include "command/verb.hpp"

#include "container/lifecycle.hpp"

#include <array>

namespace brig::command {

namespace {

constexpr std::array options = {
    Option{"force", 'f', OptionType::flag, "", "kill it first if it runs; a missing container is no error"},
};

Result<int> run(const Invocation& invocation)
{
    auto context = TRY(invocation.context());
    TRY(container::remove(context, invocation.operand(0), invocation.arguments.flag("force")));
    return 0;
}

} // namespace

constinit const Verb delete_verb = {
    .name = "delete",
    .summary = "remove what is left of a container",
    .usage = "[options] CONTAINER",
    .description = "Removes the cgroup and the state of a container that has stopped, and runs its poststop hooks.\n"
                   "One that was created and never started is killed; one that runs needs --force.",
    .example = "  brig delete --force web",
    .options = options,
    .least_operands = 1,
    .most_operands = 1,
    .run = run,
};

} // namespace brig::command
