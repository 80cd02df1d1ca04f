#include "container/external_mounts.hpp"

#include "base/text.hpp"
#include "kernel/files.hpp"
#include "kernel/mount_table.hpp"
#include "kernel/mounting.hpp"
#include "kernel/path_in_root.hpp"

#include <algorithm>
#include <map>
#include <set>
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

    Result<> find(const std::string& path, const std::string& name)
    {
        Fd target = TRY(open_mount(path));
        if (target)
            m_names[TRY(kernel::mount_id(target))] = name;
        return {};
    }

    // Masks over files; those over directories are file systems of their own, which CRIU saves.
    Result<> find_mask(const std::string& path)
    {
        Fd target = TRY(open_mount(path));
        if (!target)
            return {};
        struct stat status = TRY(kernel::status_of(target));
        if (S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3))
            m_names[TRY(kernel::mount_id(target))] = null_device;
        return {};
    }

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

Result<std::vector<CriuNamedPath>> find_external_mounts(const plan::Plan& plan, const std::vector<ExternalMount>& added,
                                                        pid_t pid)
{
    std::set<std::string> host_devices;
    for (const auto& mount : TRY(kernel::read_mount_table("self")))
        host_devices.insert(mount.device);
    Fd root = TRY(kernel::open_at(kernel::working_directory, fmt::format("/proc/{}/root", pid), O_PATH | O_DIRECTORY));
    Finder finder(std::move(root), TRY(kernel::read_mount_table(std::to_string(pid))), std::move(host_devices));
    for (const auto& path : plan.root.masked_paths)
        TRY(finder.find_mask(path));
    for (const auto& mount : planned_external_mounts(plan))
        TRY(finder.find(mount.name, mount.name));
    for (const auto& mount : added)
        TRY(finder.find(mount.name, mount.name));
    return finder.result();
}

Result<std::string> source_of_external_mount(const std::vector<ExternalMount>& known, const std::string& name)
{
    if (name == null_device)
        return std::string(null_device);
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

} // namespace brig::container
