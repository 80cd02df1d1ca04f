#include "kernel/id_mapped.hpp"

#include "base/text.hpp"
#include "kernel/child_process.hpp"
#include "kernel/files.hpp"
#include "kernel/namespaces.hpp"
#include "kernel/process.hpp"

#include <csignal>
#include <sched.h>
#include <unistd.h>

namespace brig::kernel {

namespace {

// The number of the child in the pid namespace of the mounted /proc, which is not the caller's own when the caller is
// the first process of a new pid namespace and still sees the host's /proc.
Result<pid_t> pid_as_procfs_counts(FdRef pidfd)
{
    std::string text = TRY(read_file(working_directory, fmt::format("/proc/self/fdinfo/{}", pidfd.get()), 4096));
    for (std::string_view line : split(text, '\n'))
        if (line.starts_with("Pid:"))
            return static_cast<pid_t>(TRY(parse_integer(trim(line.substr(4)))));
    return failure(ErrorKind::system, "/proc/self/fdinfo of a pidfd has no line \"Pid:\"");
}

Result<Fd> map_and_open(FdRef pidfd, const std::string& uid_map, const std::string& gid_map)
{
    pid_t pid = TRY(pid_as_procfs_counts(pidfd));
    TRY(write_id_maps(pid, uid_map, gid_map, false));
    return open_at(working_directory, fmt::format("/proc/{}/ns/user", pid), O_RDONLY);
}

} // namespace

Result<Fd> make_user_namespace(const std::string& uid_map, const std::string& gid_map)
{
    CloneRequest request;
    request.flags = CLONE_NEWUSER;
    CloneOutcome child = TRY(clone_process(request));
    if (child.in_child) {
        // Nobody is left to end it when its maker is killed in between.
        (void)set_parent_death_signal(SIGKILL);
        while (true)
            ::pause();
    }
    auto name_space = map_and_open(child.pidfd, uid_map, gid_map);
    (void)pidfd_send_signal(child.pidfd, SIGKILL);
    (void)wait_for(child.pid);
    return name_space;
}

} // namespace brig::kernel
