// The options of a mount (config.md "Linux mount options") by who takes them: mount_setattr, the superblock, brig.
//
// Layer: pure. A later option overrides an earlier one that contradicts it, as with mount(8). Options that the table
// does not know are data for the file system.
#pragma once

#include "base/result.hpp"
#include "spec/id_map_option.hpp"
#include "spec/vocabulary.hpp"

#include <optional>

namespace brig::spec {

struct MountOptions {
    // MOUNT_ATTR_* for mount_setattr. Whoever names an access time option has MOUNT_ATTR__ATIME in `clear`, as the
    // kernel demands; relatime is the absence of a bit in `set`.
    uint64_t set_attributes = 0;
    uint64_t clear_attributes = 0;
    // The same with AT_RECURSIVE: rro, rnosuid ...
    uint64_t recursive_set = 0;
    uint64_t recursive_clear = 0;

    // MS_RDONLY, MS_SYNCHRONOUS, MS_DIRSYNC, MS_MANDLOCK, MS_LAZYTIME, MS_SILENT, MS_I_VERSION and MS_POSIXACL: for
    // the superblock of a new file system or of a remount. "ro" is here and in set_attributes. No meaning for binds.
    uint64_t superblock_set = 0;
    uint64_t superblock_clear = 0;

    std::vector<PropagationChange> propagation; // to be applied in this order

    bool bind = false;           // "bind" and "rbind"
    bool recursive_bind = false; // "rbind"
    bool remount = false;
    bool idmap = false;                // "idmap" and "ridmap"
    bool recursive_idmap = false;      // "ridmap"
    std::optional<IdMapOption> id_map; // "idmap=uids=...;gids=..."

    // Extensions that runc and crun know.
    bool tmpcopyup = false;            // fill the tmpfs with what the image has there
    bool copy_symlink = false;         // a symbolic link as source is copied, not followed
    bool source_nofollow = false;      // "src-nofollow"
    bool destination_nofollow = false; // "dest-nofollow"

    // For an overlay at "/": its upper directory is a new tmpfs of this size (tmpfs's "size=", empty: its default).
    std::optional<std::string> tmpfs_upper; // "tmpfs-upper", "tmpfs-upper=64m"

    std::vector<std::string> data; // for the file system: "size=64m", "newinstance"
};

Result<MountOptions> parse_mount_options(const std::vector<std::string>& options);

// superblock_set and superblock_clear in the words of fsconfig(FSCONFIG_SET_FLAG): "ro", "sync", "nolazytime" ...
// MS_SILENT, MS_I_VERSION and MS_POSIXACL have no word there: the kernel takes them from mount(2) only.
std::vector<std::string_view> superblock_words(const MountOptions& options);

// Every known option, sorted, for `features`.
std::vector<std::string> mount_option_names();

} // namespace brig::spec
