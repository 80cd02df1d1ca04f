#include "setup/root_added.hpp"
#include "base/text.hpp"
#include "kernel/files.hpp"
#include "kernel/mounting.hpp"
#include "kernel/path_in_root.hpp"
#include "kernel/process.hpp"
#include "setup/root_filesystem.hpp"
#include "setup/root_parts.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <sys/mount.h>

namespace brig::setup {

using kernel::Links;
using kernel::Recursion;

Result<> check_added_mount(const plan::Mount& mount)
{
    // They show the namespaces of whoever mounts them, or need the order of a start.
    constexpr std::array<std::string_view, 5> of_a_start = {"proc", "sysfs", "mqueue", "devpts", "devtmpfs"};
    auto refuse = [&](const std::string& why) { return failure(ErrorKind::not_supported, why); };
    if (mount.destination == "/")
        return failure(ErrorKind::invalid, "the root of a running container cannot be covered");
    if (mount.options.remount || mount.options.tmpcopyup || mount.options.copy_symlink)
        return refuse("remount, tmpcopyup and copy-symlink are options of a container's start");
    bool plain = mount.kind == plan::MountKind::bind || mount.kind == plan::MountKind::file_system;
    if (!plain || std::ranges::find(of_a_start, mount.type) != of_a_start.end())
        return refuse(fmt::format("a mount of type {} can only be made at a container's start", quoted(mount.type)));
    return {};
}

Result<Fd> clone_added_source(const plan::Mount& mount)
{
    auto cloned = clone_host_source(mount);
    // That is for those who have power over the mount namespace of the source: here the host's.
    if (!cloned && cloned.error().code() == EPERM)
        return failure(std::move(cloned).error().with_hint(
            "without root no mount of the host can be given to a running container: name it in config.json"));
    Fd clone = TRY(std::move(cloned));
    // A peer of its source would show on the host what is mounted below it inside.
    kernel::MountAttributes attributes;
    attributes.propagation = MS_SLAVE;
    TRY(kernel::set_mount_attributes(clone, attributes, Recursion::all));
    TRY(apply_options_to_clone(clone, mount.options));
    return clone;
}

namespace {

Result<Fd> make_file_system(const plan::Mount& mount, const std::string& label)
{
    kernel::FileSystemRequest request = file_system_request(mount);
    if (!label.empty())
        request.strings.emplace_back("context", label);
    Fd made = TRY(kernel::new_file_system(request));
    TRY(apply_propagation(made, mount.options));
    return made;
}

Result<> attach(FdRef root, const plan::Mount& mount, FdRef made)
{
    bool directory = S_ISDIR(TRY(kernel::status_of(made)).st_mode);
    Links links = mount.options.destination_nofollow ? Links::keep_last : Links::follow;
    Fd target = directory ? TRY(kernel::ensure_directory_in_root(root, mount.destination, mount_point_mode, links))
                          : TRY(kernel::ensure_file_in_root(root, mount.destination, mount_point_mode, links));
    TRY(check_target_outside_proc(mount, target));
    if (!directory && S_ISDIR(TRY(kernel::status_of(target)).st_mode))
        return failure(Error::system_call(ENOTDIR, "mount a file onto " + quoted(mount.destination))
                           .with_hint("the destination is a directory"));
    return kernel::attach_mount(made, target);
}

std::string step_of(const plan::Mount& mount)
{
    return fmt::format("mounts[{}]: add {}", mount.spec_index, quoted(mount.destination));
}

// By the descriptor of the mount itself, which no change of the container's can redirect. /proc of the container is not
// asked: `host_proc` is the host's, opened before.
Result<> detach_mount(FdRef host_proc, FdRef mount)
{
    TRY(kernel::change_directory(host_proc));
    return kernel::detach(fmt::format("self/fd/{}", mount.get()));
}

} // namespace

Result<std::vector<uint64_t>> add_mounts(const AddedMounts& request)
{
    std::vector<Fd> made;
    auto add = [&](const plan::Mount& mount) -> Result<> {
        size_t index = made.size();
        Fd source = mount.kind == plan::MountKind::bind ? TRY(kernel::duplicate(request.sources[index]))
                                                        : TRY(make_file_system(mount, request.label));
        TRY(attach(request.root, mount, source));
        made.push_back(std::move(source));
        return {};
    };
    std::vector<uint64_t> ids;
    for (const auto& mount : request.mounts) {
        auto added = add(mount);
        if (!added) {
            while (!made.empty()) {
                (void)detach_mount(request.host_proc, made.back());
                made.pop_back();
            }
            return failure(std::move(added).error().during(step_of(mount)));
        }
        ids.push_back(TRY(kernel::mount_id(made.back())));
    }
    return ids;
}

Result<> remove_mounts(FdRef root, FdRef host_proc, const std::vector<RemovedMount>& mounts)
{
    std::vector<Fd> opened;
    for (const auto& mount : mounts) {
        auto step = [&] { return "remove the mount at " + quoted(mount.mount_point); };
        // No link on the way: it could lead to a mask.
        Fd place = TRY_DURING(step(), kernel::open_in_root(root, mount.mount_point, O_PATH, Links::refuse));
        bool same = TRY(kernel::is_mount_root(place)) && (mount.id == 0 || TRY(kernel::mount_id(place)) == mount.id);
        if (!same)
            return failure(Error(ErrorKind::not_found,
                                 fmt::format("{} is not a mount, or another one covers it", quoted(mount.mount_point))));
        opened.push_back(std::move(place));
    }
    for (size_t index = 0; index < opened.size(); index++)
        TRY_DURING("remove the mount at " + quoted(mounts[index].mount_point), detach_mount(host_proc, opened[index]));
    return {};
}

} // namespace brig::setup
