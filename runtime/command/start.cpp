#include "command/verb.hpp"

#include "container/lifecycle.hpp"

namespace brig::command {

namespace {

Result<int> run(const Invocation& invocation)
{
    auto context = TRY(invocation.context());
    TRY(container::start(context, invocation.operand(0)));
    return 0;
}

} // namespace

constinit const Verb start_verb = {
    .name = "start",
    .summary = "run the program of a created container",
    .usage = "CONTAINER",
    .description = "Lets the process that `brig create` prepared execute its program, and returns when it does.",
    .example = "  brig create -b /bundles/web web && brig start web",
    .least_operands = 1,
    .most_operands = 1,
    .run = run,
};

} // namespace brig::command
