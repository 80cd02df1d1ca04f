// Private to the files root_*.cpp: what mount_range shares with the mounts of type cgroup.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "kernel/mounting.hpp"
#include "plan/plan.hpp"

namespace brig::setup {

// Mode of directories and files that are made to be mounted on, as runc makes them.
inline constexpr unsigned mount_point_mode = 0755;

// What mount(2) calls data, as fsconfig(2) wants it, and the attributes of the new mount.
kernel::FileSystemRequest file_system_request(const plan::Mount& mount);

// The plan has looked at the written path; this looks at where links of the image led to. A mount over a part of a
// procfs could stand for /proc/self/attr or /proc/sys.
Result<> check_target_outside_proc(const plan::Mount& mount, FdRef target);

// Applies what a clone of an existing mount needs: attributes, recursive attributes, propagation. In as few calls as it can be said.
Result<> apply_options_to_clone(FdRef clone, const spec::MountOptions& options);
Result<> apply_propagation(FdRef mount, const spec::MountOptions& options);

// As a mount's uidMappings and gidMappings say; nothing without them.
Result<> map_ids(FdRef mount, const plan::Mount& planned);

// The file system of a first mount with the destination "/" that is no bind. In the init `place` is the old root, onto which
// it is attached; the launcher of a user namespace gives none and gets it detached, with its layers id-mapped.
Result<Fd> make_root_file_system(const plan::Mount& mount, const std::string& label, FdRef place);

Result<> mount_cgroup_v2(FdRef root, const plan::Plan& plan, const plan::Mount& mount);
Result<> mount_cgroup_v1(FdRef root, const plan::Plan& plan, const plan::Mount& mount);

} // namespace brig::setup
