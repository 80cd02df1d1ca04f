#include "kernel/procfs.hpp"

#include "kernel/call.hpp"
#include "kernel/files.hpp"
#include "kernel/mounting.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/openat2.h>

namespace brig::kernel {

namespace {

constexpr uint64_t procfs_root_inode = 1; // PROC_ROOT_INO
constexpr uint64_t private_attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

Result<Fd> new_procfs(Procfs::View view)
{
    FileSystemRequest request;
    request.type = "proc";
    request.source = "proc";
    request.attributes = private_attributes;
    if (view == Procfs::View::processes)
        request.strings = {{"hidepid", "ptraceable"}, {"subset", "pid"}};
    return new_file_system(request);
}

Result<Fd> find_procfs(Procfs::View view)
{
    auto fresh = new_procfs(view);
    if (fresh)
        return fresh;
    // Without recursion: the clone has none of the mounts that lie on top of this /proc.
    auto clone = clone_mount(working_directory, "/proc", Recursion::none);
    if (clone)
        return clone;
    return open_at(working_directory, "/proc", O_PATH | O_DIRECTORY);
}

Result<> verify(FdRef root)
{
    if (TRY(file_system_type(root)) != PROC_SUPER_MAGIC || TRY(status_of(root)).st_ino != procfs_root_inode)
        return failure(Error(ErrorKind::invalid, "/proc is not a procfs").with_hint("mount procfs on /proc of the host"));
    return {};
}

} // namespace

Result<Procfs> Procfs::open(View view)
{
    Fd root = TRY_DURING("open a private procfs", find_procfs(view));
    TRY(verify(root));
    return Procfs(std::move(root));
}

Result<Procfs> Procfs::of_host()
{
    Fd root = TRY(open_at(working_directory, "/proc", O_PATH | O_DIRECTORY));
    TRY(verify(root));
    return Procfs(std::move(root));
}

// "self" is a link, and links are refused. The procfs knows the caller's number in its own pid namespace; getpid() would
// be the number in the caller's.
Result<std::string> Procfs::without_self(const std::string& path) const
{
    constexpr std::string_view self = "self/";
    if (!path.starts_with(self))
        return path;
    return TRY(read_link(m_root, "self")) + path.substr(self.size() - 1);
}

Result<Fd> Procfs::open_file(const std::string& path, int flags) const
{
    for (auto component : split(path, '/'))
        if (component.empty() || component == "." || component == "..")
            return failure(ErrorKind::invalid, fmt::format("{} is not a plain path below /proc", quoted(path)));
    constexpr uint64_t resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS;
    auto file = open_at2(m_root, TRY(without_self(path)), static_cast<uint64_t>(flags), 0, resolve);
    if (!file && file.error().code() == EXDEV)
        return failure(std::move(file).error().with_hint("something is mounted on top of this file of /proc"));
    return file;
}

Result<> Procfs::write(const std::string& path, std::string_view data) const
{
    Fd file = TRY(open_file(path, O_WRONLY | O_NOCTTY));
    ssize_t written = retry_interrupted([&] { return ::write(file.get(), data.data(), data.size()); });
    if (written < 0)
        return BRIG_CALL_FAILED("write {} to /proc/{}", quoted(data), one_line(path));
    if (static_cast<size_t>(written) != data.size())
        return failure(ErrorKind::system, fmt::format("/proc/{} took {} of {} bytes", one_line(path), written, data.size()));
    return {};
}

Result<std::string> Procfs::read(const std::string& path, size_t limit) const
{
    return read_all(TRY(open_file(path, O_RDONLY | O_NOCTTY)), limit);
}

Result<ProcessStat> parse_process_stat(std::string_view text)
{
    // The name is in parentheses and can hold spaces and parentheses itself: the last one ends it.
    constexpr size_t state_field = 0;
    constexpr size_t parent_field = 1;
    constexpr size_t start_time_field = 19;
    auto end_of_name = text.rfind(") ");
    auto malformed = [&] { return failure(ErrorKind::internal, fmt::format("{} is not a process's stat", quoted(text))); };
    if (end_of_name == std::string_view::npos)
        return malformed();
    auto fields = split(trim(text.substr(end_of_name + 2)), ' ');
    if (fields.size() <= start_time_field || fields[state_field].size() != 1)
        return malformed();
    ProcessStat stat;
    stat.state = fields[state_field][0];
    stat.parent = static_cast<pid_t>(TRY(parse_integer(fields[parent_field])));
    stat.start_time = TRY(parse_unsigned(fields[start_time_field]));
    return stat;
}

Result<ProcessStat> process_stat(pid_t pid)
{
    constexpr size_t limit = 4096;
    auto text = read_file(working_directory, fmt::format("/proc/{}/stat", pid), limit);
    // ESRCH: the process was reaped between open and read.
    if (!text && (text.error().code() == ENOENT || text.error().code() == ESRCH))
        return failure(std::move(text).error().with_kind(ErrorKind::not_found));
    if (!text)
        return failure(std::move(text).error());
    return parse_process_stat(*text);
}

} // namespace brig::kernel
