#include "command/verb.hpp"

#include "container/lifecycle.hpp"
#include "spec/vocabulary.hpp"

#include <array>

namespace brig::command {

namespace {

constexpr std::array options = {
    Option{"all", 'a', OptionType::flag, "", "every process of the container, also when its first one has ended"},
};

Result<int> run(const Invocation& invocation)
{
    const auto& operands = invocation.arguments.operands();
    int signal = TRY(spec::parse_signal(operands.size() > 1 ? operands[1] : "SIGTERM"));
    auto context = TRY(invocation.context());
    TRY(container::kill(context, operands[0], signal, invocation.arguments.flag("all")));
    return 0;
}

} // namespace

constinit const Verb kill_verb = {
    .name = "kill",
    .summary = "send a signal to a container",
    .usage = "[options] CONTAINER [SIGNAL]",
    .description = "Sends SIGNAL (default: SIGTERM) to the container's first process. A signal is a name with or\n"
                   "without SIG, RTMIN+n, RTMAX-n, or a number; 0 only asks whether the process is there.",
    .example = "  brig kill web KILL",
    .options = options,
    .least_operands = 1,
    .most_operands = 2,
    .run = run,
};

} // namespace brig::command
