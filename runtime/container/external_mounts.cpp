#include "container/external_mounts.hpp"

#include "base/text.hpp"
#include "kernel/files.hpp"
#include "kernel/mount_table.hpp"
#include "kernel/mounting.hpp"
#include "kernel/path_in_root.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <sys/mount.h>
#include <sys/sysmacros.h>

namespace brig::container {

namespace {

constexpr const char* null_device = "/dev/null";

bool is_below(std::string_view path, std::string_view directory)
{
    return path.size() > directory.size() && path.starts_with(directory) && path[directory.size()] == '/';
}

bool has_cgroup_namespace(const plan::Plan& plan)
{
    return plan.namespaces.new_cgroup_namespace || plan.namespaces.joins_type(spec::NamespaceType::cgroup);
}

// Without a cgroup namespace a mount of type cgroup shows clones of the container's own directories.
void add_cgroup_views(std::vector<ExternalMount>& found, const plan::Plan& plan, const plan::Mount& mount)
{
    for (const auto& directory : plan.cgroup.directories) {
        std::string source = clean_path(directory.mount_point + "/" + directory.path);
        if (mount.kind == plan::MountKind::cgroup_v1)
            found.push_back({join_path(mount.destination, base_name(directory.mount_point)), source});
        else if (directory.unified)
            found.push_back({mount.destination, source});
    }
}

} // namespace

std::vector<ExternalMount> planned_external_mounts(const plan::Plan& plan)
{
    std::vector<ExternalMount> found;
    for (const auto& mount : plan.root.mounts) {
        if (mount.options.remount)
            continue;
        if (mount.kind == plan::MountKind::bind)
            found.push_back({mount.destination, mount.host_source});
        else if (mount.kind != plan::MountKind::file_system && !has_cgroup_namespace(plan))
            add_cgroup_views(found, plan, mount);
    }
    for (const auto& path : plan.root.masked_paths)
        found.push_back({path, null_device});
    if (plan.root.bind_devices)
        for (const auto& node : plan.root.devices)
            found.push_back({node.path, node.path});
    return found;
}

// ---- at the dump -----------------------------------------------------------------------------------------------------

namespace {

class Finder {
public:
    Finder(Fd root, std::vector<kernel::MountEntry> mounts, std::set<std::string> host_devices)
        : m_root(std::move(root)), m_mounts(std::move(mounts)), m_host_devices(std::move(host_devices))
    {
    }

    Result<> find(const ExternalMount& mount)
    {
        Fd target = TRY(open_mount(mount.name));
        if (!target)
            return {};
        // Masks over directories are file systems of the container's own, which CRIU saves.
        struct stat status = TRY(kernel::status_of(target));
        bool null = S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3);
        if (mount.host_source != null_device || null)
            m_names[TRY(kernel::mount_id(target))] = mount.name;
        return {};
    }

    void know(uint64_t id, const std::string& name) { m_names[id] = name; }

    std::vector<CriuNamedPath> result()
    {
        add_mounts_below();
        std::vector<CriuNamedPath> found;
        for (const auto& mount : m_mounts)
            if (auto name = m_names.find(mount.id); name != m_names.end())
                found.push_back({mount.mount_point, name->second});
        return found;
    }

private:
    // Invalid: nothing is mounted there (any more).
    Result<Fd> open_mount(const std::string& path)
    {
        auto target = kernel::open_in_root(m_root, path, O_PATH);
        if (!target && (target.error().code() == ENOENT || target.error().code() == ENOTDIR || target.error().code() == ELOOP))
            return Fd();
        Fd opened = TRY(std::move(target));
        return TRY(kernel::is_mount_root(opened)) ? std::move(opened) : Fd();
    }

