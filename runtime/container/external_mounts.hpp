// Mounts of a container whose file systems are the host's: CRIU saves only their names, and restore says what to bind there.
//
// Names are the destinations as config.json has them, so that images of other runtimes fit, too. Runs in: the caller, outside of
// the container. What the container holds is looked at by descriptor inside its root; it decides about its own restore only.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "container/criu_message.hpp"
#include "container/live_mounts.hpp"
#include "plan/plan.hpp"

#include <string>
#include <sys/types.h>
#include <vector>

namespace brig::container {

struct ExternalMount {
    std::string name;
    std::string host_source;
};

// All that the plan has. For restore.
std::vector<ExternalMount> planned_external_mounts(const plan::Plan& plan);

// The dump's list, mount point -> name, of the container whose init is `pid`. `added`: by `brig mounts add`.
Result<std::vector<CriuNamedPath>> find_external_mounts(const plan::Plan& plan, const std::vector<LiveMount>& added, pid_t pid);

// The host's source of a name that the dump had: planned, added, or a mount below a planned bind (rbind brings such along).
Result<std::string> source_of_external_mount(const std::vector<ExternalMount>& known, const std::string& name);

// CRIU makes several binds of one file system by cloning the first, without the flags that each of them had: a read-only
// bind would come back writable. So the flags are saved by brig, and set again while the restored processes still wait.
struct MountFlags {
    std::string mount_point;
    uint64_t attributes = 0; // MOUNT_ATTR_*: read-only, nosuid, nodev, noexec, nosymfollow
};

// Of every mount of the container that is not covered by another one.
Result<std::vector<MountFlags>> read_mount_flags(pid_t pid);
// Adds what is missing. Runs in a process inside (container/inside.hpp).
Result<> restore_mount_flags(FdRef root, const std::vector<MountFlags>& mounts);

} // namespace brig::container
