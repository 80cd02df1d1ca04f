#include "kernel/mounting.hpp"

#include "base/text.hpp"
#include "kernel/call.hpp"
#include "kernel/files.hpp"

#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

namespace brig::kernel {

namespace {

// Each read gives one line, "e tmpfs: Bad value for 'size'"; ENODATA ends.
std::string file_system_log(FdRef context)
{
    std::string text;
    char line[512];
    constexpr int most_lines = 8;
    for (int count = 0; count < most_lines; count++) {
        ssize_t length = ::read(context.get(), line, sizeof line);
        if (length <= 0)
            break;
        std::string_view message = trim({line, static_cast<size_t>(length)});
        if (message.size() > 2 && message[1] == ' ')
            message.remove_prefix(2);
        text += (text.empty() ? "" : "; ") + one_line(message);
    }
    return text;
}

tl::unexpected<Error> configuration_failed(FdRef context, const std::string& call)
{
    int code = errno;
    std::string log = file_system_log(context);
    return failure(Error::system_call(code, log.empty() ? call : fmt::format("{}: {}", call, log)));
}

Result<> set_string(FdRef context, const std::string& type, const std::string& key, const std::string& value)
{
    if (::fsconfig(context.get(), FSCONFIG_SET_STRING, key.c_str(), value.c_str(), 0) < 0)
        return configuration_failed(context,
                                    fmt::format("fsconfig set {}={} of file system {}", one_line(key), quoted(value), type));
    return {};
}

Result<> set_parameters(FdRef context, const FileSystemRequest& request)
{
    for (const auto& [key, value] : request.strings)
        TRY(set_string(context, request.type, key, value));
    for (const auto& flag : request.flags)
        if (::fsconfig(context.get(), FSCONFIG_SET_FLAG, flag.c_str(), nullptr, 0) < 0)
            return configuration_failed(context, fmt::format("fsconfig set {} of file system {}", quoted(flag), request.type));
    return {};
}

} // namespace

Result<Fd> new_file_system(const FileSystemRequest& request)
{
    Fd context(::fsopen(request.type.c_str(), FSOPEN_CLOEXEC));
    if (!context) {
        int code = errno;
        auto error = Error::system_call(code, fmt::format("fsopen {}", quoted(request.type)));
        if (code == ENODEV)
            return failure(std::move(error).with_hint("this kernel does not know the file system type"));
        return failure(std::move(error));
    }
    if (!request.source.empty())
        TRY(set_string(context, request.type, "source", request.source));
    TRY(set_parameters(context, request));
    if (::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) < 0)
        return configuration_failed(context, fmt::format("fsconfig create file system {}", request.type));
    Fd mount(::fsmount(context.get(), FSMOUNT_CLOEXEC, static_cast<unsigned>(request.attributes)));
    if (!mount)
        return configuration_failed(context, fmt::format("fsmount {} attributes {:#x}", request.type, request.attributes));
    return mount;
}

