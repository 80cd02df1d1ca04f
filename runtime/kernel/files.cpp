#include "kernel/files.hpp"

#include "kernel/call.hpp"

#include <climits>
#include <cstring>
#include <dirent.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

namespace brig::kernel {

namespace {

// "fd 5 (/run/brig)" costs a readlink; only failures pay for it.
std::string in_directory(FdRef directory, const std::string& path)
{
    if (directory.get() == AT_FDCWD || (!path.empty() && path[0] == '/'))
        return one_line(path);
    return one_line(path_of(directory) + (path.empty() ? "" : "/" + path));
}

} // namespace

Result<Fd> open_at(FdRef directory, const std::string& path, int flags, mode_t mode)
{
    int fd = retry_interrupted([&] { return ::openat(directory.get(), path.c_str(), flags | O_CLOEXEC, mode); });
    if (fd < 0)
        return BRIG_CALL_FAILED("open {}", in_directory(directory, path));
    return Fd(fd);
}

Result<Fd> open_at2(FdRef directory, const std::string& path, uint64_t flags, uint64_t mode, uint64_t resolve)
{
    struct open_how how = {};
    how.flags = flags | O_CLOEXEC;
    how.mode = mode;
    how.resolve = resolve;
    // A rename anywhere on the system during a ".." step gives EAGAIN; a hostile sidecar can cause many of them.
    constexpr int attempts = 128;
    long fd = -1;
    for (int attempt = 0; attempt < attempts; attempt++) {
        fd = retry_interrupted([&] { return ::syscall(SYS_openat2, directory.get(), path.c_str(), &how, sizeof how); });
        if (fd >= 0 || errno != EAGAIN)
            break;
    }
    if (fd < 0)
        return BRIG_CALL_FAILED("openat2 {}", in_directory(directory, path));
    return Fd(static_cast<int>(fd));
}

Result<Fd> duplicate(FdRef fd)
{
    int copy = ::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3);
    if (copy < 0)
        return BRIG_CALL_FAILED("duplicate descriptor {}", fd.get());
    return Fd(copy);
}

Result<Fd> memory_file(const std::string& name, unsigned flags)
{
    int fd = ::memfd_create(name.c_str(), flags | MFD_CLOEXEC);
    if (fd < 0)
        return BRIG_CALL_FAILED("memfd_create {}", name);
    return Fd(fd);
}

Result<Fd> executable_memory_file(const std::string& name)
{
    constexpr unsigned memory_file_exec = 0x10; // MFD_EXEC, newer than the distribution's headers; kernels before 6.3 refuse it
    auto file = memory_file(name, MFD_ALLOW_SEALING | memory_file_exec);
    return file ? std::move(file) : memory_file(name, MFD_ALLOW_SEALING);
}

Result<int> file_seals(FdRef fd)
{
    int seals = ::fcntl(fd.get(), F_GET_SEALS);
    if (seals < 0)
        return BRIG_CALL_FAILED("fcntl F_GET_SEALS");
    return seals;
}

Result<> seal_file(FdRef fd, int seals)
{
    if (::fcntl(fd.get(), F_ADD_SEALS, seals) < 0)
        return BRIG_CALL_FAILED("fcntl F_ADD_SEALS {:#x}", seals);
    return {};
}

Result<> copy_file(FdRef from, FdRef to)
{
    off_t position = 0;
    while (true) {
        constexpr size_t most = size_t{1} << 30;
        ssize_t count = retry_interrupted([&] { return ::sendfile(to.get(), from.get(), &position, most); });
        if (count < 0)
            return BRIG_CALL_FAILED("sendfile {} to {}", path_of(from), path_of(to));
        if (count == 0)
            return {};
    }
}

Result<std::string> read_some(FdRef fd, size_t size)
{
    std::string buffer(size, '\0');
    ssize_t count = retry_interrupted([&] { return ::read(fd.get(), buffer.data(), buffer.size()); });
    if (count < 0)
        return BRIG_CALL_FAILED("read {}", path_of(fd));
    buffer.resize(static_cast<size_t>(count));
    return buffer;
}

