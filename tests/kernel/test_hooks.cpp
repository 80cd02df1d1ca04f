#include "setup/hooks.hpp"

#include "base/text.hpp"
#include "support/scratch.hpp"

#include <chrono>
#include <criterion/criterion.h>

using namespace brig;

namespace {

struct Hooks : test::Scratch {
    // A hook that is a shell script.
    spec::Hook script(const std::string& name, const std::string& text)
    {
        write(name, "#!/bin/sh\n" + text + "\n", 0755);
        return {path(name), {}, {}, {}};
    }
    setup::HookRun run() const { return {"createRuntime", R"({"id": "box", "pid": 7})", path()}; }
};

} // namespace

Test(hooks, state_arguments_environment_and_directory)
{
    Hooks hooks;
    auto hook = hooks.script(
        "hook", "cat > state; echo \"$0 $# $1\" > arguments; /usr/bin/env | /usr/bin/sort > environment; pwd > directory");
    hook.args = {"name", "one two"};
    hook.env = {"FOO=bar baz"};
    auto ran = setup::run_hooks(hooks.run(), {hook});
    cr_assert(ran.has_value(), "%s", ran ? "" : ran.error().message().c_str());
    cr_expect(hooks.read("state") == R"({"id": "box", "pid": 7})");
    cr_expect(contains(hooks.read("arguments"), " 1 one two\n"), "%s", hooks.read("arguments").c_str());
    // Only what the shell itself sets comes on top.
    cr_expect(contains(hooks.read("environment"), "FOO=bar baz\n"));
    cr_expect(!contains(hooks.read("environment"), "HOME="), "%s", hooks.read("environment").c_str());
    cr_expect(hooks.read("directory") == hooks.path() + "\n");
}

Test(hooks, name_is_the_path_without_arguments)
{
    Hooks hooks;
    spec::Hook hook = {"/bin/sh", {}, {}, {}};
    setup::HookRun run = hooks.run();
    run.state = "/usr/bin/tr '\\0' ' ' < /proc/$$/cmdline > " + hooks.path("arguments");
    cr_assert(setup::run_hooks(run, {hook}).has_value());
    cr_expect(hooks.read("arguments") == "/bin/sh ", "%s", hooks.read("arguments").c_str());
}

Test(hooks, first_failure_stops_and_is_explained)
{
    Hooks hooks;
    auto ran = setup::run_hooks(hooks.run(), {hooks.script("good", "touch good.ran"),
                                              hooks.script("bad", "echo said; echo 'why not' >&2; exit 3"),
                                              hooks.script("late", "touch late.ran")});
    cr_assert(!ran.has_value());
    auto message = ran.error().message();
    cr_expect(contains(message, "error running createRuntime hook #1: exit status 3"), "%s", message.c_str());
    cr_expect(contains(message, "said\\nwhy not"), "%s", message.c_str());
    cr_expect(contains(message, hooks.path("bad")), "%s", message.c_str());
    cr_expect(hooks.has("good.ran"));
    cr_expect(!hooks.has("late.ran"));
}

Test(hooks, death_by_signal_and_missing_program)
{
    Hooks hooks;
    auto killed = setup::run_hooks(hooks.run(), {hooks.script("kill", "kill -9 $$")});
    cr_assert(!killed.has_value());
    cr_expect(contains(killed.error().message(), "hook #0: signal 9"), "%s", killed.error().message().c_str());
    auto missing = setup::run_hooks(hooks.run(), {{hooks.path("nothing"), {}, {}, {}}});
    cr_assert(!missing.has_value());
    cr_expect(contains(missing.error().message(), "no such file or directory"), "%s", missing.error().message().c_str());
}

Test(hooks, timeout)
{
    Hooks hooks;
    auto slow = hooks.script("slow", "echo begun; sleep 60");
    slow.timeout = 1;
    auto begin = std::chrono::steady_clock::now();
    auto ran = setup::run_hooks(hooks.run(), {slow});
    auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    cr_assert(!ran.has_value());
    cr_expect(ran.error().kind() == ErrorKind::timed_out);
    cr_expect(contains(ran.error().message(), "ran past specified timeout of 1s"), "%s", ran.error().message().c_str());
    cr_expect(seconds >= 0.9 && seconds < 30, "%f", seconds);
}

Test(hooks, warnings_do_not_stop)
{
    Hooks hooks;
    std::string warnings;
    Log log(LogLevel::warning, [&](LogLevel, std::string_view line) { warnings += std::string(line) + "\n"; });
    setup::HookRun run = hooks.run();
    run.kind = "poststop";
    setup::run_hooks_and_warn(run, {hooks.script("bad", "exit 1"), hooks.script("good", "touch good.ran")}, log);
    cr_expect(hooks.has("good.ran"));
    cr_expect(contains(warnings, "error running poststop hook #0: exit status 1"), "%s", warnings.c_str());
    cr_expect(!contains(warnings, "#1"));
}
