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

Result<> make_upper_directories(FdRef tmpfs, const kernel::OverlayRequest& request)
{
    TRY(kernel::make_directory(tmpfs, "upper", 0700));
    TRY(kernel::make_directory(tmpfs, "work", 0700));
    // The upper directory is the root that everybody sees.
    struct stat below = TRY(kernel::status_at(kernel::working_directory, request.lower.front(), 0));
    Fd upper = TRY(kernel::open_at(tmpfs, "upper", O_RDONLY | O_DIRECTORY));
    TRY(kernel::change_owner(upper, below.st_uid, below.st_gid));
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

// The tmpfs lies on the old root, below the overlay that becomes the new one: it leaves the namespace with the old root, and
// lives as long as the overlay. Kernels before 6.15 want an upper directory in a mount of the namespace.
Result<Fd> new_overlay_on_tmpfs(kernel::OverlayRequest request, const std::string& size, FdRef place)
{
    Fd tmpfs = TRY_DURING("make the tmpfs for changes", new_upper_tmpfs(size));
    if (place.valid())
        TRY(kernel::attach_mount(tmpfs, place));
    TRY(make_upper_directories(tmpfs, request));
    request.upper = kernel::descriptor_path(tmpfs) + "/upper";
    request.work = kernel::descriptor_path(tmpfs) + "/work";
    Fd overlay = TRY(kernel::new_overlay(request));
    if (place.valid())
        TRY(kernel::attach_mount(overlay, tmpfs));
    return overlay;
}

} // namespace

Result<Fd> replace_root(FdRef root, const plan::RootFilesystem& plan, const plan::Mount& mount)
{
    Fd made;
    if (mount.type != "overlay") {
        kernel::FileSystemRequest request = file_system_request(mount);
        if (!plan.mount_label.empty())
            request.strings.emplace_back("context", plan.mount_label);
        made = TRY(kernel::new_file_system(request));
        TRY(kernel::attach_mount(made, root));
    } else {
        auto request = TRY(overlay_request(mount, plan.mount_label));
        if (mount.options.tmpfs_upper) {
            made = TRY(new_overlay_on_tmpfs(std::move(request), *mount.options.tmpfs_upper, root));
        } else {
            made = TRY(kernel::new_overlay(request));
            TRY(kernel::attach_mount(made, root));
        }
    }
    TRY(apply_propagation(made, mount.options));
    return made;
}

} // namespace brig::setup
