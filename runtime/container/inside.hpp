// Private to runtime/container: work on the mounts of a container that is there, by a process that has joined its mount namespace.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace brig::container {

// `root` is the container's root; `host_proc` the host's /proc, since the container's own may be anything. Runs in the
// process inside; the text comes back to the caller.
using WorkInside = std::function<Result<std::string>(FdRef root, FdRef host_proc)>;

// `namespaces`: CLONE_NEW* that the container has of its own. The pid namespace is never joined, so that no process of the
// container sees the one inside. The text is at most some 60 KiB.
Result<std::string> run_inside(FdRef init, uint64_t namespaces, const WorkInside& work);

} // namespace brig::container
