// setns, unshare and id maps. The pure names and flags are in spec/vocabulary.hpp.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <sys/types.h>

namespace brig::kernel {

// `fd` is a namespace file or a pidfd; flags name the namespaces to join (CLONE_NEW*), 0 accepts any type for a file.
Result<> join_namespace(FdRef fd, uint64_t flags);
Result<> unshare(uint64_t flags);
// Inode number that identifies the namespace behind /proc/<pid>/ns/<name> ("self" for pid 0).
Result<uint64_t> namespace_identity(pid_t pid, const std::string& name);
// Writes /proc/<pid>/{uid_map,gid_map,setgroups}. A map has lines "inside outside size"; an empty one is written by somebody
// else. Without CAP_SETGID the kernel takes a gid_map only after setgroups was denied.
Result<> write_id_maps(pid_t pid, const std::string& uid_map, const std::string& gid_map, bool deny_setgroups);
// Writes /proc/<pid>/timens_offsets before anybody is inside.
Result<> write_time_offsets(pid_t pid, const std::string& lines);

} // namespace brig::kernel
