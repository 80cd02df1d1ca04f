#include "plan/make_plan.hpp"

#include "base/text.hpp"
#include "plan/annotations.hpp"
#include "plan/cgroup_plan.hpp"
#include "plan/mount_plan.hpp"
#include "plan/user_namespace.hpp"
#include "spec/sysctl.hpp"
#include "spec/vocabulary.hpp"

#include <algorithm>
#include <linux/mount.h>
#include <sched.h>

namespace brig::plan {

namespace {

// A user namespace must be joined before what it owns, a mount namespace last: the paths of the others end with it.
int join_rank(spec::NamespaceType type)
{
    switch (type) {
    case spec::NamespaceType::user: return 0;
    case spec::NamespaceType::pid:
    case spec::NamespaceType::network:
    case spec::NamespaceType::uts:
    case spec::NamespaceType::ipc:
    case spec::NamespaceType::cgroup:
    case spec::NamespaceType::time: return 1;
    case spec::NamespaceType::mount: return 2;
    }
    return 1;
}

std::string time_offset_lines(const std::map<std::string, spec::TimeOffset>& offsets)
{
    std::string lines;
    for (const auto& [clock, offset] : offsets)
        lines += fmt::format("{} {} {}\n", clock, offset.seconds, offset.nanoseconds);
    return lines;
}

void add_new_namespace(Namespaces& planned, spec::NamespaceType type)
{
    if (type == spec::NamespaceType::cgroup)
        planned.new_cgroup_namespace = true;
    else if (type == spec::NamespaceType::time)
        planned.new_time_namespace = true;
    else
        planned.new_flags |= spec::namespace_word(type).clone_flag;
}

Result<Namespaces> plan_namespaces(const spec::Linux& linux, const HostFacts& facts)
{
    Namespaces planned;
    for (const auto& entry : linux.namespaces) {
        if (entry.type == spec::NamespaceType::time && !facts.time_namespaces)
            return failure(Error(ErrorKind::not_supported, "linux.namespaces: this kernel has no time namespaces")
                               .with_hint("remove the namespace of type time; it needs Linux 5.6 with CONFIG_TIME_NS"));
        if (entry.path.empty())
            add_new_namespace(planned, entry.type);
        else
            planned.joins.push_back({entry.type, entry.path});
    }
    std::stable_sort(planned.joins.begin(), planned.joins.end(),
                     [](const auto& left, const auto& right) { return join_rank(left.type) < join_rank(right.type); });
    planned.uid_mappings = linux.uid_mappings;
    planned.gid_mappings = linux.gid_mappings;
    planned.time_offsets = time_offset_lines(linux.time_offsets);
    planned.bring_loopback_up = planned.has_new(CLONE_NEWNET);
    if (!planned.has_new(CLONE_NEWNS) && !planned.joins_type(spec::NamespaceType::mount))
        return failure(Error(ErrorKind::not_supported, "linux.namespaces: a container without a mount namespace is not supported")
                           .with_hint("add {\"type\": \"mount\"}: its mounts would land in the host's tree"));
    return planned;
}

Result<std::vector<NetDevice>> plan_net_devices(const spec::Linux& linux, const HostFacts& facts)
{
    constexpr unsigned cap_net_admin = 12;
    std::vector<NetDevice> planned;
    for (const auto& [host_name, device] : linux.net_devices)
        planned.push_back({host_name, device.name.empty() ? host_name : device.name});
    bool may_move = !facts.in_user_namespace && (facts.effective_capabilities & (uint64_t{1} << cap_net_admin)) != 0;
    if (!planned.empty() && !may_move)
        return failure(Error(ErrorKind::not_supported, "linux.netDevices needs CAP_NET_ADMIN on the host")
                           .with_hint("run brig as root, or give the container its network by other means"));
    return planned;
}

bool has_user_namespace(const Namespaces& namespaces)
{
    return namespaces.has_new(CLONE_NEWUSER) || namespaces.joins_type(spec::NamespaceType::user);
}

// Who writes the id maps, and whether the process may set groups: the second follows from the first.
Result<> plan_ids(Plan& plan, const spec::Spec& spec, const HostFacts& facts)
{
    if (!has_user_namespace(plan.namespaces))
        return check_ids_exist(spec.process->user, facts);
    if (!plan.namespaces.has_new(CLONE_NEWUSER))
        return {};
    TRY(check_ids_mapped(spec.process->user, *spec.linux));
    auto writers = TRY(choose_id_map_writers(*spec.linux, facts));
    plan.namespaces.host_newuidmap = std::move(writers.host_newuidmap);
    plan.namespaces.host_newgidmap = std::move(writers.host_newgidmap);
    plan.process.set_groups = writers.set_groups;
    plan.process.groups_may_be_fixed = false;
    return {};
}

// config-linux.md "Cgroup ownership": only where the process cannot see or change more than its own cgroup.
std::optional<uint32_t> cgroup_owner(const Plan& plan, const HostFacts& facts)
{
    auto is_writable_cgroup = [](const Mount& mount) {
        return mount.kind == MountKind::cgroup_v2 && (mount.options.set_attributes & MOUNT_ATTR_RDONLY) == 0;
    };
    bool own_namespaces = plan.namespaces.has_new(CLONE_NEWUSER) && plan.namespaces.new_cgroup_namespace;
    if (!facts.is_privileged() || !own_namespaces || std::ranges::none_of(plan.root.mounts, is_writable_cgroup))
        return std::nullopt;
    return spec::host_id_of(plan.namespaces.uid_mappings, plan.process.uid);
}

Result<> check_groups(const Process& process)
{
    if (process.set_groups || process.additional_gids.empty())
        return {};
    return failure(
        Error(ErrorKind::not_supported, "process.user.additionalGids cannot be set: this user namespace forbids setgroups")
            .with_hint("it maps only the caller's own group: map subordinate groups too (/etc/subgid, newgidmap), or "
                       "remove additionalGids"));
}

} // namespace

Result<Plan> make_plan(const spec::Spec& spec, const PlanRequest& request, const HostFacts& facts)
{
    if (!spec.linux)
        return failure(Error(ErrorKind::invalid, "config.json has no \"linux\" section").with_hint("make one with `brig spec`"));
    const spec::Linux& linux = *spec.linux;
    Plan plan;
    plan.id = request.id;
    plan.host_bundle = request.host_bundle;
    plan.hostname = spec.hostname;
    plan.domainname = spec.domainname;
    plan.namespaces = TRY(plan_namespaces(linux, facts));
    bool user_namespace = has_user_namespace(plan.namespaces);

    const spec::Resources* resources = linux.resources ? &*linux.resources : nullptr;
    CgroupRequest cgroup_request{.id = request.id,
                                 .cgroups_path = linux.cgroups_path,
                                 .driver = request.cgroup_driver,
                                 .unit_description = request.unit_description,
                                 .annotations = &spec.annotations};
    plan.cgroup = TRY(make_cgroup_plan(cgroup_request, resources, facts));
    if (!linux.mount_label.empty() && !facts.selinux)
        return failure(Error(ErrorKind::not_supported, "linux.mountLabel: this host has no SELinux")
                           .with_hint("remove the label from config.json, or enable SELinux"));
    plan.root = TRY(make_root_plan(spec, request.host_bundle, request.root_switch, facts));
    plan.root.sources_from_launcher = user_namespace && facts.may_mount;
    // Sources from the launcher come over the channel, which carries the cgroup first.
    if (plan.root.sources_from_launcher)
        plan.root.mounts_before_cgroup = 0;
    plan.net_devices = TRY(plan_net_devices(linux, facts));
    if (linux.intel_rdt)
        plan.intel_rdt = TRY(plan_intel_rdt(*linux.intel_rdt, request.id, facts));
    for (const auto& [name, value] : linux.sysctl)
        plan.sysctls.push_back({TRY(spec::parse_sysctl(name)).path, value});

    plan.process = TRY(make_process_plan(*spec.process, facts, user_namespace));
    TRY(plan_ids(plan, spec, facts));
    TRY(check_groups(plan.process));
    plan.cgroup.owner = cgroup_owner(plan, facts);
    plan.process.env.insert(plan.process.env.end(), request.extra_environment.begin(), request.extra_environment.end());
    plan.process.env = deduplicated_environment(plan.process.env);
    plan.process.personality = linux.personality;
    plan.process.memory_policy = linux.memory_policy;
    plan.process.new_session_keyring = request.new_session_keyring;
    plan.process.preserved_fds = request.preserved_fds;
    plan.seccomp = linux.seccomp;
    plan.hooks = spec.hooks.value_or(spec::Hooks{});
    for (const auto& [key, value] : spec.annotations)
        plan.annotations.emplace_back(key, value);
    plan.warnings = annotation_warnings(spec.annotations);
    if (!plan.process.dropped_capabilities.empty())
        plan.warnings.push_back(fmt::format("capabilities that this host cannot give were dropped: {}",
                                            join(plan.process.dropped_capabilities, ", ")));
    return plan;
}

} // namespace brig::plan
