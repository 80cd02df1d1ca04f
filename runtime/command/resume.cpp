#include "command/verb.hpp"

#include "container/control.hpp"

namespace brig::command {

namespace {

Result<int> run(const Invocation& invocation)
{
    auto context = TRY(invocation.context());
    TRY(container::resume(context, invocation.operand(0)));
    return 0;
}

} // namespace

constinit const Verb resume_verb = {
    .name = "resume",
    .summary = "let a paused container go on",
    .usage = "CONTAINER",
    .description = "Thaws the cgroup of a container that `brig pause` froze.",
    .example = "  brig pause web && brig resume web",
    .least_operands = 1,
    .most_operands = 1,
    .run = run,
};

} // namespace brig::command
