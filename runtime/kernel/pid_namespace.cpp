#include "kernel/pid_namespace.hpp"

#include "base/text.hpp"
#include "kernel/child_process.hpp"
#include "kernel/files.hpp"
#include "kernel/namespaces.hpp"

#include <cerrno>
#include <linux/nsfs.h>
#include <sys/ioctl.h>

namespace brig::kernel {

namespace {

// A namespace's file says who is its parent only as long as that is one that the caller may see.
bool is_at_or_below(Fd name_space, uint64_t identity)
{
    constexpr int deepest = 32; // MAX_PID_NS_LEVEL
    for (int level = 0; level <= deepest && name_space.valid(); level++) {
        auto status = status_of(name_space);
        if (!status)
            return false;
        if (status->st_ino == identity)
            return true;
        name_space = Fd(::ioctl(name_space.get(), NS_GET_PARENT));
    }
    return false;
}

} // namespace

Result<std::vector<Member>> processes_of_pid_namespace(pid_t process)
{
    uint64_t identity = TRY(namespace_identity(process, "pid"));
    Fd proc = TRY(open_at(working_directory, "/proc", O_RDONLY | O_DIRECTORY));
    std::vector<Member> members;
    for (const auto& name : TRY(list_directory(proc))) {
        auto number = parse_unsigned(name);
        if (!number)
            continue;
        auto pid = static_cast<pid_t>(*number);
        // The pidfd first: what is read after it belongs to that process, or it has ended.
        auto pidfd = pidfd_open(pid);
        auto name_space = open_at(proc, name + "/ns/pid", O_RDONLY);
        if (pidfd && name_space && is_at_or_below(std::move(*name_space), identity))
            members.push_back({pid, std::move(*pidfd)});
    }
    return members;
}

} // namespace brig::kernel
