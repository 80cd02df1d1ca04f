#include "plan/mount_plan.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <sys/mount.h>

namespace brig::plan {

namespace {

// ---- mounts --------------------------------------------------------------------------------------------------------

bool is_below(std::string_view path, std::string_view directory)
{
    return path.size() > directory.size() && path.starts_with(directory) && path[directory.size()] == '/';
}

// What lxcfs and its kind put over single files of /proc; nothing else there may be replaced, since a false
// /proc/self/attr or /proc/sys takes labels and limits away unseen (CVE-2019-16884, CVE-2023-27561).
constexpr std::array<std::string_view, 11> replaceable_in_proc = {"/proc/cpuinfo",
                                                                  "/proc/diskstats",
                                                                  "/proc/meminfo",
                                                                  "/proc/stat",
                                                                  "/proc/swaps",
                                                                  "/proc/uptime",
                                                                  "/proc/loadavg",
                                                                  "/proc/slabinfo",
                                                                  "/proc/net/dev",
                                                                  "/proc/sys/kernel/ns_last_pid",
                                                                  "/proc/sys/crypto/fips_enabled"};

Result<> check_proc_destination(const Mount& mount)
{
    if (mount.destination == "/proc") {
        // The source of a bind is looked at when it is opened.
        if (mount.kind == MountKind::bind || mount.type == "proc")
            return {};
        return failure(ErrorKind::invalid,
                       fmt::format("{} cannot be mounted because it is not of type proc", quoted(mount.destination)));
    }
    if (!is_below(mount.destination, "/proc"))
        return {};
    if (mount.kind == MountKind::bind && std::ranges::find(replaceable_in_proc, mount.destination) != replaceable_in_proc.end())
        return {};
    return failure(
        Error(ErrorKind::invalid, fmt::format("{} cannot be mounted because it is inside /proc", quoted(mount.destination)))
            .with_hint("only binds over the files that lxcfs provides are allowed there"));
}

Result<MountKind> kind_of(const spec::Mount& mount, const spec::MountOptions& options, const HostFacts& facts)
{
    if (mount.type == "bind" || options.bind)
        return MountKind::bind;
    if (mount.type == "cgroup2")
        return MountKind::cgroup_v2;
    if (mount.type != "cgroup")
        return MountKind::file_system;
    switch (facts.cgroup_layout) {
    case CgroupLayout::v1:
    case CgroupLayout::hybrid: return MountKind::cgroup_v1;
    case CgroupLayout::v2: return MountKind::cgroup_v2;
    case CgroupLayout::none: break;
    }
    return failure(Error(ErrorKind::not_supported, "a mount of type cgroup was asked for, but this host has no cgroups")
                       .with_hint("mount cgroup2 at /sys/fs/cgroup, or remove the mount from config.json"));
}

bool maps_id(const std::vector<spec::IdMapping>& mappings, uint64_t id)
{
    return std::ranges::any_of(mappings, [&](const spec::IdMapping& mapping) {
        return id >= mapping.container_id && id - mapping.container_id < mapping.size;
    });
}

// devpts answers "invalid argument" to an unmapped gid, which nobody understands.
Result<> check_devpts_group(const Mount& mount, const spec::Spec& spec)
{
    if (mount.type != "devpts" || !spec.linux || spec.linux->gid_mappings.empty())
        return {};
    for (const auto& option : mount.options.data) {
        if (!option.starts_with("gid="))
            continue;
        auto gid = parse_unsigned(std::string_view(option).substr(4));
        if (gid && !maps_id(spec.linux->gid_mappings, *gid))
            return failure(Error(ErrorKind::invalid, fmt::format("devpts option {} names a group that linux.gidMappings "
                                                                 "does not map",
                                                                 option))
                               .with_hint("map the group or remove the option"));
    }
    return {};
}

Result<> complete_bind(Mount& mount, const spec::Mount& source, const std::string& host_bundle)
{
    if (!mount.options.data.empty())
        return failure(Error(ErrorKind::invalid, fmt::format("bind mounts cannot have any filesystem-specific options "
                                                             "applied: {}",
                                                             quoted(join(mount.options.data, ",")))));
    mount.options.bind = true;
    if (mount.options.remount)
        return {};
    if (source.source.empty())
        return failure(ErrorKind::invalid, "a bind mount needs a source");
    mount.host_source = source.source.front() == '/' ? source.source : join_path(host_bundle, source.source);
    return {};
}

Result<> complete_id_mappings(Mount& mount, const spec::Spec& spec, const HostFacts& facts)
{
    if (mount.uid_mappings.empty() != mount.gid_mappings.empty())
        return failure(ErrorKind::invalid, "uidMappings and gidMappings of a mount must come together");
    if (mount.options.id_map) {
        mount.uid_mappings = TRY(spec::resolve_id_ranges(mount.options.id_map->uids, spec.linux->uid_mappings));
        mount.gid_mappings = TRY(spec::resolve_id_ranges(mount.options.id_map->gids, spec.linux->gid_mappings));
    }
    bool mapped = !mount.uid_mappings.empty();
    if (!mapped && !mount.options.idmap)
        return {};
    if (!mapped && spec.linux) {
        mount.uid_mappings = spec.linux->uid_mappings;
        mount.gid_mappings = spec.linux->gid_mappings;
    }
    if (mount.uid_mappings.empty() || mount.gid_mappings.empty())
        return failure(Error(ErrorKind::invalid, "the option idmap needs a mapping")
                           .with_hint("give the mount uidMappings and gidMappings, or the container a user namespace"));
    mount.options.idmap = true;
    if (mount.kind == MountKind::cgroup_v1 || mount.kind == MountKind::cgroup_v2)
        return failure(Error(ErrorKind::invalid, "a mount of cgroups cannot be id-mapped")
                           .with_hint("remove idmap, uidMappings and gidMappings"));
    if (!facts.is_privileged())
        return failure(Error(ErrorKind::not_supported, "an id-mapped mount needs root in the host's own user namespace")
                           .with_hint("run brig as root, or give the files to the container's ids with chown"));
    return {};
}

Result<Mount> plan_mount(const spec::Mount& source, const spec::Spec& spec, const std::string& host_bundle,
                         const HostFacts& facts)
{
    Mount mount;
    if (source.destination.empty())
        return failure(ErrorKind::invalid, "a mount needs a destination");
    mount.destination = clean_path("/" + source.destination);
    mount.options = TRY(spec::parse_mount_options(source.options));
    mount.kind = TRY(kind_of(source, mount.options, facts));
    mount.type = source.type;
    mount.host_source = source.source;
    mount.uid_mappings = source.uid_mappings;
    mount.gid_mappings = source.gid_mappings;
    if (mount.kind == MountKind::bind)
        TRY(complete_bind(mount, source, host_bundle));
    else if (mount.type.empty() && !mount.options.remount)
        return failure(Error(ErrorKind::invalid, "a mount needs a type").with_hint("or the option bind"));
    if (mount.options.copy_symlink && mount.kind != MountKind::bind)
        return failure(ErrorKind::invalid, "the option copy-symlink is for bind mounts");
    if (mount.options.tmpcopyup && mount.type != "tmpfs")
        return failure(ErrorKind::invalid, "the option tmpcopyup is for mounts of type tmpfs");
    TRY(complete_id_mappings(mount, spec, facts));
    TRY(check_devpts_group(mount, spec));
    TRY(check_proc_destination(mount));
    return mount;
}

// Mount points are still to be made in it.
void leave_read_only_to_the_end(RootFilesystem& root, Mount& mount)
{
    root.readonly = root.readonly || (mount.options.set_attributes & MOUNT_ATTR_RDONLY) != 0;
    mount.options.set_attributes &= ~uint64_t{MOUNT_ATTR_RDONLY};
    mount.options.superblock_set &= ~uint64_t{MS_RDONLY};
}

Result<> plan_mounts(RootFilesystem& root, const spec::Spec& spec, const std::string& host_bundle, const HostFacts& facts)
{
    for (size_t index = 0; index < spec.mounts.size(); index++) {
        const spec::Mount& source = spec.mounts[index];
        Mount mount = TRY_DURING(fmt::format("mounts[{}] {}", index, quoted(source.destination)),
                                 plan_mount(source, spec, host_bundle, facts));
        mount.spec_index = index;
        if (mount.is_root())
            leave_read_only_to_the_end(root, mount);
        root.mounts.push_back(std::move(mount));
    }
    auto first_cgroup = std::ranges::find_if(
        root.mounts, [](const Mount& mount) { return mount.kind == MountKind::cgroup_v1 || mount.kind == MountKind::cgroup_v2; });
    root.mounts_before_cgroup = static_cast<size_t>(first_cgroup - root.mounts.begin());
    return {};
}

// ---- devices -------------------------------------------------------------------------------------------------------

struct DefaultDevice {
    std::string_view path;
    uint32_t major;
    uint32_t minor;
};

// config-linux.md "Default Devices" without console and ptmx, which are a bind mount and a link.
constexpr std::array default_devices = {DefaultDevice{"/dev/null", 1, 3},    DefaultDevice{"/dev/zero", 1, 5},
                                        DefaultDevice{"/dev/full", 1, 7},    DefaultDevice{"/dev/random", 1, 8},
                                        DefaultDevice{"/dev/urandom", 1, 9}, DefaultDevice{"/dev/tty", 5, 0}};

Result<DeviceNode> plan_device(const spec::Device& device)
{
    constexpr std::string_view types = "cubp";
    if (device.path.empty())
        return failure(ErrorKind::invalid, "a device needs a path");
    if (types.find(device.type) == std::string_view::npos)
        return failure(Error(ErrorKind::invalid, fmt::format("{} is not a type of device", quoted({&device.type, 1})))
                           .with_hint("c, u, b or p"));
    if (device.type != 'p' && (device.major < 0 || device.major > UINT32_MAX || device.minor < 0 || device.minor > UINT32_MAX))
        return failure(ErrorKind::invalid, fmt::format("no device has the numbers {}:{}", device.major, device.minor));
    DeviceNode node;
    node.path = clean_path("/" + device.path);
    node.type = device.type == 'u' ? 'c' : device.type;
    if (node.type != 'p') {
        node.major = static_cast<uint32_t>(device.major);
        node.minor = static_cast<uint32_t>(device.minor);
    }
    node.mode = device.file_mode.value_or(0666) & 07777;
    node.uid = device.uid.value_or(0);
    node.gid = device.gid.value_or(0);
    return node;
}

Result<> plan_devices(RootFilesystem& root, const spec::Spec& spec)
{
    for (const auto& device : default_devices)
        root.devices.push_back({std::string(device.path), 'c', device.major, device.minor, 0666, 0, 0});
    const std::vector<spec::Device> none;
    const auto& asked = spec.linux ? spec.linux->devices : none;
    for (size_t index = 0; index < asked.size(); index++) {
        DeviceNode node = TRY_DURING(fmt::format("linux.devices[{}]", index), plan_device(asked[index]));
        if (node.path == "/dev/ptmx")
            continue; // the link to the container's own devpts stands there
        auto same = std::ranges::find(root.devices, node.path, &DeviceNode::path);
        if (same != root.devices.end())
            *same = std::move(node);
        else
            root.devices.push_back(std::move(node));
    }
    root.links = {{"/dev/fd", "/proc/self/fd"},       {"/dev/stdin", "/proc/self/fd/0"}, {"/dev/stdout", "/proc/self/fd/1"},
                  {"/dev/stderr", "/proc/self/fd/2"}, {"/dev/core", "/proc/kcore"},      {"/dev/ptmx", "pts/ptmx"}};
    return {};
}

// There is one devtmpfs for the whole host: what is made or removed in it, the host has or has lost.
bool brings_its_own_dev(const std::vector<Mount>& mounts)
{
    return std::ranges::any_of(mounts, [](const Mount& mount) {
        return mount.destination == "/dev" && (mount.kind == MountKind::bind || mount.type == "devtmpfs");
    });
}

bool has_user_namespace(const spec::Spec& spec)
{
    return spec.linux && std::ranges::any_of(spec.linux->namespaces, [](const spec::Namespace& name_space) {
               return name_space.type == spec::NamespaceType::user;
           });
}

// ---- the rest --------------------------------------------------------------------------------------------------------

Result<> plan_propagation(RootFilesystem& root, const spec::Spec& spec)
{
    root.propagation = MS_SLAVE;
    root.propagation_recursive = true;
    if (!spec.linux || spec.linux->rootfs_propagation.empty())
        return {};
    auto change = spec::find_propagation(spec.linux->rootfs_propagation);
    if (!change)
        return failure(
            Error(ErrorKind::invalid, fmt::format("rootfsPropagation {} is not known", quoted(spec.linux->rootfs_propagation)))
                .with_hint("one of " + join(spec::propagation_names(), ", ")));
    root.propagation = change->mount_flag();
    root.propagation_recursive = change->recursive;
    return {};
}

Result<std::vector<std::string>> absolute_paths(std::string_view property, const std::vector<std::string>& paths)
{
    std::vector<std::string> cleaned;
    for (const auto& path : paths) {
        if (path.empty() || path.front() != '/')
            return failure(ErrorKind::invalid, fmt::format("{}: {} is not an absolute path", property, quoted(path)));
        cleaned.push_back(clean_path(path));
    }
    return cleaned;
}

} // namespace

Result<RootFilesystem> make_root_plan(const spec::Spec& spec, const std::string& host_bundle, RootSwitch root_switch,
                                      const HostFacts& facts)
{
    if (!spec.root || spec.root->path.empty())
        return failure(ErrorKind::invalid, "root.path is missing");
    RootFilesystem root;
    root.host_path = clean_path(spec.root->path.front() == '/' ? spec.root->path : join_path(host_bundle, spec.root->path));
    root.readonly = spec.root->readonly;
    root.root_switch = root_switch;
    TRY(plan_propagation(root, spec));
    TRY(plan_mounts(root, spec, host_bundle, facts));
    root.bind_devices = has_user_namespace(spec) || facts.in_user_namespace;
    root.populate_dev = !brings_its_own_dev(root.mounts);
    if (root.populate_dev)
        TRY(plan_devices(root, spec));
    if (spec.linux) {
        root.masked_paths = TRY(absolute_paths("linux.maskedPaths", spec.linux->masked_paths));
        root.readonly_paths = TRY(absolute_paths("linux.readonlyPaths", spec.linux->readonly_paths));
        root.mount_label = spec.linux->mount_label;
    }
    return root;
}

} // namespace brig::plan
