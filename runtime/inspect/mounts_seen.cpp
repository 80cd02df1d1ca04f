#include "inspect/mounts_seen.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>

namespace brig::inspect {

namespace {

using kernel::MountEntry;

// What is mounted everywhere, each instance showing no more than its own namespace or cgroup.
constexpr std::array namespaced_types = {std::string_view("cgroup"), std::string_view("cgroup2"), std::string_view("mqueue"),
                                         std::string_view("devpts"), std::string_view("sysfs")};

class Walk {
public:
    explicit Walk(const std::vector<MountEntry>& mounts)
    {
        std::set<uint64_t> ids;
        for (const auto& mount : mounts)
            ids.insert(mount.id);
        for (const auto& mount : mounts) {
            if (ids.contains(mount.parent) && mount.parent != mount.id)
                m_children[mount.parent].push_back(&mount);
            else if (mount.mount_point == "/")
                m_root = &mount;
        }
    }

    // The mount that a path ends in; null without a root.
    const MountEntry* end_of(std::string_view path) const
    {
        const MountEntry* at = m_root;
        while (at) {
            const MountEntry* next = crossed(*at, path);
            if (!next)
                break;
            at = next;
        }
        return at;
    }

private:
    // On the way through `mount` the first mount point met is the shortest.
    const MountEntry* crossed(const MountEntry& mount, std::string_view path) const
    {
        auto children = m_children.find(mount.id);
        if (children == m_children.end())
            return nullptr;
        const MountEntry* first = nullptr;
        for (const auto* child : children->second)
            if (covers(child->mount_point, path) && (!first || child->mount_point.size() < first->mount_point.size()))
                first = child;
        return first;
    }

    std::map<uint64_t, std::vector<const MountEntry*>> m_children;
    const MountEntry* m_root = nullptr;
};

bool is_writable(const MountEntry& entry)
{
    return kernel::has_mount_option(entry.options, "rw") && kernel::has_mount_option(entry.super_options, "rw");
}

// Where files are in the host's tree: the longest of its mounts' parts that holds them.
std::string host_path_of(const MountEntry& entry, const std::multimap<std::string_view, const MountEntry*>& host)
{
    if (std::ranges::find(namespaced_types, entry.type) != namespaced_types.end())
        return {};
    const MountEntry* best = nullptr;
    auto [first, last] = host.equal_range(entry.device);
    for (auto at = first; at != last; ++at)
        if (covers(at->second->root, entry.root) && (!best || at->second->root.size() > best->root.size()))
            best = at->second;
    if (!best)
        return {};
    std::string_view rest = std::string_view(entry.root).substr(best->root == "/" ? 0 : best->root.size());
    return rest.empty() || rest == "/" ? best->mount_point : clean_path(best->mount_point + "/" + std::string(rest));
}

// The peer groups in "shared:12 master:3".
void add_groups(std::set<std::string>& groups, std::string_view propagation)
{
    for (auto word : split(propagation, ' '))
        if (word.starts_with("shared:"))
            groups.emplace(word);
}

bool is_in_group_of(const MountEntry& entry, const std::set<std::string>& groups)
{
    std::set<std::string> own;
    add_groups(own, entry.propagation);
    return std::ranges::any_of(own, [&](const auto& group) { return groups.contains(group); });
}

Exposure exposure_of(const std::string& path, const Walk& walk)
{
    std::string_view type = path.starts_with("/proc") ? "proc" : "sysfs";
    const MountEntry* mount = walk.end_of(path);
    if (!mount || mount->type != type)
        return Exposure::masked;
    return is_writable(*mount) ? Exposure::writable : Exposure::readable;
}

} // namespace

bool covers(std::string_view parent, std::string_view path)
{
    return parent == "/" || path == parent || (path.starts_with(parent) && path[parent.size()] == '/');
}

bool SeenMount::writable() const
{
    return is_writable(entry);
}

const SeenMount* MountsSeen::root() const
{
    auto found = std::ranges::find(all, "/", [](const SeenMount& mount) { return mount.entry.mount_point; });
    return found == all.end() ? nullptr : &*found;
}

const std::vector<std::string>& watched_kernel_paths()
{
    static const std::vector<std::string> paths = {
        "/proc/acpi",
        "/proc/asound",
        "/proc/bus",
        "/proc/fs",
        "/proc/interrupts",
        "/proc/irq",
        "/proc/kcore",
        "/proc/keys",
        "/proc/latency_stats",
        "/proc/sched_debug",
        "/proc/scsi",
        "/proc/sys",
        "/proc/sysrq-trigger",
        "/proc/timer_list",
        "/sys/devices/virtual/powercap",
        "/sys/firmware",
        "/sys/kernel",
    };
    return paths;
}

MountsSeen see_mounts(std::vector<MountEntry> container, const std::vector<MountEntry>& host,
                      const std::vector<std::string>& existing)
{
    std::multimap<std::string_view, const MountEntry*> by_device;
    std::set<std::string> host_groups;
    for (const auto& mount : host) {
        by_device.emplace(mount.device, &mount);
        add_groups(host_groups, mount.propagation);
    }
    MountsSeen seen;
    Walk walk(container);
    for (const auto& path : watched_kernel_paths()) {
        bool exists = std::ranges::find(existing, path) != existing.end();
        seen.kernel_paths.push_back({path, exists ? exposure_of(path, walk) : Exposure::absent});
    }
    for (auto& entry : container) {
        std::string host_path = host_path_of(entry, by_device);
        bool shared = is_in_group_of(entry, host_groups);
        seen.all.push_back({std::move(entry), std::move(host_path), shared, false});
    }
    return seen;
}

} // namespace brig::inspect
