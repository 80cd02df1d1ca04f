#include "kernel/procfs.hpp"
#include "process_probe.hpp"

#include <cerrno>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <unistd.h>

using namespace brig;
using namespace brig::test;
using kernel::Procfs;

static Procfs open_procfs(Procfs::View view = Procfs::View::processes)
{
    need(::geteuid() == 0, "root");
    auto procfs = Procfs::open(view);
    cr_assert(procfs.has_value(), "%s", procfs ? "" : procfs.error().message().c_str());
    return std::move(*procfs);
}

Test(procfs, reads_and_writes_files_of_the_caller)
{
    auto procfs = open_procfs();
    auto stat = procfs.read("self/stat");
    cr_assert(stat.has_value());
    cr_expect(stat->starts_with(fmt::format("{} (", ::getpid())));
    cr_expect(procfs.write("self/oom_score_adj", "300").has_value());
    cr_expect(*procfs.read(fmt::format("{}/oom_score_adj", ::getpid())) == "300\n");
}

Test(procfs, of_the_host)
{
    auto procfs = Procfs::of_host();
    cr_assert(procfs.has_value(), "%s", procfs ? "" : procfs.error().message().c_str());
    cr_expect(procfs->read("self/stat")->starts_with(fmt::format("{} (", ::getpid())));
    cr_expect(*procfs->read("sys/kernel/ostype") == "Linux\n");
}

Test(procfs, usual_view_has_no_sysctls)
{
    auto hidden = open_procfs().read("sys/kernel/ostype");
    cr_assert(!hidden.has_value());
    cr_expect(hidden.error().code() == ENOENT);
    cr_expect(*open_procfs(Procfs::View::everything).read("sys/kernel/ostype") == "Linux\n");
}

Test(procfs, refuses_ways_around)
{
    auto procfs = open_procfs(Procfs::View::everything);
    for (const char* path : {"", "/sys/kernel/ostype", "sys/../sys/kernel/ostype", "sys//kernel/ostype", "./sys",
                             "sys/net/../kernel/ostype", ".."}) {
        auto file = procfs.open_file(path, O_RDONLY);
        cr_assert(!file.has_value(), "%s", path);
        cr_expect(file.error().kind() == ErrorKind::invalid, "%s: %s", path, file.error().message().c_str());
    }
    // Links, ordinary and magic ones.
    for (const char* path : {"mounts", "net/dev", "self/cwd", "self/exe", "self/root/etc/passwd", "thread-self/stat"}) {
        auto file = procfs.open_file(path, O_RDONLY);
        cr_assert(!file.has_value(), "%s", path);
        cr_expect(file.error().code() == ELOOP, "%s: %s", path, file.error().message().c_str());
    }
}

Test(procfs, failed_write_names_file_and_value)
{
    auto written = open_procfs().write("self/oom_score_adj", "12345");
    cr_assert(!written.has_value());
    cr_expect(written.error().code() == EINVAL);
    cr_expect(contains(written.error().message(), "\"12345\" to /proc/self/oom_score_adj"), "%s",
              written.error().message().c_str());
}

Test(procfs, does_not_see_what_lies_on_top_of_proc)
{
    need(::geteuid() == 0, "root");
    auto tmpfs = probe_process("covered-proc", "tmpfs");
    cr_expect_str_eq(tmpfs.output.c_str(), "444\n444\n");
    auto file = probe_process("covered-proc", "file");
    cr_expect_str_eq(file.output.c_str(), "444\n444\n");
}

Test(procfs, without_fsopen_a_clone_is_used)
{
    need(::geteuid() == 0, "root");
    expect_output("procfs-without", "555\n", "clone");
    // The clone has none of the mounts on top.
    expect_output("procfs-without", "555\n", "covered-clone");
}

Test(procfs, without_the_mount_calls_proc_itself_is_verified)
{
    need(::geteuid() == 0, "root");
    expect_output("procfs-without", "555\n", "plain");
    expect_failure("procfs-without", "something is mounted on top of this file", "covered");
    expect_failure("procfs-without", "/proc is not a procfs", "tmpfs");
    expect_failure("procfs-without", "/proc is not a procfs", "bind");
    expect_failure("covered-host-proc", "/proc is not a procfs");
}

Test(procfs, belongs_to_the_callers_pid_namespace)
{
    need(::geteuid() == 0, "root");
    expect_output("procfs-of-pid-namespace", "1 \n");
}

Test(procfs, sysctls)
{
    need(::geteuid() == 0, "root");
    expect_output("sysctls", "7777\n", "kernel/msgmax=7777");
    expect_output("sysctls", "1\n", "net/ipv4/ip_forward=1");
    expect_failure("sysctls", "linux.sysctl: ", "net/ipv4/no_such_thing=1");
    expect_failure("sysctls", "the kernel has no such sysctl", "net/ipv4/no_such_thing=1");
    expect_failure("sysctls", "the kernel does not accept this value", "kernel/msgmax=never");
    expect_failure("sysctls", "is not a plain path below /proc", "net/../kernel/core_pattern=x");
}

Test(process_stat, of_this_process)
{
    auto stat = kernel::process_stat(::getpid());
    cr_assert(stat.has_value());
    cr_expect(stat->parent == ::getppid());
    cr_expect(stat->state == 'R' || stat->state == 'S');
    cr_expect(stat->start_time > 0);
    cr_expect(kernel::process_stat(::getpid())->start_time == stat->start_time);
}

Test(process_stat, of_nobody)
{
    auto stat = kernel::process_stat(0x3ffffff);
    cr_assert(!stat.has_value());
    cr_expect(stat.error().kind() == ErrorKind::not_found);
}

Test(process_stat, names_with_parentheses)
{
    std::string rest = " 7 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 987654 1 1\n";
    for (const char* name : {"sh", "a b", "a) R 1 2 3", "((", ") S"}) {
        auto stat = kernel::parse_process_stat(fmt::format("42 ({}) Z{}", name, rest));
        cr_assert(stat.has_value(), "%s", name);
        cr_expect(stat->state == 'Z' && stat->parent == 7 && stat->start_time == 987654, "%s", name);
    }
    for (const char* text : {"", "42", "42 (sh", "42 (sh) S", "42 (sh) SS 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0",
                             "42 (sh) S x 1 1 0 -1 0 1 0 0 0 0 0 0 0 20 0 1 0 5 1"}) {
        auto stat = kernel::parse_process_stat(text);
        cr_expect(!stat.has_value(), "%s", text);
    }
}
