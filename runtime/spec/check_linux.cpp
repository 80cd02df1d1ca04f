#include "spec/check_spec.hpp"
#include "spec/checks.hpp"
#include "spec/index_list.hpp"

#include <algorithm>
#include <array>

namespace brig::spec {

namespace {

bool is_below(std::string_view path, std::string_view directory)
{
    return path == directory || (path.starts_with(directory) && path[directory.size()] == '/');
}

Result<> check_device(std::string_view property, const Device& device)
{
    TRY(check_absolute(fmt::format("{}.path", property), device.path));
    std::string path = clean_path(device.path);
    if (path == "/" || path == "/dev" || is_below(path, "/proc") || is_below(path, "/sys"))
        return refused(fmt::format("{}.path {} cannot be a device", property, quoted(device.path)), "create it below /dev");
    constexpr int64_t largest_major = (int64_t{1} << 12) - 1; // 12 and 20 bits of dev_t are the kernel's
    constexpr int64_t largest_minor = (int64_t{1} << 20) - 1;
    bool has_numbers = device.type != 'p';
    if (has_numbers && (device.major < 0 || device.major > largest_major))
        return refused(fmt::format("{}.major must be from 0 to {}, not {}", property, largest_major, device.major));
    if (has_numbers && (device.minor < 0 || device.minor > largest_minor))
        return refused(fmt::format("{}.minor must be from 0 to {}, not {}", property, largest_minor, device.minor));
    return {};
}

Result<> check_devices(const Linux& section)
{
    for (size_t i = 0; i < section.devices.size(); i++)
        TRY(check_device(fmt::format("linux.devices[{}]", i), section.devices[i]));
    return {};
}

Result<> check_cgroups_path(const Linux& section)
{
    auto names = split(section.cgroups_path, '/');
    if (std::ranges::find(names, "..") != names.end())
        return refused(fmt::format("linux.cgroupsPath {} leaves its parent", quoted(section.cgroups_path)),
                       "write it without \"..\"");
    if (section.cgroups_path.find('\n') != std::string::npos)
        return refused(fmt::format("linux.cgroupsPath {} has a line break", quoted(section.cgroups_path)));
    return {};
}

Result<> check_propagation(const Linux& section)
{
    if (section.rootfs_propagation.empty() || find_propagation(section.rootfs_propagation))
        return {};
    return refused(fmt::format("linux.rootfsPropagation {} is unknown", quoted(section.rootfs_propagation)),
                   "known: " + join(propagation_names(), ", "));
}

Result<> check_personality(const Linux& section)
{
    if (!section.personality)
        return {};
    TRY(check_word("linux.personality.domain", section.personality->domain, personality_domains()));
    if (!section.personality->flags.empty())
        return refused(fmt::format("linux.personality.flags has {}", quoted(section.personality->flags.front())),
                       "the specification names no flags: leave the list empty");
    return {};
}

Result<> check_memory_policy_flags(const MemoryPolicy& policy)
{
    auto has = [&](std::string_view flag) { return std::ranges::find(policy.flags, flag) != policy.flags.end(); };
    if (has("MPOL_F_STATIC_NODES") && has("MPOL_F_RELATIVE_NODES"))
        return refused("linux.memoryPolicy.flags has both MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES",
                       "they exclude each other");
    if (has("MPOL_F_NUMA_BALANCING") && policy.mode != "MPOL_BIND" && policy.mode != "MPOL_PREFERRED_MANY")
        return refused(fmt::format("linux.memoryPolicy.flags has MPOL_F_NUMA_BALANCING with {}", policy.mode),
                       "the kernel takes it with MPOL_BIND and MPOL_PREFERRED_MANY");
    return {};
}

Result<> check_memory_policy(const Linux& section)
{
    if (!section.memory_policy)
        return {};
    const auto& policy = *section.memory_policy;
    TRY(check_word("linux.memoryPolicy.mode", policy.mode, memory_policy_modes()));
    TRY(check_words("linux.memoryPolicy.flags", policy.flags, memory_policy_flags()));
    TRY(check_memory_policy_flags(policy));
    auto nodes = parse_index_list(policy.nodes);
    if (!nodes)
        return refused(fmt::format("linux.memoryPolicy.nodes is not a list of nodes: {}", nodes.error().what()),
                       "write it like 0-1,3");
    bool local = policy.mode == "MPOL_DEFAULT" || policy.mode == "MPOL_LOCAL";
    if (local && !nodes->empty())
        return refused(fmt::format("linux.memoryPolicy.nodes {} with {}", quoted(policy.nodes), policy.mode),
                       "this mode has no nodes: leave them out");
    if (!local && policy.mode != "MPOL_PREFERRED" && nodes->empty())
        return refused(fmt::format("linux.memoryPolicy.nodes is empty with {}", policy.mode), "name the nodes, like 0-1");
    return {};
}

Result<> check_schema(std::string_view property, std::string_view text)
{
    if (text.find('\n') == std::string_view::npos)
        return {};
    return refused(fmt::format("{} {} has a line break", property, quoted(text)), "write one schema");
}

Result<> check_intel_rdt(const Linux& section)
{
    if (!section.intel_rdt)
        return {};
    const auto& rdt = *section.intel_rdt;
    constexpr std::array<std::string_view, 5> taken = {".", "..", "info", "mon_groups", "mon_data"};
    bool named = std::ranges::find(taken, rdt.clos_id) == taken.end() && rdt.clos_id.find_first_of("/\n") == std::string::npos;
    if (!named && rdt.clos_id != "/")
        return refused(fmt::format("linux.intelRdt.closID {} is not a name", quoted(rdt.clos_id)),
                       "it becomes a directory of /sys/fs/resctrl; / is the class of all who have no other");
    TRY(check_schema("linux.intelRdt.memBwSchema", rdt.mem_bw_schema));
    for (const auto& schema : rdt.schemata)
        TRY(check_schema("linux.intelRdt.schemata", schema));
    if (!rdt.mem_bw_schema.empty() && !rdt.mem_bw_schema.starts_with("MB:"))
        return refused(fmt::format("linux.intelRdt.memBwSchema must start with MB:, but is {}", quoted(rdt.mem_bw_schema)));
    return {};
}

Result<> check_resources_of(const Linux& section)
{
    if (!section.resources)
        return {};
    auto result = check_resources(*section.resources);
    if (result)
        return {};
    return refused("linux." + result.error().what(), result.error().hint());
}

constexpr std::array<Check<Linux>, 8> table = {{
    {"devices", check_devices},
    {"cgroup path stays below its parent", check_cgroups_path},
    {"propagation of the root file system", check_propagation},
    {"personality", check_personality},
    {"memory policy", check_memory_policy},
    {"Intel RDT", check_intel_rdt},
    {"seccomp", check_seccomp},
    {"resources", check_resources_of},
}};

} // namespace

std::span<const Check<Linux>> linux_checks()
{
    return table;
}

} // namespace brig::spec
