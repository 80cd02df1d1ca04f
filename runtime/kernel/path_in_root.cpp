#include "kernel/path_in_root.hpp"

#include "base/text.hpp"
#include "kernel/files.hpp"
#include "kernel/path_walk.hpp"

#include <cerrno>
#include <linux/openat2.h>

namespace brig::kernel {

bool openat2_is_usable()
{
    static const bool usable = [] {
        auto probe = open_at2(working_directory, ".", O_PATH | O_DIRECTORY, 0, RESOLVE_IN_ROOT);
        return probe.has_value() || (probe.error().code() != ENOSYS && probe.error().code() != EPERM);
    }();
    return usable;
}

Result<Fd> open_in_root_by_openat2(FdRef root, const std::string& path, int flags, Links links)
{
    uint64_t resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    if (links == Links::refuse)
        resolve |= RESOLVE_NO_SYMLINKS;
    if (links == Links::keep_last)
        flags |= O_NOFOLLOW;
    return open_at2(root, path.empty() ? "." : path, static_cast<uint64_t>(flags), 0, resolve);
}

namespace {

// The probe is made when a call has failed as a refused one would, so that it costs nothing where openat2 works.
bool means_no_openat2(const Error& error)
{
    return (error.code() == ENOSYS || error.code() == EPERM) && !openat2_is_usable();
}

} // namespace

Result<Fd> open_in_root(FdRef root, const std::string& path, int flags, Links links)
{
    auto opened = open_in_root_by_openat2(root, path, flags, links);
    if (opened || !means_no_openat2(opened.error()))
        return opened;
    return open_in_root_by_walk(root, path, flags, links);
}

namespace {

// Nearly every path of a container exists, so one openat2 answers first; only what is missing pays for the walk.
Result<Fd> ensure_in_root(FdRef root, const WalkRequest& request, int flags)
{
    auto existing = open_in_root_by_openat2(root, request.path, flags, request.links);
    if (existing || (existing.error().code() != ENOENT && !means_no_openat2(existing.error())))
        return existing;
    return TRY(walk_in_root(root, request)).entry;
}

} // namespace

Result<Fd> ensure_directory_in_root(FdRef root, const std::string& path, mode_t mode, Links links)
{
    return ensure_in_root(root, {path, links, MissingPart::becomes_directory, mode}, O_PATH | O_DIRECTORY);
}

Result<Fd> make_directory_in_root(FdRef root, const std::string& path, mode_t mode)
{
    return TRY(walk_in_root(root, {path, Links::follow, MissingPart::becomes_directory, mode})).entry;
}

Result<Fd> ensure_file_in_root(FdRef root, const std::string& path, mode_t mode, Links links)
{
    return ensure_in_root(root, {path, links, MissingPart::becomes_file, mode}, O_PATH);
}

Result<ParentInRoot> ensure_parent_in_root(FdRef root, const std::string& path, mode_t mode)
{
    std::string_view trimmed = path;
    while (trimmed.size() > 1 && trimmed.back() == '/')
        trimmed.remove_suffix(1);
    size_t slash = trimmed.rfind('/');
    std::string name(slash == std::string_view::npos ? trimmed : trimmed.substr(slash + 1));
    std::string parent(slash == std::string_view::npos ? "" : trimmed.substr(0, slash + 1));
    if (name.empty() || name == "." || name == "..")
        return failure(ErrorKind::invalid, fmt::format("{} names no entry of a directory", quoted(path)));
    return ParentInRoot{TRY(ensure_directory_in_root(root, parent, mode)), std::move(name)};
}

} // namespace brig::kernel
