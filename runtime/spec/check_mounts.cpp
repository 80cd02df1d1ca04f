#include "spec/checks.hpp"
#include "spec/mount_options.hpp"

#include <algorithm>
#include <array>

namespace brig::spec {

namespace {

Result<> check_id_map_option(std::string_view property, const IdMapOption& option, const Spec& spec)
{
    std::string step = fmt::format("{}.options", property);
    auto uids = TRY_DURING(step, resolve_id_ranges(option.uids, spec.linux->uid_mappings));
    auto gids = TRY_DURING(step, resolve_id_ranges(option.gids, spec.linux->gid_mappings));
    TRY(check_id_mappings(fmt::format("{} uids", step), uids));
    return check_id_mappings(fmt::format("{} gids", step), gids);
}

Result<> check_id_mapped(std::string_view property, const Mount& mount, const MountOptions& options, const Spec& spec)
{
    TRY(check_id_mappings(fmt::format("{}.uidMappings", property), mount.uid_mappings));
    TRY(check_id_mappings(fmt::format("{}.gidMappings", property), mount.gid_mappings));
    if (mount.uid_mappings.empty() != mount.gid_mappings.empty())
        return refused(fmt::format("{} has only one of uidMappings and gidMappings", property), "an id-mapped mount needs both");
    if (options.id_map && !mount.uid_mappings.empty())
        return refused(fmt::format("{} has uidMappings and the option idmap= with another mapping", property), "leave one out");
    if (options.id_map)
        return check_id_map_option(property, *options.id_map, spec);
    if (options.idmap && mount.uid_mappings.empty() && !has_namespace(spec, NamespaceType::user))
        return refused(fmt::format("{} has the option idmap but nothing to map", property),
                       "give it uidMappings and gidMappings, or the container a user namespace");
    return {};
}

// It becomes the root, so all others stand on it, and what belongs to one place of the tree is no root.
Result<> check_root_mount(size_t index, const Mount& mount, const MountOptions& options)
{
    std::string property = fmt::format("mounts[{}]", index);
    if (index != 0)
        return refused(fmt::format("{} has the destination \"/\"", property),
                       "only the first mount can be the root; the others would be hidden below this one");
    constexpr std::array<std::string_view, 7> no_roots = {"proc", "sysfs", "mqueue", "devpts", "devtmpfs", "cgroup", "cgroup2"};
    if (!options.bind && std::ranges::find(no_roots, mount.type) != no_roots.end())
        return refused(fmt::format("{} of type {} has the destination \"/\"", property, quoted(mount.type)),
                       "an overlay, a bind or another file system with a program in it can be the root");
    if (options.tmpcopyup || options.copy_symlink || options.destination_nofollow)
        return refused(fmt::format("{} with the destination \"/\" has an option that is for mount points in the root", property),
                       "leave tmpcopyup, copy-symlink and dest-nofollow out");
    return {};
}

Result<> check_upper(std::string_view property, const Mount& mount, const MountOptions& options, bool at_root)
{
    if (!options.tmpfs_upper)
        return {};
    if (mount.type != "overlay" || !at_root)
        return refused(fmt::format("{} has the option tmpfs-upper", property), "it is for an overlay with the destination \"/\"");
    for (const auto& data : options.data)
        if (contains("," + data, ",upperdir=") || contains("," + data, ",workdir="))
            return refused(fmt::format("{} has the option tmpfs-upper besides upperdir or workdir", property), "leave one out");
    return {};
}

Result<> check_mount(size_t index, const Mount& mount, const Spec& spec)
{
    std::string property = fmt::format("mounts[{}]", index);
    if (mount.destination.empty())
        return refused(fmt::format("{}.destination is empty", property), "give the path inside the container");
    auto options = TRY_DURING(fmt::format("{}.options", property), parse_mount_options(mount.options));
    if (options.bind && mount.source.empty())
        return refused(fmt::format("{}.source of a bind mount is empty", property));
    if (!options.bind && !options.remount && mount.type.empty())
        return refused(fmt::format("{}.type is empty", property), "name the file system, or add the option bind or rbind");
    bool at_root = clean_path("/" + mount.destination) == "/" && !options.remount;
    if (at_root)
        TRY(check_root_mount(index, mount, options));
    TRY(check_upper(property, mount, options, at_root));
    return check_id_mapped(property, mount, options, spec);
}

} // namespace

Result<> check_mounts(const Spec& spec)
{
    for (size_t i = 0; i < spec.mounts.size(); i++)
        TRY(check_mount(i, spec.mounts[i], spec));
    return {};
}

} // namespace brig::spec
