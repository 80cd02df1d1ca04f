// A procfs of our own that no container can overmount: fsopen("proc"), never attached to a path.
//
// Defends: CVE-2019-16884, CVE-2025-31133, CVE-2025-52881: writes meant for /proc/self/attr or sysctls must not be
// redirected by mounts of the image's making. Where fsopen is refused (a user namespace below a masked /proc), a detached
// clone of the /proc in sight is used, else that /proc itself. Whatever it is, it is verified (superblock type and root
// inode), and each file is opened without links and without leaving the mount, so an overmount is an error, not a detour.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace brig::kernel {

class Procfs {
public:
    // `processes` (subset=pid) has no sysctls, so that a leaked descriptor of it opens nothing of the host.
    // `everything` is for sysctls: open it, write, drop it.
    enum class View { processes, everything };

    // Of the calling process's pid namespace.
    static Result<Procfs> open(View view = View::processes);

    // /proc itself, verified. For the launcher, in whose mount namespace only the host mounts; costs a fifth of open().
    static Result<Procfs> of_host();

    // Paths are relative. A first component "self" is the caller; "." and ".." are refused (kind invalid).
    Result<Fd> open_file(const std::string& path, int flags) const;
    Result<> write(const std::string& path, std::string_view data) const; // one write(2)
    Result<std::string> read(const std::string& path, size_t limit = 1 << 20) const;
    FdRef root() const { return m_root; }

private:
    explicit Procfs(Fd root) : m_root(std::move(root)) {}
    Result<std::string> without_self(const std::string& path) const;

    Fd m_root;
};

// From /proc/<pid>/stat. Start time: clock ticks since boot; together with the pid it identifies a process for good.
// Errors: kind not_found when there is no such process.
struct ProcessStat {
    char state = '?'; // 'R', 'S', 'Z'...
    pid_t parent = 0;
    uint64_t start_time = 0;
};
Result<ProcessStat> process_stat(pid_t pid);
// The text of /proc/<pid>/stat; kind internal when it is none.
Result<ProcessStat> parse_process_stat(std::string_view text);

} // namespace brig::kernel
