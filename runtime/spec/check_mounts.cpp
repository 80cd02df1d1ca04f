#include "spec/checks.hpp"
#include "spec/mount_options.hpp"

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

Result<> check_mount(std::string_view property, const Mount& mount, const Spec& spec)
{
    if (mount.destination.empty())
        return refused(fmt::format("{}.destination is empty", property), "give the path inside the container");
    auto options = TRY_DURING(fmt::format("{}.options", property), parse_mount_options(mount.options));
    if (options.bind && mount.source.empty())
        return refused(fmt::format("{}.source of a bind mount is empty", property));
    if (!options.bind && !options.remount && mount.type.empty())
        return refused(fmt::format("{}.type is empty", property), "name the file system, or add the option bind or rbind");
    return check_id_mapped(property, mount, options, spec);
}

} // namespace

Result<> check_mounts(const Spec& spec)
{
    for (size_t i = 0; i < spec.mounts.size(); i++)
        TRY(check_mount(fmt::format("mounts[{}]", i), spec.mounts[i], spec));
    return {};
}

} // namespace brig::spec
