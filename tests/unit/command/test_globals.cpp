#include "command/globals.hpp"

#include <criterion/criterion.h>
#include <cstdlib>
#include <unistd.h>

using namespace brig;
using namespace brig::command;

namespace {

Arguments parse(std::vector<std::string> words)
{
    std::vector<char*> pointers;
    for (auto& word : words)
        pointers.push_back(word.data());
    Arguments arguments;
    auto outcome = parse_options(global_options(), OptionOrder::before_operands, pointers, arguments);
    cr_assert(outcome.has_value());
    return arguments;
}

} // namespace

Test(globals, what_go_runc_writes_is_understood)
{
    auto arguments = parse({"--root", "/r", "--debug", "--log", "/l.json", "--log-format", "json", "--systemd-cgroup",
                            "--rootless=false", "--criu", "/usr/bin/criu", "state", "--root", "id"});
    cr_expect(check_globals(arguments).has_value());
    cr_expect(arguments.operands() == (std::vector<std::string>{"state", "--root", "id"}));
    auto settings = log_settings(arguments);
    cr_expect(settings.file == "/l.json" && settings.format == LogFormat::json && settings.threshold == LogLevel::debug);
    auto context = make_context(arguments, {});
    cr_assert(context.has_value());
    cr_expect(context->state_root == "/r" && context->cgroup_driver == plan::CgroupDriver::systemd && !context->rootless);
}

Test(globals, log_to_stderr_by_name_or_by_default)
{
    cr_expect(log_settings(parse({})).file.empty());
    cr_expect(log_settings(parse({"--log", "/dev/stderr"})).file.empty());
    cr_expect(log_settings(parse({"--log=file:/x"})).file == "/x");
    cr_expect(log_settings(parse({"--log-level", "error"})).threshold == LogLevel::error);
}

Test(globals, wrong_words_are_refused)
{
    for (const char* wrong : {"--log-format=xml", "--log-level=loud", "--cgroup-manager=none", "--rootless=maybe",
                              "--log=journald:x", "--log=syslog:x"})
        cr_expect(!check_globals(parse({wrong})), "%s", wrong);
}

Test(globals, cgroup_managers)
{
    auto driver = [](std::vector<std::string> words) { return make_query_context(parse(words), {})->cgroup_driver; };
    cr_expect(driver({}) == plan::CgroupDriver::file_system);
    cr_expect(driver({"--cgroup-manager=cgroupfs"}) == plan::CgroupDriver::file_system);
    cr_expect(driver({"--cgroup-manager=systemd"}) == plan::CgroupDriver::systemd);
    cr_expect(driver({"--cgroup-manager=disabled"}) == plan::CgroupDriver::none);
    cr_expect(driver({"--systemd-cgroup=false"}) == plan::CgroupDriver::file_system);
}

Test(globals, root_is_absolute_and_neither_empty_nor_the_root)
{
    cr_expect(*state_root(parse({"--root", "/a//b/../c/"})) == "/a/c");
    cr_assert(::chdir("/tmp") == 0);
    cr_expect(*state_root(parse({"--root", "x/y"})) == "/tmp/x/y");
    for (const char* wrong : {"--root=", "--root=/", "--root=//", "--root=/a/..", "--root=../"})
        cr_expect(!state_root(parse({wrong})), "%s", wrong);
}

Test(globals, root_of_the_host_does_not_follow_its_runtime_directory)
{
    if (::geteuid() != 0)
        cr_skip_test("needs root");
    ::setenv("XDG_RUNTIME_DIR", "/run/user/0", 1);
    cr_expect(*state_root(parse({})) == "/run/brig");
}

Test(globals, user_has_a_folder_of_the_own)
{
    if (::geteuid() == 0)
        cr_assert(::seteuid(65534) == 0);
    ::setenv("XDG_RUNTIME_DIR", "/run/user/65534", 1);
    cr_expect(*state_root(parse({})) == "/run/user/65534/brig");
    cr_expect(make_context(parse({}), {})->rootless);
    cr_expect(!make_context(parse({"--rootless=false"}), {})->rootless);
    ::setenv("XDG_RUNTIME_DIR", "", 1);
    cr_expect(*state_root(parse({})) == "/run/brig");
}

Test(globals, rootless_by_word)
{
    cr_expect(make_context(parse({"--rootless=true"}), {})->rootless);
    cr_expect(!make_context(parse({"--rootless", "false"}), {})->rootless);
}
