// Intel RDT and its kin by the resctrl file system (config-linux.md "IntelRdt"): a directory is a class of service or a
// monitoring group, and who is written into its file `tasks` belongs to it.
//
// Runs in: the launcher (create, exec) and the caller (update, delete), never inside a container.
// Errors name linux.intelRdt; what the kernel has against a schema it says in info/last_cmd_status, which is added.
#pragma once

#include "base/result.hpp"
#include "plan/plan.hpp"

#include <string>
#include <sys/types.h>
#include <vector>

namespace brig::setup {

// The directories as planned, made where they are missing; a class that somebody else made must have the planned
// schemata already. On failure what was made is removed.
Result<> make_resctrl_groups(const plan::IntelRdt& planned);
// Moves one process (its threads to come follow, those that it has do not).
Result<> join_resctrl_groups(const std::vector<std::string>& directories, pid_t pid);
// Replaces the named resources of a class: lines as in the file schemata.
Result<> write_schemata(const std::string& directory, const std::vector<std::string>& lines);
// Missing directories are fine.
Result<> remove_resctrl_groups(const std::vector<std::string>& directories);

} // namespace brig::setup