Result<std::string> read_all(FdRef fd, size_t limit)
{
    std::string text;
    // Not initialised: most files are far smaller, and each page that is not touched is a page fault less.
    char buffer[16384];
    while (true) {
        ssize_t count = retry_interrupted([&] { return ::read(fd.get(), buffer, sizeof buffer); });
        if (count < 0)
            return BRIG_CALL_FAILED("read {}", path_of(fd));
        if (count == 0)
            return text;
        text.append(buffer, static_cast<size_t>(count));
        if (text.size() > limit)
            return failure(ErrorKind::invalid, fmt::format("{} is larger than {} bytes", path_of(fd), limit));
    }
}

Result<std::string> read_file(FdRef directory, const std::string& path, size_t limit)
{
    Fd fd = TRY(open_at(directory, path, O_RDONLY));
    return read_all(fd, limit);
}

Result<> write_all(FdRef fd, std::string_view data)
{
    while (!data.empty()) {
        ssize_t count = retry_interrupted([&] { return ::write(fd.get(), data.data(), data.size()); });
        if (count < 0)
            return BRIG_CALL_FAILED("write {}", path_of(fd));
        data.remove_prefix(static_cast<size_t>(count));
    }
    return {};
}

Result<size_t> read_at(FdRef fd, uint64_t offset, char* buffer, size_t size)
{
    ssize_t count = retry_interrupted([&] { return ::pread(fd.get(), buffer, size, static_cast<off_t>(offset)); });
    if (count < 0)
        return BRIG_CALL_FAILED("read {}", path_of(fd));
    return static_cast<size_t>(count);
}

Result<> write_all_at(FdRef fd, uint64_t offset, std::string_view data)
{
    while (!data.empty()) {
        ssize_t count =
            retry_interrupted([&] { return ::pwrite(fd.get(), data.data(), data.size(), static_cast<off_t>(offset)); });
        if (count < 0)
            return BRIG_CALL_FAILED("write {}", path_of(fd));
        offset += static_cast<uint64_t>(count);
        data.remove_prefix(static_cast<size_t>(count));
    }
    return {};
}

Result<> write_control_file(FdRef directory, const std::string& path, std::string_view data)
{
    Fd fd = TRY(open_at(directory, path, O_WRONLY | O_NOFOLLOW));
    ssize_t count = retry_interrupted([&] { return ::write(fd.get(), data.data(), data.size()); });
    if (count < 0)
        return BRIG_CALL_FAILED("write {} to {}", quoted(data), in_directory(directory, path));
    if (static_cast<size_t>(count) != data.size())
        return failure(ErrorKind::system, fmt::format("write {} to {}: the kernel took {} of {} bytes", quoted(data),
                                                      in_directory(directory, path), count, data.size()));
    return {};
}

Result<> replace_file(FdRef directory, const std::string& name, std::string_view data, mode_t mode)
{
    std::string temporary = fmt::format(".{}.{}.new", base_name(name), ::getpid());
    if (auto parent = parent_path(name); parent != ".")
        temporary = fmt::format("{}/{}", parent, temporary);
    Fd fd = TRY(open_at(directory, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode));
    // ext4 writes a file's data out when it replaces another, unless its blocks are there already.
    (void)::fallocate(fd.get(), 0, 0, static_cast<off_t>(data.size()));
    auto written = write_all(fd, data);
    if (written)
        written = rename(directory, temporary, directory, name);
    if (!written)
        (void)remove_file(directory, temporary);
    return written;
}

Result<> make_directory(FdRef directory, const std::string& path, mode_t mode)
{
    if (::mkdirat(directory.get(), path.c_str(), mode) < 0)
        return BRIG_CALL_FAILED("mkdir {}", in_directory(directory, path));
    return {};
}

