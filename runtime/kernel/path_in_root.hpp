// Paths that an image controls, resolved by descriptor and never out of the root file system.
//
// Runs in: the container's init before pivot_root, and exec. Links are followed as if `root` were "/"
// (openat2 RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS). Second implementation for kernels and sandboxes without openat2:
// component by component with O_NOFOLLOW (path_walk.hpp); it is chosen by probing the call and is slower, not weaker.
// Defends: CVE-2018-15664, 2019-18837, 2021-30465, 2024-45310 and their kind.
// Modes are subject to the process's umask.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <sys/types.h>

namespace brig::kernel {

enum class Links {
    follow,    // inside the root
    refuse,    // a link anywhere in the path is ELOOP
    keep_last, // a link as last component is itself the result (with O_PATH)
};

// Opens an existing path; flags as open(2) (O_PATH, O_RDONLY...), not for creating.
Result<Fd> open_in_root(FdRef root, const std::string& path, int flags, Links links = Links::follow);

// The directory at `path`, each missing component made with `mode`, as O_PATH descriptor.
Result<Fd> ensure_directory_in_root(FdRef root, const std::string& path, mode_t mode, Links links = Links::follow);

// The same for a path that was just seen to be missing: does not look again before it makes it.
Result<Fd> make_directory_in_root(FdRef root, const std::string& path, mode_t mode);

// What is at `path`, whatever its type, or a new empty regular file, parents made with 0755. A descriptor to mount on,
// not to read from. A dangling last link is followed inside the root and its target made.
Result<Fd> ensure_file_in_root(FdRef root, const std::string& path, mode_t mode, Links links = Links::follow);

// The parent directory as O_PATH descriptor (made when missing) and the last component's name.
struct ParentInRoot {
    Fd directory;
    std::string name;
};
Result<ParentInRoot> ensure_parent_in_root(FdRef root, const std::string& path, mode_t mode);

} // namespace brig::kernel
