#include "launch/executable.hpp"

#include "base/text.hpp"
#include "kernel/files.hpp"

#include <cerrno>
#include <optional>

namespace brig::launch {

namespace {

tl::unexpected<Error> cannot_execute(const std::string& program, Error reason)
{
    ErrorKind kind = reason.code() == ENOENT ? ErrorKind::not_found : ErrorKind::invalid;
    return failure(std::move(reason).with_kind(kind).during(fmt::format("exec: {}", quoted(program))));
}

Result<> check_executable(const std::string& path)
{
    auto status = kernel::status_at(kernel::working_directory, path, 0);
    if (!status)
        return failure(Error::system_call(status.error().code(), fmt::format("stat {}", one_line(path))));
    if (S_ISDIR(status->st_mode))
        return failure(Error::system_call(EACCES, "is a directory")); // with this errno's text engines report 126
    if (!S_ISREG(status->st_mode) || !kernel::may_execute(path))
        return failure(Error::system_call(EACCES, one_line(path)).with_hint("it is not an executable file for this user"));
    return {};
}

std::string_view search_path(const std::vector<std::string>& environment)
{
    constexpr std::string_view name = "PATH=";
    for (const auto& entry : environment)
        if (std::string_view(entry).substr(0, name.size()) == name)
            return std::string_view(entry).substr(name.size());
    return {};
}

} // namespace

Result<std::string> find_executable(const std::string& program, const std::vector<std::string>& environment)
{
    if (contains(program, "/")) {
        auto usable = check_executable(program);
        if (!usable)
            return cannot_execute(program, std::move(usable).error());
        return program;
    }
    std::optional<Error> denied;
    for (auto directory : split(search_path(environment), ':')) {
        // An empty entry means the working directory to execvp; Go's LookPath, and so runc, refuses that. So do we.
        if (directory.empty())
            continue;
        std::string path = fmt::format("{}/{}", directory, program);
        auto usable = check_executable(path);
        if (usable)
            return path;
        if (usable.error().code() == EACCES)
            denied = std::move(usable).error();
    }
    if (denied)
        return cannot_execute(program, std::move(*denied));
    return failure(Error(ErrorKind::not_found, fmt::format("exec: {}: executable file not found in $PATH", quoted(program)))
                       .with_hint("PATH is the container's own; give an absolute path or set PATH in process.env"));
}

} // namespace brig::launch
