#include "base/text.hpp"
#include "kernel/files.hpp"
#include "kernel/mounting.hpp"
#include "kernel/path_in_root.hpp"
#include "setup/root_parts.hpp"

#include <algorithm>
#include <cerrno>
#include <sys/mount.h>

namespace brig::setup {

using kernel::Recursion;

namespace {

constexpr uint64_t always = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

bool has_cgroup_namespace(const plan::Plan& plan)
{
    return plan.namespaces.new_cgroup_namespace || plan.namespaces.joins_type(spec::NamespaceType::cgroup);
}

// The container's own directory is the whole view that it gets: all of the host's tree would show, and with "rw" give
// away, the cgroups of everybody (CVE-2023-25809).
Result<Fd> clone_own_directory(const plan::CgroupDirectory& directory, uint64_t attributes)
{
    Fd clone = TRY(kernel::clone_mount(kernel::working_directory, clean_path(directory.mount_point + "/" + directory.path),
                                       Recursion::none));
    kernel::MountAttributes change;
    change.set = attributes;
    change.propagation = MS_PRIVATE;
    TRY(kernel::set_mount_attributes(clone, change, Recursion::none));
    return clone;
}

Result<Fd> new_tmpfs(const plan::Plan& plan, uint64_t attributes)
{
    kernel::FileSystemRequest request;
    request.type = "tmpfs";
    request.source = "tmpfs";
    request.strings = {{"mode", "755"}};
    if (!plan.root.mount_label.empty())
        request.strings.emplace_back("context", plan.root.mount_label);
    request.attributes = attributes;
    return kernel::new_file_system(request);
}

Result<Fd> new_cgroup_v2(const plan::Mount& mount, uint64_t attributes)
{
    kernel::FileSystemRequest request = file_system_request(mount);
    request.type = "cgroup2";
    if (request.source.empty())
        request.source = "cgroup";
    request.attributes |= attributes;
    return kernel::new_file_system(request);
}

// In a cgroup namespace a new mount of the hierarchy begins at the container's own cgroup. In a user namespace that
// does not own the cgroup namespace the kernel refuses it; the own directory shows the same. A container without a cgroup of
// its own sees none: the folder is empty, as on cgroup v1.
Result<Fd> cgroup_v2_view(const plan::Plan& plan, const plan::Mount& mount)
{
    auto own = std::ranges::find_if(plan.cgroup.directories, &plan::CgroupDirectory::unified);
    bool has_own = own != plan.cgroup.directories.end();
    if (has_cgroup_namespace(plan)) {
        auto made = new_cgroup_v2(mount, mount.options.set_attributes);
        if (made || !has_own || (made.error().code() != EPERM && made.error().code() != EBUSY))
            return made;
    }
    if (!has_own)
        return new_tmpfs(plan, always | MOUNT_ATTR_RDONLY);
    return clone_own_directory(*own, mount.options.set_attributes);
}

} // namespace

Result<> mount_cgroup_v2(FdRef root, const plan::Plan& plan, const plan::Mount& mount)
{
    Fd target = TRY(kernel::ensure_directory_in_root(root, mount.destination, mount_point_mode));
    TRY(check_target_outside_proc(mount, target));
    Fd view = TRY(cgroup_v2_view(plan, mount));
    TRY(apply_propagation(view, mount.options));
    return kernel::attach_mount(view, target);
}

namespace {

Result<Fd> cgroup_v1_view(const plan::Plan& plan, const plan::CgroupDirectory& directory, uint64_t attributes)
{
    if (!has_cgroup_namespace(plan))
        return clone_own_directory(directory, attributes);
    kernel::FileSystemRequest request;
    request.type = directory.unified ? "cgroup2" : "cgroup";
    request.source = "cgroup";
    request.attributes = attributes;
    if (!directory.unified)
        for (const auto& controller : directory.controllers) {
            constexpr std::string_view named = "name=";
            if (controller.starts_with(named))
                request.strings.emplace_back("name", controller.substr(named.size()));
            else
                request.flags.push_back(controller);
        }
    auto made = kernel::new_file_system(request);
    if (!made && (made.error().code() == EPERM || made.error().code() == EBUSY))
        return clone_own_directory(directory, attributes);
    return made;
}

Result<> mount_hierarchy(FdRef base, const plan::Plan& plan, const plan::CgroupDirectory& directory, uint64_t attributes)
{
    std::string name(base_name(directory.mount_point));
    auto made = kernel::make_directory(base, name, mount_point_mode);
    if (!made && made.error().code() == EEXIST)
        return {}; // two directories of the plan in one hierarchy
    TRY(std::move(made));
    Fd view = TRY(cgroup_v1_view(plan, directory, attributes));
    TRY(kernel::attach_mount(view, base, name));
    if (directory.unified)
        return {};
    for (const auto& controller : directory.controllers) {
        if (controller == name || contains(controller, "="))
            continue;
        auto linked = kernel::make_link(name, base, controller);
        if (!linked && linked.error().code() != EEXIST)
            return linked;
    }
    return {};
}

} // namespace

Result<> mount_cgroup_v1(FdRef root, const plan::Plan& plan, const plan::Mount& mount)
{
    Fd target = TRY(kernel::ensure_directory_in_root(root, mount.destination, mount_point_mode));
    TRY(check_target_outside_proc(mount, target));
    Fd base = TRY(new_tmpfs(plan, always));
    TRY(apply_propagation(base, mount.options));
    TRY(kernel::attach_mount(base, target));
    for (const auto& directory : plan.cgroup.directories)
        TRY_DURING("cgroup hierarchy " + quoted(directory.mount_point),
                   mount_hierarchy(base, plan, directory, mount.options.set_attributes | always));
    if ((mount.options.set_attributes & MOUNT_ATTR_RDONLY) == 0)
        return {};
    kernel::MountAttributes readonly;
    readonly.set = MOUNT_ATTR_RDONLY;
    return kernel::set_mount_attributes(base, readonly, Recursion::none);
}

} // namespace brig::setup
