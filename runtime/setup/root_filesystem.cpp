#include "setup/root_filesystem.hpp"

#include "base/text.hpp"
#include "kernel/child_process.hpp"
#include "kernel/files.hpp"
#include "kernel/mount_table.hpp"
#include "kernel/mounting.hpp"
#include "kernel/namespaces.hpp"
#include "kernel/path_in_root.hpp"
#include "kernel/process.hpp"

#include <algorithm>
#include <cerrno>
#include <sched.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

namespace brig::setup {

using kernel::Recursion;

// ---- the root's own mount --------------------------------------------------------------------------------------------

namespace {

bool keeps_host_peers(const plan::RootFilesystem& root)
{
    return root.propagation == MS_SHARED;
}

// With a shared root the mounts of this namespace stay peers of the host's, so the mount that the root is put on must
// leave its group first: otherwise the host would see the new mount, and pivot_root refuses a shared parent.
Result<> make_enclosing_mount_private(FdRef directory)
{
    Fd at = TRY(kernel::open_at(directory, ".", O_PATH | O_DIRECTORY));
    while (!TRY(kernel::is_mount_root(at)))
        at = TRY(kernel::open_at(at, "..", O_PATH | O_DIRECTORY));
    kernel::MountAttributes attributes;
    attributes.propagation = MS_PRIVATE;
    return kernel::set_mount_attributes(at, attributes, Recursion::none);
}

Recursion recursion_of(const plan::RootFilesystem& root)
{
    return root.propagation_recursive ? Recursion::all : Recursion::none;
}

Result<> cut_propagation_to_host(const plan::RootFilesystem& root)
{
    if (keeps_host_peers(root))
        return {};
    // Always the whole tree: what stayed shared would carry this container's mounts to the host. Unbindable comes
    // after the switch, because the root is itself cloned.
    return kernel::set_propagation_of_root(root.propagation == MS_PRIVATE ? MS_PRIVATE : MS_SLAVE, Recursion::all);
}

} // namespace

Result<Fd> open_root(const plan::RootFilesystem& root)
{
    TRY_DURING("set mount propagation", cut_propagation_to_host(root));
    auto step = [&] { return fmt::format("open root file system {}", quoted(root.host_path)); };
    Fd directory = TRY_DURING(step(), kernel::open_at(kernel::working_directory, root.host_path, O_PATH | O_DIRECTORY));
    Fd mount = TRY_DURING(step(), kernel::clone_mount(directory, "", Recursion::all));
    if (keeps_host_peers(root)) {
        TRY_DURING(step(), make_enclosing_mount_private(directory));
        kernel::MountAttributes attributes;
        attributes.propagation = MS_PRIVATE;
        TRY_DURING(step(), kernel::set_mount_attributes(mount, attributes, Recursion::none));
    }
    // On its own path, because hooks look for it there.
    TRY_DURING(step(), kernel::attach_mount(mount, directory));
    return mount;
}

// ---- masks -----------------------------------------------------------------------------------------------------------

namespace {

// Clones of one mount for many targets: the first is made, every other one is cloned from where the first was attached.
class SharedMount {
public:
    using Make = Result<Fd> (*)(const plan::RootFilesystem&);

    explicit SharedMount(Make make) : m_make(make) {}