Result<> make_directories(const std::string& path, mode_t mode)
{
    if (::mkdir(path.c_str(), mode) == 0 || errno == EEXIST)
        return {};
    if (errno != ENOENT || path == "/" || path == ".")
        return BRIG_CALL_FAILED("mkdir {}", one_line(path));
    TRY(make_directories(std::string(parent_path(path)), mode));
    if (::mkdir(path.c_str(), mode) < 0 && errno != EEXIST)
        return BRIG_CALL_FAILED("mkdir {}", one_line(path));
    return {};
}

Result<> make_node(FdRef directory, const std::string& path, mode_t mode, dev_t device)
{
    if (::mknodat(directory.get(), path.c_str(), mode, device) < 0)
        return BRIG_CALL_FAILED("mknod {}", in_directory(directory, path));
    return {};
}

Result<> make_link(const std::string& target, FdRef directory, const std::string& path)
{
    if (::symlinkat(target.c_str(), directory.get(), path.c_str()) < 0)
        return BRIG_CALL_FAILED("symlink {} to {}", in_directory(directory, path), one_line(target));
    return {};
}

Result<std::string> read_link(FdRef directory, const std::string& path)
{
    std::string target(PATH_MAX, '\0');
    ssize_t count = ::readlinkat(directory.get(), path.c_str(), target.data(), target.size());
    if (count < 0)
        return BRIG_CALL_FAILED("readlink {}", in_directory(directory, path));
    target.resize(static_cast<size_t>(count));
    return target;
}

Result<> remove_file(FdRef directory, const std::string& path)
{
    if (::unlinkat(directory.get(), path.c_str(), 0) < 0 && errno != ENOENT)
        return BRIG_CALL_FAILED("unlink {}", in_directory(directory, path));
    return {};
}

Result<> remove_directory(FdRef directory, const std::string& path)
{
    if (::unlinkat(directory.get(), path.c_str(), AT_REMOVEDIR) < 0 && errno != ENOENT)
        return BRIG_CALL_FAILED("rmdir {}", in_directory(directory, path));
    return {};
}

