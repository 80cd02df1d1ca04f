#include "command/verb.hpp"

#include "container/control.hpp"

namespace brig::command {

namespace {

Result<int> run(const Invocation& invocation)
{
    auto context = TRY(invocation.context());
    TRY(container::pause(context, invocation.operand(0)));
    return 0;
}

} // namespace

constinit const Verb pause_verb = {
    .name = "pause",
    .summary = "stop all processes of a container for a while",
    .usage = "CONTAINER",
    .description = "Freezes the cgroup of a created or running container and returns when every process has stopped.\n"
                   "`brig resume` lets them go on.",
    .example = "  brig pause web && brig resume web",
    .least_operands = 1,
    .most_operands = 1,
    .run = run,
};

} // namespace brig::command
