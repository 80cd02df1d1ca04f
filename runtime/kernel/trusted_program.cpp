#include "kernel/trusted_program.hpp"

#include "base/text.hpp"
#include "kernel/files.hpp"

#include <cerrno>

namespace brig::kernel {

Result<Fd> open_trusted_program(const std::string& path)
{
    auto file = open_at(working_directory, path, O_PATH);
    if (!file && file.error().code() == ENOENT)
        return failure(std::move(file).error().with_kind(ErrorKind::not_found));
    Fd program = TRY(std::move(file));
    struct stat status = TRY(status_of(program));
    constexpr mode_t by_others = S_IWGRP | S_IWOTH;
    if (!S_ISREG(status.st_mode) || (status.st_mode & by_others) != 0)
        return failure(Error(ErrorKind::invalid, fmt::format("{} is not run: others may write to it", quoted(path)))
                           .with_hint("it would have all rights of its caller; chmod go-w the file"));
    return program;
}

} // namespace brig::kernel
