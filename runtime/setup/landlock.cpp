#include "setup/landlock.hpp"

#include "base/text.hpp"
#include "kernel/files.hpp"
#include "kernel/landlock.hpp"

#include <cerrno>
#include <linux/openat2.h>

namespace brig::setup {

namespace {

using namespace kernel; // landlock_*

constexpr int least_version = 3;
constexpr int version_with_ioctl = 5;

constexpr uint64_t reading = landlock_read_file | landlock_read_directory;
constexpr uint64_t executing = landlock_execute | reading;
constexpr uint64_t writing = reading | landlock_write_file | landlock_remove_directory | landlock_remove_file
                             | landlock_make_directory | landlock_make_file | landlock_make_socket | landlock_make_fifo
                             | landlock_make_link | landlock_refer | landlock_truncate | landlock_ioctl_device;
constexpr uint64_t everything = writing | landlock_execute | landlock_make_character_device | landlock_make_block_device;
constexpr uint64_t for_files =
    landlock_execute | landlock_write_file | landlock_read_file | landlock_truncate | landlock_ioctl_device;

bool has_no_rule(int code)
{
    return code == ENOENT || code == ENOTDIR || code == EACCES || code == ELOOP;
}

Result<> allow(FdRef ruleset, const std::vector<std::string>& paths, uint64_t access)
{
    for (const auto& path : paths) {
        auto place = open_at2(working_directory, path, O_PATH | O_NOFOLLOW, 0, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
        if (!place && has_no_rule(place.error().code()))
            continue;
        Fd opened = TRY(std::move(place));
        auto status = TRY(status_of(opened));
        TRY(add_landlock_rule(ruleset, opened, S_ISDIR(status.st_mode) ? access : access & for_files));
    }
    return {};
}

} // namespace

Result<> check_landlock()
{
    int version = landlock_version();
    if (version >= least_version)
        return {};
    return failure(
        Error(ErrorKind::not_supported, version == 0
                                            ? std::string("filesystem.landlock: this kernel has no Landlock")
                                            : fmt::format("filesystem.landlock: this kernel has Landlock {}, which does not see "
                                                          "truncate(2)",
                                                          version))
            .with_hint("boot Linux 6.2 or later with \"landlock\" in the list lsm=, or use a policy without landlock"));
}

Result<> apply_landlock(const policy::Landlock& rules)
{
    TRY(check_landlock());
    uint64_t handled = landlock_version() >= version_with_ioctl ? everything : everything & ~uint64_t{landlock_ioctl_device};
    Fd ruleset = TRY(make_landlock_ruleset(handled));
    TRY(allow(ruleset, rules.read, reading & handled));
    TRY(allow(ruleset, rules.execute, executing & handled));
    TRY(allow(ruleset, rules.read_write, writing & handled));
    return enter_landlock(ruleset);
}

} // namespace brig::setup
