#include "launch/sealed_self.hpp"

#include "base/text.hpp"
#include "kernel/child_process.hpp"
#include "kernel/files.hpp"
#include "kernel/mounting.hpp"

#include <cerrno>
#include <linux/mount.h>
#include <string>
#include <sys/mman.h>
#include <vector>

namespace brig::launch {

namespace {

constexpr int all_seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

bool is_sealed(FdRef self)
{
    auto attributes = kernel::mount_attributes(self);
    if (attributes && (*attributes & MOUNT_ATTR_RDONLY) != 0)
        return true;
    auto seals = kernel::file_seals(self);
    return seals && (*seals & all_seals) == all_seals;
}

Result<Fd> read_only_mount_of(FdRef self)
{
    Fd mount = TRY(kernel::clone_mount(self, "", kernel::Recursion::none));
    TRY(kernel::set_mount_attributes(mount, {.set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV},
                                     kernel::Recursion::none));
    return mount;
}

Result<Fd> sealed_copy_of(FdRef self)
{
    Fd copy = TRY(kernel::executable_memory_file("brig"));
    TRY(kernel::copy_file(self, copy));
    TRY(kernel::seal_file(copy, all_seals));
    return copy;
}

Result<Fd> sealed_form_of(FdRef self)
{
    auto mount = read_only_mount_of(self);
    return mount ? std::move(mount) : sealed_copy_of(self);
}

std::vector<std::string> texts_of(char** list)
{
    std::vector<std::string> texts;
    for (; *list != nullptr; list++)
        texts.emplace_back(*list);
    return texts;
}

} // namespace

Result<> ensure_sealed(char** argv, char** environment)
{
    Fd self = TRY(kernel::open_at(kernel::working_directory, "/proc/self/exe", O_RDONLY));
    if (is_sealed(self))
        return {};
    Fd sealed = TRY_DURING("seal brig's own program against containers", sealed_form_of(self));
    // An attacker's open for writing counts as a writer for the moment until the kernel sees the read-only mount, and a file
    // with a writer cannot be executed.
    constexpr int attempts = 1000;
    Error error = kernel::execute_descriptor(sealed, texts_of(argv), texts_of(environment));
    for (int attempt = 1; attempt < attempts && error.code() == ETXTBSY; attempt++)
        error = kernel::execute_descriptor(sealed, texts_of(argv), texts_of(environment));
    return failure(std::move(error));
}

} // namespace brig::launch