    // In mountinfo a mount comes after the one that it is on. One with a file system that the host has mounted as well came
    // with its parent; another was made inside.
    void add_mounts_below()
    {
        std::map<uint64_t, const kernel::MountEntry*> external;
        for (const auto& mount : m_mounts) {
            if (m_names.contains(mount.id)) {
                external[mount.id] = &mount;
                continue;
            }
            auto parent = external.find(mount.parent);
            if (parent == external.end() || !m_host_devices.contains(mount.device)
                || !is_below(mount.mount_point, parent->second->mount_point))
                continue;
            m_names[mount.id] = m_names[mount.parent] + mount.mount_point.substr(parent->second->mount_point.size());
            external[mount.id] = &mount;
        }
    }

    Fd m_root;
    std::vector<kernel::MountEntry> m_mounts;
    std::set<std::string> m_host_devices;
    std::map<uint64_t, std::string> m_names;
};

} // namespace

Result<std::vector<CriuNamedPath>> find_external_mounts(const plan::Plan& plan, const std::vector<LiveMount>& added, pid_t pid)
{
    std::set<std::string> host_devices;
    for (const auto& mount : TRY(kernel::read_mount_table("self")))
        host_devices.insert(mount.device);
    Fd root = TRY(kernel::open_at(kernel::working_directory, fmt::format("/proc/{}/root", pid), O_PATH | O_DIRECTORY));
    Finder finder(std::move(root), TRY(kernel::read_mount_table(std::to_string(pid))), std::move(host_devices));
    for (const auto& mount : planned_external_mounts(plan))
        TRY(finder.find(mount));
    for (const auto& mount : added)
        if (!mount.host_source.empty())
            finder.know(mount.id, mount.destination);
    return finder.result();
}

Result<std::string> source_of_external_mount(const std::vector<ExternalMount>& known, const std::string& name)
{
    const ExternalMount* best = nullptr;
    for (const auto& mount : known)
        if ((mount.name == name || is_below(name, mount.name)) && (!best || mount.name.size() >= best->name.size()))
            best = &mount;
    if (!best)
        return failure(
            Error(ErrorKind::invalid, fmt::format("the checkpoint has a mount of the host's at {}, of which config.json "
                                                  "says nothing",
                                                  quoted(name)))
                .with_hint("add the bind mount to config.json"));
    return best->host_source + name.substr(best->name.size());
}

// ---- flags -----------------------------------------------------------------------------------------------------------

namespace {

constexpr uint64_t protecting =
    MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSYMFOLLOW;

} // namespace

Result<std::vector<MountFlags>> read_mount_flags(pid_t pid)
{
    Fd root = TRY(kernel::open_at(kernel::working_directory, fmt::format("/proc/{}/root", pid), O_PATH | O_DIRECTORY));
    std::vector<MountFlags> flags;
    for (const auto& entry : TRY(kernel::read_mount_table(std::to_string(pid)))) {
        auto place = kernel::open_in_root(root, entry.mount_point, O_PATH, kernel::Links::refuse);
        if (place && TRY(kernel::mount_id(*place)) == entry.id)
            flags.push_back({entry.mount_point, TRY(kernel::mount_attributes(*place)) & protecting});
    }
    return flags;
}

Result<> restore_mount_flags(FdRef root, const std::vector<MountFlags>& mounts)
{
    for (const auto& mount : mounts) {
        auto step = [&] { return "protect the restored mount at " + quoted(mount.mount_point); };
        Fd place = TRY_DURING(step(), kernel::open_in_root(root, mount.mount_point, O_PATH, kernel::Links::refuse));
        if (!TRY_DURING(step(), kernel::is_mount_root(place)))
            continue; // a file system of the old root's, which the new root does not have
        kernel::MountAttributes attributes;
        attributes.set = mount.attributes & ~TRY_DURING(step(), kernel::mount_attributes(place));
        if (attributes.set != 0)
            TRY_DURING(step(), kernel::set_mount_attributes(place, attributes, kernel::Recursion::none));
    }
    return {};
}

} // namespace brig::container
