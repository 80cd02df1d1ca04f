// The mount API by descriptors: detached trees are made, changed and then put onto a target descriptor.
//
// Errors: kind system with the call and its arguments; from fsconfig with the file system's own message from the fd's log.
// Fallbacks: none here. A kernel without these calls (before 5.12) is refused by host_facts in words.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace brig::kernel {

// fsconfig(2) takes no longer values; mount(2) takes a page of options.
inline constexpr size_t longest_parameter = 255;

struct FileSystemRequest {
    std::string type;
    std::string source;                                       // empty: none
    std::vector<std::pair<std::string, std::string>> strings; // "size" = "64m"
    std::vector<std::string> flags;                           // "ro", "lazytime"
    uint64_t attributes = 0;                                  // MOUNT_ATTR_*
};

// fsopen, fsconfig..., fsmount: a detached mount. Its descriptor is also a directory to work in before it is attached.
Result<Fd> new_file_system(const FileSystemRequest& request);
// fspick, fsconfig...: new parameters for the file system of the mount that `mount` is the root of.
Result<> reconfigure_file_system(FdRef mount, const FileSystemRequest& request);

enum class Recursion { none, all };

// open_tree(OPEN_TREE_CLONE): a detached copy of the mount (tree) at directory/path; an empty path is the descriptor
// itself. flags: AT_SYMLINK_NOFOLLOW or 0. The descriptor stays that of the mount once it is attached.
Result<Fd> clone_mount(FdRef directory, const std::string& path, Recursion recursion, int flags = 0);

struct MountAttributes {
    uint64_t set = 0;         // MOUNT_ATTR_*
    uint64_t clear = 0;       // MOUNT_ATTR_*; contains MOUNT_ATTR__ATIME when `set` changes the access time mode
    uint64_t propagation = 0; // MS_SHARED, MS_PRIVATE, MS_SLAVE, MS_UNBINDABLE or 0
    int user_namespace = -1;  // with MOUNT_ATTR_IDMAP
};

Result<> set_mount_attributes(FdRef mount, const MountAttributes& attributes, Recursion recursion);
// The same for the mount at "/".
Result<> set_propagation_of_root(uint64_t propagation, Recursion recursion);
// Puts the mount onto what `target` refers to (directory onto directory, else file onto file; O_PATH is enough).
Result<> attach_mount(FdRef mount, FdRef target);
// Onto an entry of a directory that only the caller can change; a link there is not followed.
Result<> attach_mount(FdRef mount, FdRef directory, const std::string& name);
// umount2(MNT_DETACH), relative to the working directory; "." is the topmost mount there.
Result<> detach(const std::string& path);
Result<> detach(FdRef target);

// STATX_MNT_ID of the mount that the descriptor was opened on.
Result<uint64_t> mount_id(FdRef fd);
// Whether the descriptor is the root of a mount.
Result<bool> is_mount_root(FdRef fd);
// MOUNT_ATTR_* that the mount has now.
Result<uint64_t> mount_attributes(FdRef fd);
// The SELinux label of a mount's root directory.
Result<> set_security_label(FdRef mount, const std::string& label);
// mount(2), for what the new API cannot say. The target is a descriptor; it goes through /proc/self/fd.
Result<> mount_call(const std::string& source, FdRef target, const std::string& type, unsigned long flags,
                    const std::string& data);

} // namespace brig::kernel
