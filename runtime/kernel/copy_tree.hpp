// Copies what is inside one directory into another: contents, modes, owners, times, extended attributes, links, nodes.
//
// Runs in: the container's init, for mounts with "tmpcopyup". Never follows a link; sockets are left out, as they are
// of no use without their listener. Hard links become separate files, unless they are to be kept.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

namespace brig::kernel {

enum class HardLinks { become_files, stay };

Result<> copy_tree(FdRef from, FdRef to, HardLinks links = HardLinks::become_files);

// Owner, mode, extended attributes and times of one directory.
Result<> copy_directory_metadata(FdRef from, FdRef to);

} // namespace brig::kernel
