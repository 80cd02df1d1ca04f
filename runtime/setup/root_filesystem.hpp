// Builds the container's root: propagation, the root's own mount, every mount of the plan, masks, and the switch into it.
//
// Runs in: the container's init, in its new mount namespace, before pivot_root. Implements config.md "Root", "Mounts" and
// config-linux.md "Rootfs Mount Propagation", "Masked Paths", "Readonly Paths", "Default Filesystems".
// Every target is resolved and created by descriptor inside `root` (kernel/path_in_root.hpp); no string is resolved twice.
// Directories that are made on the way have mode 0755 less the process's umask.
// Defends: CVE-2019-19921, 2021-30465, 2023-27561, 2024-45310, 2025-31133.
#pragma once

#include "base/fd.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "plan/plan.hpp"

#include <functional>

namespace brig::setup {

// Gives the detached clone of a bind mount's source (kernel::clone_mount), id-mapped where the mount asks for it.
// Without user namespace the init makes it itself; in one it asks the launcher, who may see the host's paths.
using MountSource = std::function<Result<Fd>(const plan::Mount&)>;

// The MountSource for a process that still sees the host's tree.
Result<Fd> clone_host_source(const plan::Mount& mount);

// The same, and for new file systems that are to be id-mapped: in a user namespace nobody inside can do that. `label` is
// linux.mountLabel.
Result<Fd> make_host_source(const plan::Mount& mount, const std::string& label);

// Makes the namespace's propagation as planned and puts a private copy of the root file system on its own path.
// Returns the new root as O_PATH descriptor.
Result<Fd> open_root(const plan::RootFilesystem& root);

// Carries out root.mounts[first..last). A first mount with the destination "/" becomes `root`. Two or three descriptors are held at a time, however many mounts there are.
// Mounts of type cgroup show the container's own cgroups: plan.cgroup.directories, which the init must be inside of (and
// in its new cgroup namespace) by then.
Result<> mount_range(Fd& root, const plan::Plan& plan, size_t first, size_t last, const MountSource& source);

// /dev nodes, links and ptmx (setup/devices.hpp is called by the launch layer), then masks and read-only paths.
Result<> mask_paths(FdRef root, const plan::RootFilesystem& plan);
Result<> make_paths_readonly(FdRef root, const plan::RootFilesystem& plan);
// Makes the root's own mount and the tmpfs mounts with "ro" read-only; run after everything that creates files.
Result<> make_root_readonly(FdRef root, const plan::RootFilesystem& plan);

// pivot_root (or move + chroot), the old root detached, working directory "/".
Result<> enter_root(FdRef root, const plan::RootFilesystem& plan);

} // namespace brig::setup
