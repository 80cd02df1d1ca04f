// What a container's mounts show it: parts of the host's file systems, and the kernel's files in /proc and /sys.
//
// Layer: pure, over the mount tables of both sides. A path is followed through the mounts as the kernel does it, so that what
// lies under another mount counts as hidden.
#pragma once

#include "kernel/mount_table.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace brig::inspect {

struct SeenMount {
    kernel::MountEntry entry;
    std::string host_path; // the same files' path on the host; empty: they are the container's own

    bool shared_with_host = false; // mounts made in it appear on the host, or the other way round
    bool is_socket = false;        // a unix socket on which somebody of the host listens

    bool writable() const;
};

enum class Exposure {
    absent,   // this kernel has no such file
    masked,   // something else lies over it, or nothing is mounted there
    readable, // and no more
    writable,
};

struct KernelPath {
    std::string path; // "/proc/kcore"
    Exposure exposure = Exposure::absent;
};

struct MountsSeen {
    std::vector<SeenMount> all; // a mount comes after the one that it is on
    std::vector<KernelPath> kernel_paths;

    const SeenMount* root() const; // null: the table is empty
};

// `existing`: which of watched_kernel_paths the kernel has.
MountsSeen see_mounts(std::vector<kernel::MountEntry> container, const std::vector<kernel::MountEntry>& host,
                      const std::vector<std::string>& existing);

// Those that a container should not read, or not write.
const std::vector<std::string>& watched_kernel_paths();

// `path` is `parent` or below it.
bool covers(std::string_view parent, std::string_view path);

} // namespace brig::inspect
