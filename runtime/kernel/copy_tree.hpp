// Copies what is inside one directory into another: contents, modes, owners, times, extended attributes, links, nodes.
//
// Runs in: the container's init, for mounts with "tmpcopyup". Never follows a link; sockets are left out, as they are
// of no use without their listener. Hard links become separate files.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

namespace brig::kernel {

Result<> copy_tree(FdRef from, FdRef to);

} // namespace brig::kernel
