#include "kernel/attributes.hpp"

#include "base/text.hpp"
#include "kernel/call.hpp"
#include "kernel/files.hpp"

#include <sys/stat.h>
#include <sys/xattr.h>

namespace brig::kernel {

Result<std::vector<std::string>> attribute_names(FdRef file)
{
    std::string path = descriptor_path(file);
    std::string buffer;
    ssize_t length = -1;
    // Somebody may add one between the question for the size and the list.
    for (int attempt = 0; attempt < 8 && length < 0; attempt++) {
        ssize_t needed = ::listxattr(path.c_str(), nullptr, 0);
        if (needed < 0 && (errno == EOPNOTSUPP || errno == EPERM))
            return std::vector<std::string>{};
        if (needed < 0)
            return BRIG_CALL_FAILED("listxattr {}", path_of(file));
        buffer.resize(static_cast<size_t>(needed));
        length = needed == 0 ? 0 : ::listxattr(path.c_str(), buffer.data(), buffer.size());
    }
    if (length < 0)
        return BRIG_CALL_FAILED("listxattr {}", path_of(file));
    std::vector<std::string> names;
    for (auto name : split(std::string_view(buffer.data(), static_cast<size_t>(length)), '\0'))
        if (!name.empty())
            names.emplace_back(name);
    return names;
}

Result<std::optional<std::string>> attribute(FdRef file, const std::string& name)
{
    std::string path = descriptor_path(file);
    std::string value(64, '\0');
    for (int attempt = 0; attempt < 8; attempt++) {
        ssize_t length = ::getxattr(path.c_str(), name.c_str(), value.data(), value.size());
        if (length >= 0) {
            value.resize(static_cast<size_t>(length));
            return value;
        }
        if (errno == ENODATA || errno == EOPNOTSUPP)
            return std::optional<std::string>();
        if (errno != ERANGE)
            break;
        value.resize(size_t{64} << 10); // XATTR_SIZE_MAX
    }
    return BRIG_CALL_FAILED("getxattr {} of {}", one_line(name), path_of(file));
}

Result<> set_attribute(FdRef file, const std::string& name, std::string_view value)
{
    if (::setxattr(descriptor_path(file).c_str(), name.c_str(), value.data(), value.size(), 0) < 0)
        return BRIG_CALL_FAILED("setxattr {} of {}", one_line(name), one_line(path_of(file)));
    return {};
}

Result<> set_times_at(FdRef directory, const std::string& name, const struct timespec& modified)
{
    const struct timespec times[2] = {modified, modified};
    if (::utimensat(directory.get(), name.c_str(), times, AT_SYMLINK_NOFOLLOW) < 0)
        return BRIG_CALL_FAILED("utimensat {}", one_line(name));
    return {};
}

Result<> set_times(FdRef file, const struct timespec& modified)
{
    const struct timespec times[2] = {modified, modified};
    if (::futimens(file.get(), times) < 0)
        return BRIG_CALL_FAILED("futimens {}", one_line(path_of(file)));
    return {};
}

Result<> make_hard_link(FdRef from_directory, const std::string& from, FdRef to_directory, const std::string& to)
{
    if (::linkat(from_directory.get(), from.c_str(), to_directory.get(), to.c_str(), 0) < 0)
        return BRIG_CALL_FAILED("link {} to {}", one_line(to), one_line(from));
    return {};
}

Result<> change_mode_at(FdRef directory, const std::string& name, mode_t mode)
{
    if (::fchmodat(directory.get(), name.c_str(), mode, 0) < 0)
        return BRIG_CALL_FAILED("chmod {} to {:o}", one_line(name), mode);
    return {};
}

Result<> change_owner_at(FdRef directory, const std::string& name, uid_t uid, gid_t gid)
{
    if (::fchownat(directory.get(), name.c_str(), uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
        return BRIG_CALL_FAILED("chown {} to {}:{}", one_line(name), uid, gid);
    return {};
}

} // namespace brig::kernel
