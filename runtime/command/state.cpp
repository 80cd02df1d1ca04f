#include "command/verb.hpp"

#include "container/lifecycle.hpp"

namespace brig::command {

namespace {

Result<int> run(const Invocation& invocation)
{
    auto context = TRY(invocation.query_context());
    auto found = TRY(container::state(context, invocation.operand(0)));
    // Without the owner's name, as runc: finding it would take longer than all the rest.
    TRY(print(container::state_document(found.record, found.status, "").to_text(true) + "\n"));
    return 0;
}

} // namespace

constinit const Verb state_verb = {
    .name = "state",
    .summary = "show the state of a container",
    .usage = "CONTAINER",
    .description = "Prints the state document of the runtime specification as JSON. The status is creating, created,\n"
                   "running, paused or stopped; the pid of a stopped container is 0.",
    .example = "  brig state web | jq -r .status",
    .least_operands = 1,
    .most_operands = 1,
    .run = run,
    .keeps_stderr_clean = true,
};

} // namespace brig::command
