// A procfs of our own that no container can overmount: fsopen("proc"), never attached to a path.
//
// Defends: CVE-2019-16884, CVE-2025-31133, CVE-2025-52881: writes meant for /proc/self/attr or sysctls must not be
// redirected by mounts of the image's making. Where fsopen is refused (user namespaces with masked /proc), the host's
// /proc is opened and verified: superblock type and root inode; each file opened below it is checked to be on the same mount.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <string>
#include <string_view>
#include <sys/types.h>

namespace brig::kernel {

class Procfs {
public:
    // Of the calling process's pid namespace.
    static Result<Procfs> open();

    Result<Fd> open_file(const std::string& path, int flags) const; // relative, no links, same mount
    Result<> write(const std::string& path, std::string_view data) const;
    Result<std::string> read(const std::string& path, size_t limit = 1 << 20) const;
    FdRef root() const { return m_root; }

private:
    explicit Procfs(Fd root) : m_root(std::move(root)) {}
    Fd m_root;
};

// Field 22 of /proc/<pid>/stat: clock ticks since boot. Together with the pid it identifies a process for good.
// Errors: kind not_found when there is no such process.
struct ProcessStat {
    char state = '?'; // 'R', 'S', 'Z'...
    pid_t parent = 0;
    uint64_t start_time = 0;
};
Result<ProcessStat> process_stat(pid_t pid);

} // namespace brig::kernel
