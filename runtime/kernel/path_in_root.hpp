// Paths that an image controls, resolved by descriptor and never out of the root file system.
//
// Runs in: the container's init before pivot_root, and exec. Links are followed as if `root` were "/"
// (openat2 RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS). Second implementation for kernels and sandboxes without openat2:
// component by component with O_NOFOLLOW; it is chosen by probing the call and is slower, not weaker.
// Defends: CVE-2018-15664, 2019-18837, 2021-30465, 2024-45310 and their kind.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <sys/types.h>

namespace brig::kernel {

enum class LastLink { follow, refuse };

// Opens an existing path; flags as open(2) (O_PATH, O_RDONLY...).
Result<Fd> open_in_root(FdRef root, const std::string& path, int flags, LastLink last_link = LastLink::follow);

// The directory at `path`, each missing component made with `mode`, as O_PATH descriptor.
Result<Fd> ensure_directory_in_root(FdRef root, const std::string& path, mode_t mode);

// The file at `path` (any type but directory) or a new empty regular file, parents made with 0755; O_PATH descriptor.
// A dangling last link is followed inside the root and its target made.
Result<Fd> ensure_file_in_root(FdRef root, const std::string& path, mode_t mode);

// The parent directory as O_PATH descriptor (made when missing) and the last component's name.
struct ParentInRoot {
    Fd directory;
    std::string name;
};
Result<ParentInRoot> ensure_parent_in_root(FdRef root, const std::string& path, mode_t mode);

} // namespace brig::kernel
