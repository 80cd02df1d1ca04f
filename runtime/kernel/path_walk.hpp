// Private to path_in_root: the walk by components. It makes what is missing for both back-ends, and resolves alone where
// openat2 is refused. The walk keeps a descriptor of every directory on its way, so ".." goes back to where it came from
// and never asks the file system: a directory that is moved away during the walk does not open a way out of the root.
//
// Magic links of a procfs are not followed: their text is taken as a path inside the root, which is what it looks like.
#pragma once

#include "kernel/path_in_root.hpp"

namespace brig::kernel {

enum class MissingPart { is_an_error, becomes_directory, becomes_file };

struct WalkRequest {
    std::string path;
    Links links = Links::follow;
    MissingPart missing = MissingPart::is_an_error;
    mode_t mode = 0755; // of the last component; directories on the way to a file get 0755
};

struct WalkEnd {
    Fd entry;         // O_PATH
    Fd parent;        // invalid when the entry is a directory that was not reached by a name (the root, "..")
    std::string name; // below parent
};

Result<WalkEnd> walk_in_root(FdRef root, const WalkRequest& request);

// open_in_root by the walk alone.
Result<Fd> open_in_root_by_walk(FdRef root, const std::string& path, int flags, Links links);
// open_in_root by openat2 alone.
Result<Fd> open_in_root_by_openat2(FdRef root, const std::string& path, int flags, Links links);

// Whether this process may call openat2: ENOSYS from old kernels, EPERM or ENOSYS from a host's seccomp filter.
bool openat2_is_usable();

} // namespace brig::kernel
