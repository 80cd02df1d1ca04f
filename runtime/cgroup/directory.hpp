// One directory of one cgroup hierarchy: made, given controllers and limits, watched, removed.
//
// Runs in: the launcher and the verbs. Paths are the host's own, below a mount point of cgroup v1 or v2. Nothing here
// knows what a container is. Errors: kind system naming the file and the value; not_supported for a missing file.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "plan/plan.hpp"

#include <cstdint>
#include <string>
#include <sys/types.h>
#include <vector>

namespace brig::cgroup {

// mkdir with missing parents. Gives what was made, parents first; nothing when all of it existed.
Result<std::vector<std::string>> make_cgroup_directories(const std::string& mount_point, const std::string& path);

// v1: a cpuset without CPUs or memory nodes takes no process; a new one is empty unless its parent says otherwise.
// `made`: what make_cgroup_directories gave.
Result<> inherit_cpuset(const std::string& mount_point, const std::string& path, const std::vector<std::string>& made);

// v2: cgroup.subtree_control from the root down. Fails only for controllers that are in `needed`.
Result<> enable_controllers(const std::string& mount_point, const std::string& path, const std::vector<std::string>& wanted,
                            const std::vector<std::string>& needed);

// In order; a value that the kernel finds invalid is tried again after the others, because limits bound each other
// (memory and memory+swap, quota and burst) and which one may go first depends on the present values.
Result<> write_limits(FdRef directory, const std::vector<plan::CgroupWrite>& writes);

// Of this directory alone. Zeros (processes of pid namespaces that are not visible here) are left out.
Result<std::vector<pid_t>> read_processes(const std::string& directory);
// Of this directory and all below, each once.
Result<std::vector<pid_t>> read_processes_below(const std::string& directory);
Result<std::vector<std::string>> child_directories(const std::string& directory);

// rmdir, children first, waiting until `deadline` (kernel::monotonic_milliseconds) for processes to end. Missing is fine.
Result<> remove_cgroup_directory(const std::string& directory, bool unified, int64_t deadline);

// The value of "key value" lines as in cgroup.events; empty when there is none.
std::string value_of_key(std::string_view text, std::string_view key);

} // namespace brig::cgroup
