// How much room a file system has, and locks on parts of files.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <sys/types.h>

namespace brig::kernel {

// statfs(2), O_PATH descriptors included.
struct Space {
    uint64_t total_bytes = 0;
    uint64_t free_bytes = 0;
    uint64_t total_files = 0; // 0: not limited
    uint64_t free_files = 0;
};
Result<Space> space_of(FdRef fd);

// A lock on one byte that the open file holds (F_OFD_SETLK): it lives as long as any descriptor of it, across fork. False: another
// open file has it.
Result<bool> try_lock_byte(FdRef fd, off_t position);

} // namespace brig::kernel
