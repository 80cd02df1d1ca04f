#include "command/verb.hpp"

#include "command/inherited.hpp"
#include "container/lifecycle.hpp"

namespace brig::command {

namespace {

Result<int> run(const Invocation& invocation)
{
    auto context = TRY(invocation.context());
    TRY(container::start(context, invocation.operand(0), notify_socket()));
    return 0;
}

} // namespace

constinit const Verb start_verb = {
    .name = "start",
    .summary = "run the program of a created container",
    .usage = "CONTAINER",
    .description =
        "Lets the process that `brig create` prepared execute its program, and returns when it does. With $NOTIFY_SOCKET it\n"
        "returns when the container has said READY=1, and passes that on.",
    .example = "  brig create -b /bundles/web web && brig start web",
    .least_operands = 1,
    .most_operands = 1,
    .run = run,
};

} // namespace brig::command
