// The mounts of a process's mount namespace, as /proc/<pid>/mountinfo lists them.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace brig::kernel {

struct MountEntry {
    uint64_t id = 0;
    uint64_t parent = 0;
    std::string device; // "8:1"
    std::string root;   // which part of the file system is mounted
    std::string mount_point;
    std::string options;     // of this mount: "ro,nosuid,relatime"
    std::string propagation; // "shared:12 master:3"; empty: private
    std::string type;
    std::string source;
    std::string super_options; // of the file system, "rw,size=65536k"
};

// One of comma-separated options.
bool has_mount_option(std::string_view options, std::string_view option);

// A mount comes after the one that it is on. `process` is a pid or "self". Kind internal for a line of another form.
Result<std::vector<MountEntry>> read_mount_table(const std::string& process);
Result<std::vector<MountEntry>> parse_mount_table(std::string_view text);

} // namespace brig::kernel
