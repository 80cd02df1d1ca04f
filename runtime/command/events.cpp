#include "container/events.hpp"

#include "base/text.hpp"
#include "command/verb.hpp"

#include <array>

namespace brig::command {

namespace {

constexpr std::array options = {
    Option{"interval", 0, OptionType::text, "DURATION", "time between statistics, such as 5s or 500ms (default: 5s)"},
    Option{"stats", 0, OptionType::flag, "", "print the statistics once, at once"},
};

// In milliseconds; a fraction of one counts as one.
Result<int64_t> parse_interval(const std::string& text)
{
    constexpr int64_t millisecond = 1000000;
    int64_t nanoseconds = TRY_DURING("--interval", parse_go_duration(text));
    if (nanoseconds <= 0)
        return failure(Error(ErrorKind::invalid, "duration interval must be greater than 0").with_hint("--interval 5s"));
    return (nanoseconds - 1) / millisecond + 1;
}

Result<int> run(const Invocation& invocation)
{
    const std::string& id = invocation.operand(0);
    int64_t interval = TRY(parse_interval(invocation.arguments.text("interval", "5s")));
    auto context = TRY(invocation.query_context());
    auto print_line = [](const Json& event) { return print(event.to_text() + "\n"); };
    if (invocation.arguments.flag("stats")) {
        TRY(print_line(container::stats_event(id, TRY(container::stats(context, id)))));
        return 0;
    }
    container::EventHandlers handlers;
    handlers.stats = [&](const container::Stats& stats) { return print_line(container::stats_event(id, stats)); };
    handlers.out_of_memory = [&] { return print_line(container::out_of_memory_event(id)); };
    TRY(container::watch_events(context, id, interval, handlers));
    return 0;
}

} // namespace

constinit const Verb events_verb = {
    .name = "events",
    .summary = "show what a container uses, and its out-of-memory kills",
    .usage = "[options] CONTAINER",
    .description = "Prints one JSON object a line: the statistics of the container every five seconds, and an event when\n"
                   "the kernel kills in it for want of memory. Ends when the container stops.",
    .example = "  brig events --stats web | jq .data.memory.usage\n  brig events --interval 1s web",
    .options = options,
    .least_operands = 1,
    .most_operands = 1,
    .run = run,
    .keeps_stderr_clean = true,
};

} // namespace brig::command
