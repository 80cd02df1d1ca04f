#include "command/own_files.hpp"

#include "base/text.hpp"
#include "kernel/files.hpp"
#include "kernel/trusted_program.hpp"

#include <cstdlib>

namespace brig::command {

namespace {

// argv[0], which lives as long as the process.
std::string_view called_program;

// As a shell finds a name without a slash.
std::string path_of_program()
{
    std::string program(called_program);
    if (contains(program, "/") || program.empty())
        return program;
    const char* path = std::getenv("PATH");
    for (auto folder : split(path ? path : "", ':'))
        if (std::string candidate = join_path(folder, program); folder.starts_with('/') && kernel::may_execute(candidate))
            return candidate;
    return {};
}

} // namespace

void remember_program(std::string_view program)
{
    called_program = program;
}

std::string own_program_file()
{
    for (const std::string& path : {path_of_program(), std::string("/proc/self/exe")})
        if (auto program = kernel::open_at(kernel::working_directory, path, O_PATH))
            return kernel::path_of(*program);
    return {};
}

Result<Fd> open_image_program()
{
    std::string folder(parent_path(own_program_file()));
    std::string beside = join_path(folder, image_program);
    auto found = kernel::open_trusted_program(beside);
    if (found || found.error().kind() != ErrorKind::not_found)
        return found;
    std::string installed = join_path(std::string(parent_path(folder)), std::string("libexec/brig/") + image_program);
    auto second = kernel::open_trusted_program(installed);
    if (!second && second.error().kind() == ErrorKind::not_found)
        return failure(Error(ErrorKind::not_supported, fmt::format("the program {} is neither at {} nor at {}", image_program,
                                                                   one_line(beside), one_line(installed)))
                           .with_hint("it belongs to brig: `make install` puts it there"));
    return second;
}

} // namespace brig::command