Result<> remove_tree(FdRef directory, const std::string& path)
{
    if (::unlinkat(directory.get(), path.c_str(), 0) == 0 || errno == ENOENT)
        return {};
    if (errno != EISDIR && errno != EPERM)
        return BRIG_CALL_FAILED("unlink {}", in_directory(directory, path));
    Fd inner = TRY(open_at(directory, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    for (const auto& name : TRY(list_directory(inner)))
        TRY(remove_tree(inner, name));
    return remove_directory(directory, path);
}

Result<> rename(FdRef from_directory, const std::string& from, FdRef to_directory, const std::string& to, unsigned flags)
{
    if (::renameat2(from_directory.get(), from.c_str(), to_directory.get(), to.c_str(), flags) < 0)
        return BRIG_CALL_FAILED("rename {} to {}", in_directory(from_directory, from), in_directory(to_directory, to));
    return {};
}

Result<std::vector<std::string>> list_directory(FdRef directory)
{
    Fd reopened = TRY(open_at(directory, ".", O_RDONLY | O_DIRECTORY));
    DIR* stream = ::fdopendir(reopened.get());
    if (stream == nullptr)
        return BRIG_CALL_FAILED("list {}", path_of(directory));
    (void)reopened.release(); // closedir closes it
    std::vector<std::string> names;
    errno = 0;
    while (const struct dirent* entry = ::readdir(stream)) {
        if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0)
            names.emplace_back(entry->d_name);
        errno = 0;
    }
    int code = errno;
    ::closedir(stream);
    if (code != 0)
        return failure(Error::system_call(code, fmt::format("list {}", path_of(directory))));
    return names;
}

Result<struct stat> status_of(FdRef fd)
{
    struct stat status = {};
    if (::fstat(fd.get(), &status) < 0)
        return BRIG_CALL_FAILED("fstat {}", path_of(fd));
    return status;
}

Result<struct stat> status_at(FdRef directory, const std::string& path, int flags)
{
    struct stat status = {};
    if (::fstatat(directory.get(), path.c_str(), &status, flags) < 0)
        return BRIG_CALL_FAILED("stat {}", in_directory(directory, path));
    return status;
}

Result<int64_t> file_system_type(FdRef fd)
{
    struct statfs status = {};
    if (::fstatfs(fd.get(), &status) < 0)
        return BRIG_CALL_FAILED("fstatfs {}", path_of(fd));
    return static_cast<int64_t>(status.f_type);
}

bool exists(FdRef directory, const std::string& path)
{
    return ::faccessat(directory.get(), path.c_str(), F_OK, AT_SYMLINK_NOFOLLOW | AT_EACCESS) == 0;
}

bool may_execute(const std::string& path)
{
    return ::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0;
}

Result<> change_owner(FdRef fd, uid_t uid, gid_t gid)
{
    if (::fchownat(fd.get(), "", uid, gid, AT_EMPTY_PATH) < 0)
        return BRIG_CALL_FAILED("chown {} to {}:{}", path_of(fd), uid, gid);
    return {};
}

Result<> change_mode(FdRef fd, mode_t mode)
{
    if (::fchmod(fd.get(), mode) < 0)
        return BRIG_CALL_FAILED("chmod {} to {:o}", path_of(fd), mode);
    return {};
}

bool can_seek(FdRef fd)
{
    return ::lseek(fd.get(), 0, SEEK_CUR) >= 0;
}

Result<> truncate(FdRef fd, off_t size)
{
    if (::ftruncate(fd.get(), size) < 0)
        return BRIG_CALL_FAILED("truncate {} to {}", path_of(fd), size);
    return {};
}

std::string descriptor_path(FdRef fd)
{
    return fmt::format("/proc/self/fd/{}", fd.get());
}

std::string path_of(FdRef fd)
{
    if (fd.get() == AT_FDCWD)
        return ".";
    char target[PATH_MAX];
    ssize_t count = ::readlink(descriptor_path(fd).c_str(), target, sizeof target);
    if (count < 0)
        return fmt::format("descriptor {}", fd.get());
    return {target, static_cast<size_t>(count)};
}

Result<> sync_file(FdRef fd)
{
    if (::fdatasync(fd.get()) < 0)
        return BRIG_CALL_FAILED("fdatasync {}", path_of(fd));
    return {};
}

Result<> sync_file_system(FdRef fd)
{
    if (::syncfs(fd.get()) < 0)
        return BRIG_CALL_FAILED("syncfs {}", path_of(fd));
    return {};
}

Result<> lock_shared(FdRef fd)
{
    if (retry_interrupted([&] { return ::flock(fd.get(), LOCK_SH); }) < 0)
        return BRIG_CALL_FAILED("lock {}", path_of(fd));
    return {};
}

Result<> lock_exclusive(FdRef fd)
{
    if (retry_interrupted([&] { return ::flock(fd.get(), LOCK_EX); }) < 0)
        return BRIG_CALL_FAILED("lock {}", path_of(fd));
    return {};
}

namespace {

Result<bool> try_lock(FdRef fd, int how)
{
    if (retry_interrupted([&] { return ::flock(fd.get(), how | LOCK_NB); }) == 0)
        return true;
    if (errno == EWOULDBLOCK)
        return false;
    return BRIG_CALL_FAILED("lock {}", path_of(fd));
}

} // namespace

Result<bool> try_lock_exclusive(FdRef fd)
{
    return try_lock(fd, LOCK_EX);
}

Result<bool> try_lock_shared(FdRef fd)
{
    return try_lock(fd, LOCK_SH);
}

Result<> set_close_on_exec(FdRef fd, bool on)
{
    if (::fcntl(fd.get(), F_SETFD, on ? FD_CLOEXEC : 0) < 0)
        return BRIG_CALL_FAILED("set close-on-exec of descriptor {}", fd.get());
    return {};
}

} // namespace brig::kernel
