// Landlock: rules for files by path, which a process and all that it becomes can never take off again.
//
// Runs in: the process to be confined, which needs no_new_privs or CAP_SYS_ADMIN. Errors: kind system.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstdint>

namespace brig::kernel {

// LANDLOCK_ACCESS_FS_*, which this distribution's headers do not know all of.
enum : uint64_t {
    landlock_execute = 1 << 0,
    landlock_write_file = 1 << 1,
    landlock_read_file = 1 << 2,
    landlock_read_directory = 1 << 3,
    landlock_remove_directory = 1 << 4,
    landlock_remove_file = 1 << 5,
    landlock_make_character_device = 1 << 6,
    landlock_make_directory = 1 << 7,
    landlock_make_file = 1 << 8,
    landlock_make_socket = 1 << 9,
    landlock_make_fifo = 1 << 10,
    landlock_make_block_device = 1 << 11,
    landlock_make_link = 1 << 12,
    landlock_refer = 1 << 13,        // version 2: link and rename between directories
    landlock_truncate = 1 << 14,     // version 3
    landlock_ioctl_device = 1 << 15, // version 5
};

// The kernel's version of Landlock, from 1 on; 0: it has none, or it is off.
int landlock_version();
// What is handled is denied, but for what rules allow.
Result<Fd> make_landlock_ruleset(uint64_t handled);
// `path` may be O_PATH. A file takes only execute, write, read, truncate and ioctl (EINVAL otherwise).
Result<> add_landlock_rule(FdRef ruleset, FdRef path, uint64_t allowed);
Result<> enter_landlock(FdRef ruleset);

} // namespace brig::kernel
