// The mount API by descriptors: detached trees are made, changed and then put onto a target descriptor.
//
// Errors: kind system with the call and its arguments; from fsconfig with the file system's own message from the fd's log.
// Fallbacks: none here. A kernel without these calls (before 5.12) is refused by host_facts in words.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace brig::kernel {

struct FileSystemRequest {
    std::string type;
    std::string source;                                         // empty: none
    std::vector<std::pair<std::string, std::string>> strings;   // "size" = "64m"
    std::vector<std::string> flags;                             // "ro", "lazytime"
    uint64_t attributes = 0;                                    // MOUNT_ATTR_*
};

// fsopen, fsconfig..., fsmount: a detached mount.
Result<Fd> new_file_system(const FileSystemRequest& request);

enum class Recursion { none, all };

// open_tree(OPEN_TREE_CLONE): a detached copy of the mount (tree) at directory/path. flags: AT_SYMLINK_NOFOLLOW or 0.
Result<Fd> clone_mount(FdRef directory, const std::string& path, Recursion recursion, int flags = 0);
// open_tree without clone of what fd refers to is never needed: a descriptor is enough as a target.

struct MountAttributes {
    uint64_t set = 0;   // MOUNT_ATTR_*
    uint64_t clear = 0; // MOUNT_ATTR_*; contains MOUNT_ATTR__ATIME when `set` changes the access time mode
    uint64_t propagation = 0; // MS_SHARED, MS_PRIVATE, MS_SLAVE, MS_UNBINDABLE or 0
    int user_namespace = -1;  // with MOUNT_ATTR_IDMAP
};

Result<> set_mount_attributes(FdRef mount, const MountAttributes& attributes, Recursion recursion);
// Puts the detached mount onto the target that `target` refers to (a directory or file descriptor, O_PATH is enough).
Result<> attach_mount(FdRef mount, FdRef target);
Result<> detach(const std::string& path); // umount2(MNT_DETACH), relative to the working directory
Result<> detach(FdRef target);
// Changes the mount that is found at an attached directory descriptor.
Result<> set_propagation_of_root(uint64_t propagation, Recursion recursion);

// STATX_MNT_ID of the mount that the descriptor was opened on.
Result<uint64_t> mount_id(FdRef fd);
// ST_* flags of fstatvfs: ST_RDONLY, ST_NOSUID...
Result<uint64_t> mount_flags(FdRef fd);
// mount(2) with MS_BIND|MS_REMOUNT and such, for what the new API cannot say.
Result<> mount_call(const std::string& source, const std::string& target, const std::string& type, unsigned long flags,
                    const std::string& data);

} // namespace brig::kernel
