#include "spec/reader.hpp"

#include <array>

namespace brig::spec {

static Result<> read_value(JsonView value, const Place& place, ConsoleSize& out)
{
    static constexpr std::array rows = {
        row<&ConsoleSize::height>("height"),
        row<&ConsoleSize::width>("width"),
    };
    return read_rows(value, place, rows, out);
}

static Result<> read_value(JsonView value, const Place& place, User& out)
{
    static constexpr std::array rows = {
        row<&User::uid>("uid"),           row<&User::gid>("gid"),
        row<&User::umask>("umask"),       row<&User::additional_gids>("additionalGids"),
        row<&User::username>("username"),
    };
    return read_rows(value, place, rows, out);
}

static Result<> read_value(JsonView value, const Place& place, Capabilities& out)
{
    static constexpr std::array rows = {
        row<&Capabilities::bounding>("bounding"),       row<&Capabilities::effective>("effective"),
        row<&Capabilities::inheritable>("inheritable"), row<&Capabilities::permitted>("permitted"),
        row<&Capabilities::ambient>("ambient"),
    };
    return read_rows(value, place, rows, out);
}

static Result<> read_value(JsonView value, const Place& place, Rlimit& out)
{
    static constexpr std::array rows = {
        row<&Rlimit::type>("type"),
        row<&Rlimit::hard>("hard"),
        row<&Rlimit::soft>("soft"),
    };
    return read_rows(value, place, rows, out);
}

static Result<> read_value(JsonView value, const Place& place, Scheduler& out)
{
    static constexpr std::array rows = {
        row<&Scheduler::policy>("policy"), row<&Scheduler::nice>("nice"),       row<&Scheduler::priority>("priority"),
        row<&Scheduler::flags>("flags"),   row<&Scheduler::runtime>("runtime"), row<&Scheduler::deadline>("deadline"),
        row<&Scheduler::period>("period"),
    };
    return read_rows(value, place, rows, out);
}

static Result<> read_value(JsonView value, const Place& place, IoPriority& out)
{
    static constexpr std::array rows = {
        row<&IoPriority::class_name>("class"),
        row<&IoPriority::priority>("priority"),
    };
    return read_rows(value, place, rows, out);
}

static Result<> read_value(JsonView value, const Place& place, ExecCpuAffinity& out)
{
    static constexpr std::array rows = {
        row<&ExecCpuAffinity::initial>("initial"),
        row<&ExecCpuAffinity::final>("final"),
    };
    return read_rows(value, place, rows, out);
}

Result<> read_value(JsonView value, const Place& place, Process& out)
{
    static constexpr std::array rows = {
        row<&Process::terminal>("terminal"),
        row<&Process::console_size>("consoleSize"),
        row<&Process::user>("user"),
        row<&Process::args>("args"),
        row<&Process::env>("env"),
        row<&Process::cwd>("cwd"),
        row<&Process::capabilities>("capabilities"),
        row<&Process::rlimits>("rlimits"),
        row<&Process::no_new_privileges>("noNewPrivileges"),
        row<&Process::apparmor_profile>("apparmorProfile"),
        row<&Process::oom_score_adj>("oomScoreAdj"),
        row<&Process::selinux_label>("selinuxLabel"),
        row<&Process::scheduler>("scheduler"),
        row<&Process::io_priority>("ioPriority"),
        row<&Process::exec_cpu_affinity>("execCPUAffinity"),
    };
    return read_rows(value, place, rows, out);
}

} // namespace brig::spec
