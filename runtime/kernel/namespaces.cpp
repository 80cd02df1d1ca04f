#include "kernel/namespaces.hpp"

#include "kernel/call.hpp"
#include "kernel/files.hpp"

#include <sched.h>
#include <sys/stat.h>

namespace brig::kernel {

Result<> join_namespace(FdRef fd, uint64_t flags)
{
    if (::setns(fd.get(), static_cast<int>(flags)) < 0)
        return BRIG_CALL_FAILED("setns {} flags {:#x}", path_of(fd), flags);
    return {};
}

Result<> unshare(uint64_t flags)
{
    if (::unshare(static_cast<int>(flags)) < 0)
        return BRIG_CALL_FAILED("unshare flags {:#x}", flags);
    return {};
}

namespace {

std::string process_directory(pid_t pid)
{
    return pid == 0 ? "/proc/self" : fmt::format("/proc/{}", pid);
}

} // namespace

Result<uint64_t> namespace_identity(pid_t pid, const std::string& name)
{
    struct stat status = TRY(status_at(working_directory, process_directory(pid) + "/ns/" + name, 0));
    return status.st_ino;
}

Result<> write_id_maps(pid_t pid, const std::string& uid_map, const std::string& gid_map, bool deny_setgroups)
{
    std::string directory = process_directory(pid);
    if (!uid_map.empty())
        TRY(write_control_file(working_directory, directory + "/uid_map", uid_map));
    if (deny_setgroups)
        TRY(write_control_file(working_directory, directory + "/setgroups", "deny"));
    return gid_map.empty() ? Result<>() : write_control_file(working_directory, directory + "/gid_map", gid_map);
}

Result<> write_time_offsets(pid_t pid, const std::string& lines)
{
    return write_control_file(working_directory, process_directory(pid) + "/timens_offsets", lines);
}

} // namespace brig::kernel
