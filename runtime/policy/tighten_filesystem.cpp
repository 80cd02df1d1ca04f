#include "policy/changes.hpp"
#include "policy/tighten_mount.hpp"

#include <algorithm>

namespace brig::policy {

namespace {

void make_root_read_only(spec::Spec& spec, Changes& changes)
{
    if (spec.root && !spec.root->readonly) {
        spec.root->readonly = true;
        changes.add("root.readonly", "false", "true", "has filesystem.readOnlyRoot true");
    }
}

// A bounded tmpfs where the bundle could have written in its root: less than before. Never where it could not, and in front
// of the bundle's own mounts, which may lie below it, but behind one that is the root.
void replace_writable_places(spec::Spec& spec, const Policy& policy, Changes& changes)
{
    std::vector<spec::Mount> added;
    for (const auto& place : policy.filesystem.tmpfs) {
        auto reaches = [&](const spec::Mount& mount) {
            std::string destination = clean_path(mount.destination);
            return destination != "/" && covers(destination, place.path);
        };
        if (std::ranges::any_of(spec.mounts, reaches))
            continue;
        spec::Mount mount;
        mount.destination = place.path;
        mount.type = "tmpfs";
        mount.source = "tmpfs";
        mount.options = {"nosuid", "nodev", "mode=1777"};
        if (!place.executable)
            mount.options.emplace_back("noexec");
        if (auto bytes = tmpfs_limit(policy, place.path))
            mount.options.push_back(fmt::format("size={}", *bytes));
        changes.add(fmt::format("mounts {}", place.path), "writable in the root", join(mount.options, ","),
                    "has a tmpfs there in place of it");
        added.push_back(std::move(mount));
    }
    // Parents before what lies below them.
    std::ranges::stable_sort(added, {}, [](const spec::Mount& mount) { return mount.destination.size(); });
    bool mounts_root = !spec.mounts.empty() && clean_path(spec.mounts.front().destination) == "/";
    spec.mounts.insert(spec.mounts.begin() + (mounts_root ? 1 : 0), std::make_move_iterator(added.begin()),
                       std::make_move_iterator(added.end()));
}

void add_paths(std::vector<std::string>& paths, const std::vector<std::string>& wanted, std::string_view property,
               std::string_view what, std::string_view why, Changes& changes)
{
    for (const auto& path : wanted) {
        if (std::ranges::find(paths, path) != paths.end())
            continue;
        paths.push_back(path);
        changes.add(fmt::format("{} {}", property, path), "as it is", std::string(what), why);
    }
}

} // namespace

Result<> tighten_filesystem(spec::Spec& spec, const Policy& policy, const HostLimits& host, Changes& changes)
{
    const Filesystem& filesystem = policy.filesystem;
    spec::Linux& linux = *spec.linux;
    for (auto& mount : spec.mounts)
        TRY(tighten_mount(mount, policy, host, changes));
    if (filesystem.read_only_root && spec.root && !spec.root->readonly)
        replace_writable_places(spec, policy, changes);
    if (filesystem.read_only_root)
        make_root_read_only(spec, changes);
    add_paths(linux.masked_paths, filesystem.hidden, "linux.maskedPaths", "hidden", "names it in filesystem.hidden", changes);
    add_paths(linux.readonly_paths, filesystem.read_only, "linux.readonlyPaths", "read-only", "names it in filesystem.readOnly",
              changes);
    if (filesystem.safe_mounts && contains(linux.rootfs_propagation, "shared")) {
        changes.add("linux.rootfsPropagation", linux.rootfs_propagation, "rprivate", "has filesystem.safeMounts true");
        linux.rootfs_propagation = "rprivate";
    }
    if (filesystem.landlock)
        changes.add("Landlock", "none of brig's", "rules for files by path", "has filesystem.landlock");
    return {};
}

} // namespace brig::policy