    Result<> attach_to(FdRef target, const plan::RootFilesystem& plan)
    {
        if (!m_first) {
            m_first = TRY(m_make(plan));
            return kernel::attach_mount(m_first, target);
        }
        Fd copy = TRY(kernel::clone_mount(m_first, "", Recursion::none));
        return kernel::attach_mount(copy, target);
    }

private:
    Make m_make;
    Fd m_first;
};

// The host's own node, opened before the switch of roots and looked at by descriptor: one from the image could be a
// link to the very file that is to be masked (CVE-2025-31133). Read-only, so that nobody inside changes its mode.
Result<Fd> make_null_mount(const plan::RootFilesystem&)
{
    Fd mount = TRY(kernel::clone_mount(kernel::working_directory, "/dev/null", Recursion::none, AT_SYMLINK_NOFOLLOW));
    struct stat status = TRY(kernel::status_of(mount));
    if (!S_ISCHR(status.st_mode) || status.st_rdev != makedev(1, 3))
        return failure(Error(ErrorKind::system, "the host's /dev/null is not the character device 1:3")
                           .with_hint("make it anew: mknod -m 666 /dev/null c 1 3"));
    kernel::MountAttributes attributes;
    attributes.set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
    attributes.propagation = MS_PRIVATE;
    TRY(kernel::set_mount_attributes(mount, attributes, Recursion::none));
    return mount;
}

// One superblock for all masked directories: each one more contends on the kernel's shrinker locks.
Result<Fd> make_empty_directory_mount(const plan::RootFilesystem& plan)
{
    kernel::FileSystemRequest request;
    request.type = "tmpfs";
    request.source = "tmpfs";
    request.strings = {{"nr_blocks", "1"}, {"nr_inodes", "1"}};
    if (!plan.mount_label.empty())
        request.strings.emplace_back("context", plan.mount_label);
    request.attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    return kernel::new_file_system(request);
}

// Nothing is there to hide or protect. Any other error is one: a path that cannot be looked at is not a path that is
// absent. ENOTDIR means that a parent is a file, so the path does not exist either.
bool means_absent(const Error& error)
{
    return error.code() == ENOENT || error.code() == ENOTDIR;
}

Result<Fd> open_if_there(FdRef root, const std::string& path)
{
    auto target = kernel::open_in_root(root, path, O_PATH);
    if (!target && means_absent(target.error()))
        return Fd();
    return target;
}

} // namespace

Result<> mask_paths(FdRef root, const plan::RootFilesystem& plan)
{
    SharedMount files(make_null_mount);
    SharedMount directories(make_empty_directory_mount);
    for (const auto& path : plan.masked_paths) {
        auto step = [&] { return "mask " + quoted(path); };
        Fd target = TRY_DURING(step(), open_if_there(root, path));
        if (!target)
            continue;
        struct stat status = TRY_DURING(step(), kernel::status_of(target));
        SharedMount& cover = S_ISDIR(status.st_mode) ? directories : files;
        TRY_DURING(step(), cover.attach_to(target, plan));
    }
    return {};
}

namespace {

Result<> make_path_readonly(FdRef target)
{
    Fd mount = TRY(kernel::clone_mount(target, "", Recursion::all));
    kernel::MountAttributes attributes;
    attributes.set = MOUNT_ATTR_RDONLY;
    TRY(kernel::set_mount_attributes(mount, attributes, Recursion::none));
    return kernel::attach_mount(mount, target);
}

} // namespace

Result<> make_paths_readonly(FdRef root, const plan::RootFilesystem& plan)
{
    for (const auto& path : plan.readonly_paths) {
        auto step = [&] { return fmt::format("make {} read-only", quoted(path)); };
        Fd target = TRY_DURING(step(), open_if_there(root, path));
        if (target)
            TRY_DURING(step(), make_path_readonly(target));
    }
    return {};
}

namespace {

Result<> make_mount_readonly(FdRef mount)
{
    kernel::MountAttributes attributes;
    attributes.set = MOUNT_ATTR_RDONLY;
    return kernel::set_mount_attributes(mount, attributes, Recursion::none);
}

} // namespace

Result<> make_root_readonly(FdRef root, const plan::RootFilesystem& plan)
{
    for (const auto& mount : plan.mounts) {
        // Their mount points and devices had to be made first, so mount_range left them writable.
        if (mount.type != "tmpfs" || mount.kind != plan::MountKind::file_system || mount.options.remount
            || (mount.options.set_attributes & MOUNT_ATTR_RDONLY) == 0)
            continue;
        auto step = [&] { return fmt::format("make {} read-only", quoted(mount.destination)); };
        Fd target = TRY_DURING(step(), kernel::open_in_root(root, mount.destination, O_PATH | O_DIRECTORY));
        TRY_DURING(step(), make_mount_readonly(target));
    }
    if (plan.readonly)
        TRY_DURING("make the root file system read-only", make_mount_readonly(root));
    return {};
}

// ---- the switch ------------------------------------------------------------------------------------------------------

namespace {

Result<> pivot_to(FdRef root, const plan::RootFilesystem& plan)
{
    Fd old_root;
    if (keeps_host_peers(plan))
        old_root = TRY(kernel::open_at(kernel::working_directory, "/", O_PATH | O_DIRECTORY));
    TRY(kernel::change_directory(root));
    // The old root lies on top of the new one afterwards, at the same "."; no directory of the image is needed for it.
    auto pivoted = kernel::pivot_root(".", ".");
    if (!pivoted && pivoted.error().code() == EINVAL)
        return failure(std::move(pivoted).error().with_hint("an initramfs cannot be pivoted away from; --no-pivot does without"));
    TRY(std::move(pivoted));
    if (old_root) {
        // Peers of the host's mounts must become slaves before they go, or the host's would go with them.
        kernel::MountAttributes attributes;
        attributes.propagation = MS_SLAVE;
        TRY(kernel::set_mount_attributes(old_root, attributes, Recursion::all));
    }
    TRY(kernel::detach("."));
    return kernel::change_directory("/");
}

// Whole mounts of proc and sysfs outside the new root. The kernel lets a container mount a fresh procfs only while it
// can see a whole one, and after a mere chroot the host's are still in the namespace.
Result<std::vector<std::string>> revealing_mounts(const std::string& host_root)
{
    std::vector<std::string> found;
    for (auto& entry : TRY(kernel::read_mount_table("self"))) {
        bool inside = entry.mount_point == host_root || entry.mount_point.starts_with(host_root + "/");
        if (entry.root == "/" && (entry.type == "proc" || entry.type == "sysfs") && !inside)
            found.push_back(std::move(entry.mount_point));
    }
    return found;
}

Result<> remove_from_view(const std::string& mount_point)
{
    auto opened = kernel::open_at(kernel::working_directory, mount_point, O_PATH | O_NOFOLLOW);
    if (!opened && means_absent(opened.error()))
        return {}; // it went together with one that it lay on
    if (!opened)
        return failure(std::move(opened).error());
    kernel::MountAttributes attributes;
    attributes.propagation = MS_SLAVE;
    TRY(kernel::set_mount_attributes(*opened, attributes, Recursion::all));
    auto detached = kernel::detach(mount_point);
    if (detached || (detached.error().code() != EINVAL && detached.error().code() != EPERM))
        return detached;
    // Locked by the user namespace that it came from: cover it.
    kernel::FileSystemRequest request;
    request.type = "tmpfs";
    request.source = "tmpfs";
    request.attributes = MOUNT_ATTR_RDONLY;
    Fd cover = TRY(kernel::new_file_system(request));
    return kernel::attach_mount(cover, *opened);
}

Result<> move_to(FdRef root, const plan::RootFilesystem& plan)
{
    // The list is complete before the first one goes: it is read through one of them. The old root is opened too.
    auto mounts = TRY(revealing_mounts(kernel::path_of(root)));
    Fd old_root = TRY(kernel::open_at(kernel::working_directory, "/", O_PATH | O_DIRECTORY));
    for (const auto& mount_point : mounts)
        TRY_DURING("remove " + quoted(mount_point), remove_from_view(mount_point));
    TRY(kernel::change_directory(root));
    if (keeps_host_peers(plan)) {
        kernel::MountAttributes attributes;
        attributes.propagation = MS_PRIVATE;
        TRY(kernel::set_mount_attributes(old_root, attributes, Recursion::none));
    }
    TRY(kernel::attach_mount(root, old_root));
    TRY(kernel::change_root("."));
    return kernel::change_directory("/");
}

// Whoever called brig may have changed the root (chroot). A root that is switched to from there is not the namespace's own: that
// would stay the host's, and whoever joins the namespace, as exec does, would be in it.
Result<> take_root_of_namespace()
{
    Fd self = TRY(kernel::pidfd_open(kernel::process_id()));
    return kernel::join_namespace(self, CLONE_NEWNS);
}

} // namespace

Result<> enter_root(FdRef root, const plan::RootFilesystem& plan)
{
    TRY_DURING("leave the caller's root", take_root_of_namespace());
    if (plan.root_switch == plan::RootSwitch::pivot_root)
        TRY_DURING("enter the root file system", pivot_to(root, plan));
    else
        TRY_DURING("move to the root file system", move_to(root, plan));
    // pivot_root refuses a shared root, and a slave is what everything is by now.
    if (plan.propagation != MS_SLAVE)
        TRY_DURING("set mount propagation", kernel::set_propagation_of_root(plan.propagation, recursion_of(plan)));
    return {};
}

} // namespace brig::setup