Result<> reconfigure_file_system(FdRef mount, const FileSystemRequest& request)
{
    Fd context(::fspick(mount.get(), "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH));
    if (!context)
        return BRIG_CALL_FAILED("fspick {}", path_of(mount));
    TRY(set_parameters(context, request));
    if (::fsconfig(context.get(), FSCONFIG_CMD_RECONFIGURE, nullptr, nullptr, 0) < 0)
        return configuration_failed(context, fmt::format("fsconfig reconfigure the file system at {}", path_of(mount)));
    return {};
}

Result<Fd> clone_mount(FdRef directory, const std::string& path, Recursion recursion, int flags)
{
    unsigned all_flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | static_cast<unsigned>(flags);
    if (path.empty())
        all_flags |= AT_EMPTY_PATH;
    if (recursion == Recursion::all)
        all_flags |= AT_RECURSIVE;
    Fd mount(::open_tree(directory.get(), path.c_str(), all_flags));
    if (!mount)
        return BRIG_CALL_FAILED("open_tree {} flags {:#x}", one_line(path.empty() ? path_of(directory) : path), all_flags);
    return mount;
}

namespace {

Result<> set_attributes_at(FdRef directory, const char* path, const MountAttributes& attributes, unsigned flags)
{
    struct mount_attr request = {};
    request.attr_set = attributes.set;
    request.attr_clr = attributes.clear;
    request.propagation = attributes.propagation;
    if (attributes.user_namespace >= 0)
        request.userns_fd = static_cast<uint64_t>(attributes.user_namespace);
    if (::mount_setattr(directory.get(), path, flags, &request, sizeof request) < 0)
        return BRIG_CALL_FAILED("mount_setattr {} set {:#x} clear {:#x} propagation {:#x}",
                                *path == '\0' ? one_line(path_of(directory)) : path, attributes.set, attributes.clear,
                                attributes.propagation);
    return {};
}

unsigned recursion_flag(Recursion recursion)
{
    return recursion == Recursion::all ? AT_RECURSIVE : 0;
}

} // namespace

Result<> set_mount_attributes(FdRef mount, const MountAttributes& attributes, Recursion recursion)
{
    return set_attributes_at(mount, "", attributes, AT_EMPTY_PATH | recursion_flag(recursion));
}

Result<> set_propagation_of_root(uint64_t propagation, Recursion recursion)
{
    MountAttributes attributes;
    attributes.propagation = propagation;
    return set_attributes_at(working_directory, "/", attributes, recursion_flag(recursion));
}

Result<> attach_mount(FdRef mount, FdRef target)
{
    if (::move_mount(mount.get(), "", target.get(), "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
        return BRIG_CALL_FAILED("move_mount to {}", one_line(path_of(target)));
    return {};
}

Result<> attach_mount(FdRef mount, FdRef directory, const std::string& name)
{
    if (::move_mount(mount.get(), "", directory.get(), name.c_str(), MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return BRIG_CALL_FAILED("move_mount to {}/{}", one_line(path_of(directory)), one_line(name));
    return {};
}

Result<> detach(const std::string& path)
{
    if (::umount2(path.c_str(), MNT_DETACH) < 0)
        return BRIG_CALL_FAILED("umount {}", one_line(path));
    return {};
}

Result<> detach(FdRef target)
{
    return detach(descriptor_path(target));
}

namespace {

Result<struct statx> extended_status(FdRef fd, unsigned mask)
{
    struct statx status = {};
    if (::statx(fd.get(), "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, mask, &status) < 0)
        return BRIG_CALL_FAILED("statx {}", path_of(fd));
    return status;
}

} // namespace

Result<uint64_t> mount_id(FdRef fd)
{
    return TRY(extended_status(fd, STATX_MNT_ID)).stx_mnt_id;
}

Result<bool> is_mount_root(FdRef fd)
{
    return (TRY(extended_status(fd, 0)).stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

Result<uint64_t> mount_attributes(FdRef fd)
{
    struct statvfs status = {};
    if (::fstatvfs(fd.get(), &status) < 0)
        return BRIG_CALL_FAILED("fstatvfs {}", path_of(fd));
    struct Pair {
        unsigned long flag;
        uint64_t attribute;
    };
    constexpr unsigned long st_nosymfollow = 0x2000; // not in glibc 2.36
    constexpr Pair pairs[] = {
        {ST_RDONLY, MOUNT_ATTR_RDONLY},          {ST_NOSUID, MOUNT_ATTR_NOSUID},   {ST_NODEV, MOUNT_ATTR_NODEV},
        {ST_NOEXEC, MOUNT_ATTR_NOEXEC},          {ST_NOATIME, MOUNT_ATTR_NOATIME}, {ST_NODIRATIME, MOUNT_ATTR_NODIRATIME},
        {st_nosymfollow, MOUNT_ATTR_NOSYMFOLLOW}};
    uint64_t attributes = 0;
    for (const auto& pair : pairs)
        if ((status.f_flag & pair.flag) != 0)
            attributes |= pair.attribute;
    // Neither noatime nor relatime is how statvfs says strictatime.
    if ((status.f_flag & (ST_NOATIME | ST_RELATIME)) == 0)
        attributes |= MOUNT_ATTR_STRICTATIME;
    return attributes;
}

Result<> set_security_label(FdRef mount, const std::string& label)
{
    // fsetxattr does not take O_PATH descriptors; the link of /proc leads to the same directory.
    if (::setxattr(descriptor_path(mount).c_str(), "security.selinux", label.c_str(), label.size() + 1, 0) < 0)
        return BRIG_CALL_FAILED("set the label of {} to {}", one_line(path_of(mount)), quoted(label));
    return {};
}

Result<> mount_call(const std::string& source, FdRef target, const std::string& type, unsigned long flags,
                    const std::string& data)
{
    if (::mount(source.c_str(), descriptor_path(target).c_str(), type.c_str(), flags, data.c_str()) < 0)
        return BRIG_CALL_FAILED("mount {} type {} to {} flags {:#x} data {}", quoted(source), quoted(type),
                                one_line(path_of(target)), flags, quoted(data));
    return {};
}

} // namespace brig::kernel
