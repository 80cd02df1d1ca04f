#include "spec/reader.hpp"

#include <array>

namespace brig::spec {

static Result<> read_value(JsonView value, const Place& place, SeccompArgument& out)
{
    static constexpr std::array rows = {
        row<&SeccompArgument::index>("index"),
        row<&SeccompArgument::value>("value"),
        row<&SeccompArgument::value_two>("valueTwo"),
        row<&SeccompArgument::op>("op"),
    };
    return read_rows(value, place, rows, out);
}

static Result<> read_value(JsonView value, const Place& place, SeccompRule& out)
{
    static constexpr std::array rows = {
        row<&SeccompRule::names>("names"),
        row<&SeccompRule::action>("action"),
        row<&SeccompRule::errno_return>("errnoRet"),
        row<&SeccompRule::args>("args"),
    };
    return read_rows(value, place, rows, out);
}

Result<> read_value(JsonView value, const Place& place, Seccomp& out)
{
    static constexpr std::array rows = {
        row<&Seccomp::default_action>("defaultAction"),
        row<&Seccomp::default_errno_return>("defaultErrnoRet"),
        row<&Seccomp::architectures>("architectures"),
        row<&Seccomp::flags>("flags"),
        row<&Seccomp::listener_path>("listenerPath"),
        row<&Seccomp::listener_metadata>("listenerMetadata"),
        row<&Seccomp::syscalls>("syscalls"),
    };
    return read_rows(value, place, rows, out);
}

} // namespace brig::spec
