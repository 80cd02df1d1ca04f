#include "kernel/copy_tree.hpp"

#include "base/text.hpp"
#include "kernel/attributes.hpp"
#include "kernel/call.hpp"
#include "kernel/files.hpp"

#include <map>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/xattr.h>

namespace brig::kernel {

namespace {

// Descriptors are held on the way down; deeper trees are not what a tmpcopyup is for.
constexpr int deepest = 256;

Result<> copy_extended_attributes(FdRef from, FdRef to)
{
    char names[8192];
    ssize_t length = ::flistxattr(from.get(), names, sizeof names);
    if (length < 0)
        return errno == EOPNOTSUPP ? Result<>{} : BRIG_CALL_FAILED("listxattr {}", path_of(from));
    for (std::string_view name : split({names, static_cast<size_t>(length)}, '\0')) {
        if (name.empty())
            continue;
        std::string text(name);
        char value[8192];
        ssize_t size = ::fgetxattr(from.get(), text.c_str(), value, sizeof value);
        if (size < 0)
            return BRIG_CALL_FAILED("getxattr {} of {}", text, path_of(from));
        // The target's label comes from its mount, and not every file system keeps every name space of attributes.
        if (::fsetxattr(to.get(), text.c_str(), value, static_cast<size_t>(size), 0) < 0 && errno != EOPNOTSUPP
            && text != "security.selinux")
            return BRIG_CALL_FAILED("setxattr {} of {}", text, path_of(to));
    }
    return {};
}

// Owner before mode: a chown takes the set-user-id bit away.
Result<> copy_metadata(FdRef from, FdRef to, const struct stat& status)
{
    TRY(change_owner(to, status.st_uid, status.st_gid));
    TRY(change_mode(to, status.st_mode & 07777));
    TRY(copy_extended_attributes(from, to));
    const struct timespec times[2] = {status.st_atim, status.st_mtim};
    if (::futimens(to.get(), times) < 0)
        return BRIG_CALL_FAILED("set times of {}", path_of(to));
    return {};
}

Result<> copy_file(FdRef from_directory, FdRef to_directory, const std::string& name)
{
    Fd from = TRY(open_at(from_directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
    struct stat status = TRY(status_of(from));
    if (!S_ISREG(status.st_mode))
        return failure(ErrorKind::system, fmt::format("{} changed its type while it was copied", path_of(from)));
    Fd to = TRY(open_at(to_directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    while (true) {
        constexpr size_t step = 1 << 24;
        ssize_t count = retry_interrupted([&] { return ::sendfile(to.get(), from.get(), nullptr, step); });
        if (count < 0)
            return BRIG_CALL_FAILED("copy {} to {}", path_of(from), path_of(to));
        if (count == 0)
            break;
    }
    return copy_metadata(from, to, status);
}

Result<> copy_special(FdRef from_directory, FdRef to_directory, const std::string& name, const struct stat& status)
{
    if (S_ISSOCK(status.st_mode))
        return {};
    if (S_ISLNK(status.st_mode)) {
        std::string target = TRY(read_link(from_directory, name));
        TRY(make_link(target, to_directory, name));
    } else {
        TRY(make_node(to_directory, name, status.st_mode, status.st_rdev));
    }
    Fd made = TRY(open_at(to_directory, name, O_PATH | O_NOFOLLOW));
    TRY(change_owner(made, status.st_uid, status.st_gid));
    if (!S_ISLNK(status.st_mode) && ::chmod(descriptor_path(made).c_str(), status.st_mode & 07777) < 0)
        return BRIG_CALL_FAILED("chmod {}", path_of(made));
    return set_times_at(to_directory, name, status.st_mtim);
}

class Copy {
public:
    Copy(FdRef to, HardLinks links) : m_to(to), m_keep_links(links == HardLinks::stay) {}

    Result<> level(FdRef from, FdRef to, const std::string& path, int depth)
    {
        if (depth > deepest)
            return failure(ErrorKind::invalid, fmt::format("{} is more than {} levels deep", path_of(from), deepest));
        for (const auto& name : TRY(list_directory(from))) {
            struct stat status = TRY(status_at(from, name, AT_SYMLINK_NOFOLLOW));
            if (S_ISDIR(status.st_mode))
                TRY(directory(from, to, name, path, status, depth));
            else if (!TRY(link_again(to, name, path, status)))
                TRY(S_ISREG(status.st_mode) ? copy_file(from, to, name) : copy_special(from, to, name, status));
        }
        return {};
    }

private:
    Result<> directory(FdRef from, FdRef to, const std::string& name, const std::string& path, const struct stat& status,
                       int depth)
    {
        Fd inner_from = TRY(open_at(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
        TRY(make_directory(to, name, 0700));
        Fd inner_to = TRY(open_at(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
        TRY(level(inner_from, inner_to, path + name + "/", depth + 1));
        return copy_metadata(inner_from, inner_to, status);
    }

    // True when the file is there under another name already.
    Result<bool> link_again(FdRef to, const std::string& name, const std::string& path, const struct stat& status)
    {
        if (!m_keep_links || status.st_nlink < 2)
            return false;
        auto [first, is_new] = m_links.try_emplace({status.st_dev, status.st_ino}, path + name);
        if (is_new)
            return false;
        TRY(make_hard_link(m_to, first->second, to, name));
        return true;
    }

    FdRef m_to;
    bool m_keep_links;
    std::map<std::pair<dev_t, ino_t>, std::string> m_links; // first names, from m_to
};

} // namespace

Result<> copy_tree(FdRef from, FdRef to, HardLinks links)
{
    return Copy(to, links).level(from, to, "", 0);
}

Result<> copy_directory_metadata(FdRef from, FdRef to)
{
    return copy_metadata(from, to, TRY(status_of(from)));
}

} // namespace brig::kernel
