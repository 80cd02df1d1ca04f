#include "spec/checks.hpp"
#include "spec/sysctl.hpp"

#include <algorithm>
#include <array>

namespace brig::spec {

const Namespace* find_namespace(const Linux& section, NamespaceType type)
{
    auto found = std::ranges::find(section.namespaces, type, &Namespace::type);
    return found == section.namespaces.end() ? nullptr : &*found;
}

namespace {

std::string add_namespace(NamespaceType type)
{
    return fmt::format("add {{\"type\": \"{}\"}} to linux.namespaces", namespace_word(type).name);
}

Result<> check_list(const Linux& section)
{
    for (size_t i = 0; i < section.namespaces.size(); i++) {
        const auto& entry = section.namespaces[i];
        if (!entry.path.empty())
            TRY(check_absolute(fmt::format("linux.namespaces[{}].path", i), entry.path));
        if (find_namespace(section, entry.type) != &entry)
            return refused(fmt::format("linux.namespaces has {} twice", namespace_word(entry.type).name));
    }
    return {};
}

struct IdRange {
    uint64_t first;
    uint64_t end;
};

Result<> check_overlap(std::string_view property, std::vector<IdRange> ranges)
{
    std::ranges::sort(ranges, {}, &IdRange::first);
    for (size_t i = 1; i < ranges.size(); i++)
        if (ranges[i].first < ranges[i - 1].end)
            return refused(fmt::format("{} maps id {} twice", property, ranges[i].first));
    return {};
}

} // namespace

Result<> check_id_mappings(std::string_view property, const std::vector<IdMapping>& mappings)
{
    constexpr size_t most = 340; // UID_GID_MAP_MAX_EXTENTS
    constexpr uint64_t end_of_ids = uint64_t{1} << 32;
    std::vector<IdRange> inside;
    std::vector<IdRange> outside;
    if (mappings.size() > most)
        return refused(fmt::format("{} has {} entries, the kernel takes {}", property, mappings.size(), most));
    for (size_t i = 0; i < mappings.size(); i++) {
        const auto& mapping = mappings[i];
        if (mapping.size == 0)
            return refused(fmt::format("{}[{}].size must be more than 0", property, i));
        inside.push_back({mapping.container_id, uint64_t{mapping.container_id} + mapping.size});
        outside.push_back({mapping.host_id, uint64_t{mapping.host_id} + mapping.size});
        if (inside.back().end >= end_of_ids || outside.back().end >= end_of_ids)
            return refused(fmt::format("{}[{}] goes beyond the last id, 4294967294", property, i));
    }
    TRY(check_overlap(fmt::format("{} (containerID)", property), std::move(inside)));
    return check_overlap(fmt::format("{} (hostID)", property), std::move(outside));
}

namespace {

Result<> check_user_namespace(const Linux& section)
{
    TRY(check_id_mappings("linux.uidMappings", section.uid_mappings));
    TRY(check_id_mappings("linux.gidMappings", section.gid_mappings));
    const auto* user = find_namespace(section, NamespaceType::user);
    if (user == nullptr && !(section.uid_mappings.empty() && section.gid_mappings.empty()))
        return refused("linux.uidMappings or gidMappings without a user namespace", add_namespace(NamespaceType::user));
    if (user != nullptr && user->path.empty() && (section.uid_mappings.empty() || section.gid_mappings.empty()))
        return refused("a new user namespace without linux.uidMappings and gidMappings",
                       "without both, no process could have an id in it");
    return {};
}

Result<> check_time_offsets(const Linux& section)
{
    constexpr uint32_t second = 1'000'000'000;
    for (const auto& [clock, offset] : section.time_offsets) {
        if (clock != "monotonic" && clock != "boottime")
            return refused(fmt::format("linux.timeOffsets has the clock {}", quoted(clock)),
                           "monotonic and boottime have offsets");
        if (offset.nanoseconds >= second)
            return refused(
                fmt::format("linux.timeOffsets.{}.nanosecs must be below {}, not {}", clock, second, offset.nanoseconds));
    }
    if (section.time_offsets.empty())
        return {};
    const auto* time = find_namespace(section, NamespaceType::time);
    if (time == nullptr)
        return refused("linux.timeOffsets without a time namespace", add_namespace(NamespaceType::time));
    if (!time->path.empty())
        return refused("linux.timeOffsets together with a time namespace to join",
                       "offsets can be set only before a process is in it: remove them or the path");
    return {};
}

Result<> check_paths(const Linux& section)
{
    for (size_t i = 0; i < section.masked_paths.size(); i++)
        TRY(check_absolute(fmt::format("linux.maskedPaths[{}]", i), section.masked_paths[i]));
    for (size_t i = 0; i < section.readonly_paths.size(); i++)
        TRY(check_absolute(fmt::format("linux.readonlyPaths[{}]", i), section.readonly_paths[i]));
    bool any = !section.masked_paths.empty() || !section.readonly_paths.empty();
    if (any && find_namespace(section, NamespaceType::mount) == nullptr)
        return refused("linux.maskedPaths or readonlyPaths without a mount namespace would change the host",
                       add_namespace(NamespaceType::mount));
    return {};
}

Result<> check_sysctls(const Linux& section)
{
    for (const auto& [key, value] : section.sysctl) {
        auto sysctl = TRY(parse_sysctl(key));
        if (find_namespace(section, sysctl.owner) == nullptr)
            return refused(fmt::format("linux.sysctl {} would change the host's {} namespace", quoted(key),
                                       namespace_word(sysctl.owner).name),
                           add_namespace(sysctl.owner));
    }
    return {};
}

// dev_valid_name in the kernel; a "%d" asks it to pick the number, once and only for the new name.
bool is_interface_name(std::string_view name, bool may_be_template)
{
    constexpr size_t longest = 15;
    auto percent = name.find('%');
    if (may_be_template && percent != std::string_view::npos && name.substr(percent, 2) == "%d" && name.size() <= longest)
        return is_interface_name(std::string(name.substr(0, percent)) + "0" + std::string(name.substr(percent + 2)), false);
    return !name.empty() && name.size() <= longest && name != "." && name != ".."
           && name.find_first_of("/:% \t\n\v\f\r") == std::string_view::npos;
}

Result<> check_net_devices(const Linux& section)
{
    std::vector<std::string_view> names;
    for (const auto& [host_name, device] : section.net_devices) {
        const auto& name = device.name.empty() ? host_name : device.name;
        if (!is_interface_name(host_name, false) || !is_interface_name(name, true))
            return refused(
                fmt::format("linux.netDevices {} -> {} is not the name of a network interface", quoted(host_name), quoted(name)),
                "at most 15 characters without blanks, / : %; the new one may be a template like eth%d");
        if (!name.ends_with("%d") && std::ranges::find(names, name) != names.end())
            return refused(fmt::format("linux.netDevices gives two interfaces the name {}", quoted(name)));
        names.push_back(name);
    }
    if (!names.empty() && find_namespace(section, NamespaceType::network) == nullptr)
        return refused("linux.netDevices without a network namespace to move them to", add_namespace(NamespaceType::network));
    return {};
}

constexpr std::array<Check<Linux>, 6> namespace_checks = {{
    {"each namespace at most once", check_list},
    {"user namespace and mappings belong together", check_user_namespace},
    {"time offsets need a new time namespace", check_time_offsets},
    {"masked and read-only paths need a mount namespace", check_paths},
    {"sysctls stay in the container's namespaces", check_sysctls},
    {"network devices", check_net_devices},
}};

} // namespace

Result<> check_namespaces(const Spec& spec)
{
    return run_checks<Linux>(namespace_checks, *spec.linux);
}

} // namespace brig::spec
