#include "setup/hooks.hpp"

#include "base/text.hpp"
#include "kernel/child_process.hpp"

#include <limits>

namespace brig::setup {

namespace {

int64_t milliseconds_of(const spec::Hook& hook)
{
    constexpr int64_t per_second = 1000;
    constexpr int64_t longest = std::numeric_limits<int32_t>::max() / per_second;
    return hook.timeout ? std::min(*hook.timeout, longest) * per_second : -1;
}

std::string describe_end(const kernel::ExitStatus& status)
{
    if (status.signaled)
        return fmt::format("signal {}", status.value);
    return fmt::format("exit status {}", status.value);
}

Result<> run_hook(const HookRun& run, const spec::Hook& hook)
{
    kernel::SpawnRequest request;
    request.path = hook.path;
    request.args = hook.args.empty() ? std::vector{hook.path} : hook.args;
    request.environment = hook.env;
    request.input = run.state;
    request.timeout_milliseconds = milliseconds_of(hook);
    request.working_directory = run.working_directory;
    auto outcome = TRY(kernel::run_program(request));
    if (outcome.timed_out)
        return failure(ErrorKind::timed_out, fmt::format("{} ran past specified timeout of {}s, output: {}", one_line(hook.path),
                                                         hook.timeout.value_or(0), one_line(trim(outcome.output))));
    if (outcome.status.signaled || outcome.status.value != 0)
        return failure(ErrorKind::system, fmt::format("{}, path: {}, output: {}", describe_end(outcome.status),
                                                      one_line(hook.path), one_line(trim(outcome.output))));
    return {};
}

std::string step_name(const HookRun& run, size_t index)
{
    return fmt::format("error running {} hook #{}", run.kind, index);
}

} // namespace

Result<> run_hooks(const HookRun& run, const std::vector<spec::Hook>& hooks)
{
    for (size_t index = 0; index < hooks.size(); index++)
        TRY_DURING(step_name(run, index), run_hook(run, hooks[index]));
    return {};
}

void run_hooks_and_warn(const HookRun& run, const std::vector<spec::Hook>& hooks, const Log& log)
{
    for (size_t index = 0; index < hooks.size(); index++) {
        auto ended = run_hook(run, hooks[index]);
        if (!ended)
            log.warning(std::move(ended).error().during(step_name(run, index)).message());
    }
}

} // namespace brig::setup
