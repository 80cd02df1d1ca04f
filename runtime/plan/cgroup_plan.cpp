#include "plan/cgroup_plan.hpp"

#include "base/text.hpp"
#include "plan/cgroup_limits.hpp"
#include "plan/device_rules.hpp"
#include "plan/unit_name.hpp"
#include "plan/unit_properties.hpp"

#include <algorithm>

namespace brig::plan {

namespace {

bool has(const std::vector<std::string>& list, std::string_view item)
{
    return std::find(list.begin(), list.end(), item) != list.end();
}

// Without privilege in the host's own user namespace v1 hierarchies cannot be written and devices cannot be filtered.
// There is nothing to filter then: the kernel refuses mknod of devices outside of the initial user namespace.
bool is_privileged(const HostFacts& facts)
{
    return facts.is_privileged();
}

// ---- the path --------------------------------------------------------------------------------------------------------

Error bad_path(const std::string& path, std::string_view why)
{
    return Error(ErrorKind::invalid, fmt::format("linux.cgroupsPath {} {}", quoted(path), why));
}

Result<> check_path(const std::string& path)
{
    for (auto part : split(path, '/'))
        if (part == "..")
            return failure(bad_path(path, "contains \"..\"").with_hint("give the path without it"));
    for (char c : path)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
            return failure(bad_path(path, "contains a control character"));
    // The root cgroup has no limits, and ending a container there would end the host.
    if (clean_path("/" + path) == "/")
        return failure(
            bad_path(path, "is the root cgroup").with_hint("give a path of the container's own, for example /sandbox/NAME"));
    return {};
}

Result<std::string> wanted_path(const CgroupRequest& request)
{
    const std::string& path = request.cgroups_path.empty() ? request.id : request.cgroups_path;
    TRY(check_path(path));
    return path;
}

std::string path_in_v1(const std::string& path, const CgroupHierarchy& hierarchy)
{
    return clean_path(path.front() == '/' ? path : hierarchy.own_path + "/" + path);
}

std::string path_in_v2(const std::string& path, const HostFacts& facts)
{
    if (path.front() == '/')
        return clean_path(path);
    std::string own = facts.cgroup_v2_own_path.empty() ? "/" : facts.cgroup_v2_own_path;
    return clean_path(std::string(parent_path(own)) + "/" + path);
}

std::vector<CgroupDirectory> make_directories(const std::string& path, const HostFacts& facts)
{
    std::vector<CgroupDirectory> directories;
    if (!facts.cgroup_v2_mount_point.empty()) {
        CgroupDirectory directory;
        directory.mount_point = facts.cgroup_v2_mount_point;
        directory.path = path_in_v2(path, facts);
        directory.controllers = is_privileged(facts) ? facts.cgroup_v2_controllers : facts.cgroup_v2_delegated_controllers;
        directory.unified = true;
        directories.push_back(std::move(directory));
    }
    if (!is_privileged(facts))
        return directories;
    for (const auto& hierarchy : facts.cgroup_v1) {
        CgroupDirectory directory;
        directory.mount_point = hierarchy.mount_point;
        directory.path = path_in_v1(path, hierarchy);
        directory.controllers = hierarchy.controllers;
        directories.push_back(std::move(directory));
    }
    return directories;
}

// ---- the limits ------------------------------------------------------------------------------------------------------

CgroupDirectory* find_v1(std::vector<CgroupDirectory>& directories, std::string_view controller)
{
    for (auto& directory : directories)
        if (!directory.unified && has(directory.controllers, controller))
            return &directory;
    return nullptr;
}

CgroupDirectory* find_v2(std::vector<CgroupDirectory>& directories)
{
    for (auto& directory : directories)
        if (directory.unified)
            return &directory;
    return nullptr;
}

Error missing_controller(const std::string& property, std::string_view controller)
{
    return Error(ErrorKind::not_supported,
                 fmt::format("{} needs the cgroup controller {}, which is not available here", property, controller))
        .with_hint("mount its hierarchy or enable it in cgroup.subtree_control of the parents (it may also be off in the "
                   "kernel: see /proc/cgroups), or remove the limit");
}

void append(std::vector<CgroupWrite>& to, std::vector<CgroupWrite> more)
{
    std::move(more.begin(), more.end(), std::back_inserter(to));
}

Result<> add_controller_limits(std::vector<CgroupDirectory>& directories, const LimitController& controller,
                               const spec::Resources& resources)
{
    if (auto* v1 = find_v1(directories, controller.v1_name)) {
        append(v1->writes, TRY(controller.v1_writes(resources)));
        return {};
    }
    auto* v2 = find_v2(directories);
    bool only_v2 = v2 != nullptr && directories.size() == 1;
    if (v2 != nullptr && !controller.v2_name.empty() && has(v2->controllers, controller.v2_name)) {
        append(v2->writes, TRY(controller.v2_writes(resources)));
        return {};
    }
    auto wanted = TRY(only_v2 ? controller.v2_writes(resources) : controller.v1_writes(resources));
    std::erase_if(wanted, [](const CgroupWrite& write) { return write.optional; });
    if (!wanted.empty())
        return failure(missing_controller(wanted.front().property, only_v2 ? controller.v2_name : controller.v1_name));
    return {};
}

Result<> add_limits(std::vector<CgroupDirectory>& directories, const spec::Resources& resources)
{
    for (const auto& controller : limit_controllers())
        TRY(add_controller_limits(directories, controller, resources));
    if (resources.unified.empty())
        return {};
    auto* v2 = find_v2(directories);
    if (v2 == nullptr)
        return failure(Error(ErrorKind::not_supported, "linux.resources.unified cannot be used on a host with cgroup v1 only")
                           .with_hint("set the same limit through linux.resources.memory, cpu, pids ..."));
    append(v2->writes, TRY(unified_writes(resources, v2->controllers)));
    return {};
}

// Beside v1 hierarchies cgroup v2 is there to watch and kill; controllers are enabled only for a limit that needs one.
void keep_needed_controllers(CgroupDirectory& directory)
{
    std::erase_if(directory.controllers, [&](const std::string& controller) {
        return std::none_of(directory.writes.begin(), directory.writes.end(),
                            [&](const CgroupWrite& write) { return write.file.starts_with(controller + "."); });
    });
}

// Any property that sets a limit, whatever the host can do; empty when there is none.
Result<std::string> first_limit(const spec::Resources& resources)
{
    for (const auto& controller : limit_controllers())
        for (const auto& write : TRY(controller.v1_writes(resources)))
            if (!write.optional)
                return write.property;
    return resources.unified.empty() ? std::string() : std::string("linux.resources.unified");
}

// ---- devices -----------------------------------------------------------------------------------------------------------

Result<> add_device_rules(Cgroup& plan, const spec::Resources& resources, const HostFacts& facts)
{
    auto rules = TRY(effective_device_rules(resources.devices));
    if (!is_privileged(facts))
        return {};
    if (auto* v1 = find_v1(plan.directories, "devices")) {
        append(v1->writes, TRY(device_v1_writes(rules)));
        plan.device_rules = std::move(rules);
        return {};
    }
    if (find_v2(plan.directories) == nullptr)
        return failure(missing_controller("linux.resources.devices", "devices"));
    // All devices (privileged containers) need no filter; the default devices are then allowed already.
    plan.filter_devices = std::any_of(rules.begin(), rules.end(), [](const spec::DeviceRule& rule) { return !rule.allow; });
    plan.device_rules = std::move(rules);
    return {};
}

// ---- drivers -----------------------------------------------------------------------------------------------------------

Result<Cgroup> make_plan_without_cgroup(const spec::Resources& resources, const HostFacts& facts)
{
    auto limit = TRY(first_limit(resources));
    bool denies = std::any_of(resources.devices.begin(), resources.devices.end(), [](const auto& rule) { return !rule.allow; });
    if (limit.empty() && denies && is_privileged(facts))
        limit = "linux.resources.devices";
    if (!limit.empty())
        return failure(Error(ErrorKind::not_supported, limit + " cannot be kept without a cgroup")
                           .with_hint("drop --cgroup-manager=disabled, or the limit"));
    return Cgroup();
}

Error no_hierarchy()
{
    return Error(ErrorKind::not_supported, "no cgroup hierarchy is mounted")
        .with_hint("mount one: mount -t cgroup2 none /sys/fs/cgroup");
}

// ---- systemd -----------------------------------------------------------------------------------------------------------

constexpr uint64_t usual_period = 100000; // the kernel's, in microseconds

Result<SystemdUnit> make_unit(const CgroupRequest& request, const UnitPlace& place, Cgroup& plan, const HostFacts& facts)
{
    SystemdUnit unit{.name = place.name, .description = request.unit_description, .of_user = !is_privileged(facts)};
    bool unified = plan.directories.front().unified && plan.directories.size() == 1;
    unit.properties = basic_unit_properties(place, unit.description, unified);
    for (const auto& directory : plan.directories)
        TRY(add_limit_properties(unit.properties, directory.writes, usual_period));
    // Ordinary users cannot filter devices, and need not: see add_device_rules.
    if (is_privileged(facts))
        TRY(add_device_properties(unit.properties, plan.device_rules, find_v1(plan.directories, "devices") != nullptr));
    if (request.annotations != nullptr)
        TRY(add_annotated_properties(unit.properties, *request.annotations));
    return unit;
}

Result<Cgroup> make_systemd_plan(const CgroupRequest& request, const spec::Resources& wanted, const HostFacts& facts)
{
    UnitPlace place = TRY(place_of_unit(request.cgroups_path, request.id, !is_privileged(facts)));
    Cgroup plan;
    plan.driver = CgroupDriver::systemd;
    plan.directories = make_directories(facts.systemd_cgroup + place.path, facts);
    if (plan.directories.empty())
        return failure(no_hierarchy());
    TRY(add_limits(plan.directories, wanted));
    // systemd enables what it knows; a limit may need more.
    for (auto& directory : plan.directories)
        if (directory.unified)
            keep_needed_controllers(directory);
    TRY(add_device_rules(plan, wanted, facts));
    plan.unit = TRY(make_unit(request, place, plan, facts));
    return plan;
}

// ---- without privilege -------------------------------------------------------------------------------------------------

bool is_delegated(const std::string& path, const HostFacts& facts)
{
    const std::string& top = facts.cgroup_v2_delegated_path;
    return !top.empty() && path.starts_with(top == "/" ? top : top + "/");
}

Error not_delegated(const std::string& limit, const std::string& path, const HostFacts& facts)
{
    if (facts.cgroup_layout != CgroupLayout::v2)
        return Error(ErrorKind::not_supported,
                     fmt::format("{} cannot be kept without root: cgroup v1 hierarchies are root's alone", limit))
            .with_hint("remove the limit, run brig as root, or boot with cgroup v2 alone (systemd.unified_cgroup_hierarchy=1)");
    if (facts.cgroup_v2_delegated_path.empty())
        return Error(ErrorKind::not_supported,
                     fmt::format("{} cannot be kept: brig's own cgroup {} is not delegated to this user", limit,
                                 one_line(facts.cgroup_v2_own_path)))
            .with_hint("start brig in a cgroup of the user's: systemd-run --user --scope -p Delegate=yes brig ...; or remove the "
                       "limit");
    return Error(ErrorKind::not_supported, fmt::format("{} cannot be kept: linux.cgroupsPath leads to {}, which is not below {}, "
                                                       "the cgroup that is delegated to this user",
                                                       limit, one_line(path), one_line(facts.cgroup_v2_delegated_path)))
        .with_hint("give a relative linux.cgroupsPath or none");
}

} // namespace

Result<Cgroup> make_cgroup_plan(const CgroupRequest& request, const spec::Resources* resources, const HostFacts& facts)
{
    static const spec::Resources nothing;
    const spec::Resources& wanted = resources != nullptr ? *resources : nothing;
    if (request.driver == CgroupDriver::none)
        return make_plan_without_cgroup(wanted, facts);
    if (request.driver == CgroupDriver::systemd)
        return make_systemd_plan(request, wanted, facts);
    std::string path = TRY(wanted_path(request));
    if (!is_privileged(facts) && !is_delegated(path_in_v2(path, facts), facts)) {
        auto limit = TRY(first_limit(wanted));
        if (!limit.empty())
            return failure(not_delegated(limit, path_in_v2(path, facts), facts));
        return Cgroup();
    }
    Cgroup plan;
    plan.driver = CgroupDriver::file_system;
    plan.directories = make_directories(path, facts);
    if (plan.directories.empty())
        return failure(no_hierarchy());
    TRY(add_limits(plan.directories, wanted));
    if (plan.directories.size() > 1)
        for (auto& directory : plan.directories)
            if (directory.unified)
                keep_needed_controllers(directory);
    TRY(add_device_rules(plan, wanted, facts));
    return plan;
}

Result<Cgroup> make_cgroup_update(std::vector<CgroupDirectory> directories, const spec::Resources& resources)
{
    Cgroup plan;
    plan.directories = std::move(directories);
    for (auto& directory : plan.directories)
        directory.writes.clear();
    if (plan.directories.empty()) {
        if (auto limit = TRY(first_limit(resources)); !limit.empty())
            return failure(ErrorKind::not_supported, limit + " cannot be set: the container has no cgroup");
        return plan;
    }
    plan.driver = CgroupDriver::file_system;
    TRY(add_limits(plan.directories, resources));
    return plan;
}

Result<std::vector<UnitProperty>> make_unit_update(const std::vector<CgroupDirectory>& directories, uint64_t period)
{
    std::vector<UnitProperty> properties;
    for (const auto& directory : directories)
        TRY(add_limit_properties(properties, directory.writes, period));
    return properties;
}

Result<std::vector<CgroupWrite>> cgroup_v1_writes(const std::string& controller, const spec::Resources& resources)
{
    for (const auto& known : limit_controllers())
        if (known.v1_name == controller)
            return known.v1_writes(resources);
    return std::vector<CgroupWrite>();
}

Result<std::vector<CgroupWrite>> cgroup_v2_writes(const spec::Resources& resources)
{
    std::vector<CgroupWrite> writes;
    for (const auto& controller : limit_controllers())
        append(writes, TRY(controller.v2_writes(resources)));
    return writes;
}

} // namespace brig::plan
