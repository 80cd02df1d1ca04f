// The first mount with the destination "/": it becomes the container's root, on top of the root file system of config.json.
#include "base/text.hpp"
#include "kernel/files.hpp"
#include "kernel/mounting.hpp"
#include "kernel/overlay.hpp"
#include "setup/root_filesystem.hpp"
#include "setup/root_parts.hpp"

#include <cerrno>
#include <sys/mount.h>

namespace brig::setup {

using kernel::Recursion;

namespace {

// As the kernel reads "lowerdir=": a backslash takes the meaning from what follows.
std::vector<std::string> split_escaped(std::string_view text, char separator)
{
    std::vector<std::string> parts(1);
    for (size_t at = 0; at < text.size(); at++) {
        if (text[at] == '\\' && at + 1 < text.size())
            parts.back() += text[++at];
        else if (text[at] == separator)
            parts.emplace_back();
        else
            parts.back() += text[at];
    }
    return parts;
}

Result<std::string> absolute(std::string_view option, std::string path)
{
    if (path.empty() || path.front() != '/')
        return failure(Error(ErrorKind::invalid, fmt::format("{}: {} is not an absolute path", option, quoted(path))));
    return path;
}

Result<kernel::OverlayRequest> overlay_request(const plan::Mount& mount, const std::string& label)
{
    kernel::OverlayRequest request;
    request.file_system = file_system_request(mount);
    std::vector<std::pair<std::string, std::string>> others;
    for (auto& [key, value] : request.file_system.strings) {
        if (key == "lowerdir") {
            for (auto& path : split_escaped(value, ':'))
                request.lower.push_back(TRY(absolute(key, std::move(path))));
        } else if (key == "upperdir") {
            request.upper = TRY(absolute(key, split_escaped(value, '\0').front()));
        } else if (key == "workdir") {
            request.work = TRY(absolute(key, split_escaped(value, '\0').front()));
        } else {
            others.emplace_back(key, value);
        }
    }
    if (request.lower.empty())
        return failure(Error(ErrorKind::invalid, "an overlay needs lowerdir="));
    if (request.upper.empty() != request.work.empty())
        return failure(Error(ErrorKind::invalid, "upperdir and workdir of an overlay must come together"));
    if (!label.empty())
        others.emplace_back("context", label);
    request.file_system.strings = std::move(others);
    return request;
}

// ---- an upper directory that nobody has to remove ----------------------------------------------------------------------

// The id that a file's owner has in the id-mapped layer; one that is not mapped stays.
uint32_t mapped_id(uint32_t id, const std::vector<spec::IdMapping>& mappings)
{
    for (const auto& mapping : mappings)
        if (id >= mapping.container_id && id - mapping.container_id < mapping.size)
            return mapping.host_id + (id - mapping.container_id);
    return id;
}

// The tmpfs is not id-mapped itself: overlayfs works in it as who mounts the overlay, who has no id there then.
Result<> make_upper_directories(FdRef tmpfs, const kernel::OverlayRequest& request, const plan::Mount& mount)
{
    TRY(kernel::make_directory(tmpfs, "upper", 0700));
    TRY(kernel::make_directory(tmpfs, "work", 0700));
    // The upper directory is the root that everybody sees.
    struct stat below = TRY(kernel::status_at(kernel::working_directory, request.lower.front(), 0));
    Fd upper = TRY(kernel::open_at(tmpfs, "upper", O_RDONLY | O_DIRECTORY));
    auto owned =
        kernel::change_owner(upper, mapped_id(below.st_uid, mount.uid_mappings), mapped_id(below.st_gid, mount.gid_mappings));
    // An owner that a user's namespace does not know: then it is the namespace's root.
    if (!owned && owned.error().code() != EINVAL)
        return owned;
    return kernel::change_mode(upper, below.st_mode & 07777);
}

Result<Fd> new_upper_tmpfs(const std::string& size)
{
    kernel::FileSystemRequest request;
    request.type = "tmpfs";
    request.source = "upper";
    if (!size.empty())
        request.strings.emplace_back("size", size);
    request.strings.emplace_back("mode", "0700");
    request.attributes = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID;
    return kernel::new_file_system(request);
}

// Layers under other ids: clones that show them so, and stand for the paths while the overlay is made.
Result<std::vector<Fd>> map_layers(kernel::OverlayRequest& request, const plan::Mount& mount)
{
    std::vector<Fd> clones;
    if (mount.uid_mappings.empty())
        return clones;
    auto map = [&](std::string& path) -> Result<> {
        Fd clone = TRY(kernel::clone_mount(kernel::working_directory, path, Recursion::none));
        TRY(map_ids(clone, mount));
        path = kernel::descriptor_path(clone);
        clones.push_back(std::move(clone));
        return {};
    };
    for (auto& path : request.lower)
        TRY(map(path));
    return clones;
}

// In the init the tmpfs lies on the old root, below the overlay that becomes the new one: it leaves the namespace with the old
// root, and lives as long as the overlay. Kernels before 6.15 want an upper directory in a mount of the namespace.
Result<Fd> new_overlay_on_tmpfs(kernel::OverlayRequest request, const plan::Mount& mount, FdRef place)
{
    Fd tmpfs = TRY_DURING("make the tmpfs for changes", new_upper_tmpfs(*mount.options.tmpfs_upper));
    if (place.valid())
        TRY(kernel::attach_mount(tmpfs, place));
    TRY(make_upper_directories(tmpfs, request, mount));
    request.upper = kernel::descriptor_path(tmpfs) + "/upper";
    request.work = kernel::descriptor_path(tmpfs) + "/work";
    auto layers = TRY(map_layers(request, mount));
    Fd overlay = TRY(kernel::new_overlay(request));
    if (place.valid())
        TRY(kernel::attach_mount(overlay, tmpfs));
    return overlay;
}

Result<Fd> new_overlay(const plan::Mount& mount, const std::string& label, FdRef place)
{
    auto request = TRY(overlay_request(mount, label));
    if (mount.options.tmpfs_upper)
        return new_overlay_on_tmpfs(std::move(request), mount, place);
    if (!mount.uid_mappings.empty() && !request.upper.empty())
        return failure(Error(ErrorKind::not_supported, "an id-mapped overlay cannot have an upperdir")
                           .with_hint("tmpfs-upper keeps changes in memory"));
    auto layers = TRY(map_layers(request, mount));
    Fd overlay = TRY(kernel::new_overlay(request));
    if (place.valid())
        TRY(kernel::attach_mount(overlay, place));
    return overlay;
}

// A kernel before 6.15 says EINVAL to layers in a mount that is in no namespace.
tl::unexpected<Error> explain(const plan::Mount& mount, FdRef place, Error error)
{
    bool detached = !place.valid() && (mount.options.tmpfs_upper || !mount.uid_mappings.empty());
    if (error.code() == EINVAL && detached)
        return failure(std::move(error).with_hint(
            "in a user namespace of root's this needs Linux 6.15; an upperdir of the host, or no user namespace, does without"));
    return failure(std::move(error));
}

} // namespace

Result<Fd> make_root_file_system(const plan::Mount& mount, const std::string& label, FdRef place)
{
    if (mount.type == "overlay") {
        auto made = new_overlay(mount, label, place);
        return made ? std::move(made) : explain(mount, place, std::move(made).error());
    }
    kernel::FileSystemRequest request = file_system_request(mount);
    if (!label.empty())
        request.strings.emplace_back("context", label);
    Fd made = TRY(kernel::new_file_system(request));
    TRY(map_ids(made, mount));
    if (place.valid())
        TRY(kernel::attach_mount(made, place));
    return made;
}

} // namespace brig::setup
