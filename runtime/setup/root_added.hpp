// Mounts into the root of a container that runs already, and their removal.
//
// The container is awake and hostile: sources are cloned on the host by descriptor, destinations are resolved inside the root by
// descriptor once, and what was attached is known by the descriptor of the mount, never found again by a path that leads
// through links. check_added_mount and clone_added_source run in the caller, the others in a process that has joined the
// container's mount namespace (and user namespace), but not its pid namespace: nobody inside can see it.
// Defends: what 2021-30465 did at the start of a container.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "plan/plan.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace brig::setup {

// What can be mounted only at a start is refused: proc, sysfs, cgroup and their kind, remounts.
Result<> check_added_mount(const plan::Mount& mount);
// The detached clone of a bind's source with its options and id mapping.
Result<Fd> clone_added_source(const plan::Mount& mount);

struct AddedMounts {
    FdRef root{-1};
    FdRef host_proc{-1}; // the host's /proc, opened before the namespace was joined
    const std::vector<plan::Mount>& mounts;
    const std::vector<Fd>& sources; // by index; not valid for new file systems
    std::string label;              // linux.mountLabel
};

// All or none. Gives the ids of the mounts.
Result<std::vector<uint64_t>> add_mounts(const AddedMounts& request);

struct RemovedMount {
    std::string mount_point; // as the mount table has it
    uint64_t id = 0;         // 0: whatever is mounted exactly there
};

// All are looked at before the first one goes.
Result<> remove_mounts(FdRef root, FdRef host_proc, const std::vector<RemovedMount>& mounts);

} // namespace brig::setup
