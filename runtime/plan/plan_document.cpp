#include "plan/plan_document.hpp"

#include "base/text.hpp"
#include "plan/unit_properties.hpp"
#include "spec/vocabulary.hpp"

#include <array>
#include <linux/mount.h>
#include <span>
#include <sys/mount.h>

#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif

namespace brig::plan {

namespace {

// ---- adding what is there ----------------------------------------------------------------------------------------------

void add(Json& object, std::string_view name, const std::string& text)
{
    if (!text.empty())
        object.set(name, Json::string(text));
}

void add(Json& object, std::string_view name, const std::vector<std::string>& texts)
{
    if (!texts.empty())
        object.set(name, Json::strings(texts));
}

void add(Json& object, std::string_view name, bool value)
{
    if (value)
        object.set(name, Json::boolean(true));
}

void add(Json& object, std::string_view name, Json value)
{
    bool is_empty = value.view().is_array() && value.view().size() == 0;
    if (value.view().is_object()) {
        is_empty = true;
        value.view().for_each_member([&](std::string_view, JsonView) { is_empty = false; });
    }
    if (!is_empty && !value.view().is_null())
        object.set(name, std::move(value));
}

template<typename Element, typename Convert> Json array_of(const std::vector<Element>& elements, Convert convert)
{
    Json array = Json::array();
    for (const auto& element : elements)
        array.append(convert(element));
    return array;
}

// ---- namespaces --------------------------------------------------------------------------------------------------------

std::vector<std::string> new_namespaces(const Namespaces& namespaces)
{
    std::vector<std::string> names;
    for (const auto& word : spec::namespace_words()) {
        bool is_new = namespaces.has_new(word.clone_flag)
                      || (word.type == spec::NamespaceType::cgroup && namespaces.new_cgroup_namespace)
                      || (word.type == spec::NamespaceType::time && namespaces.new_time_namespace);
        if (is_new)
            names.emplace_back(word.name);
    }
    return names;
}

Json id_mappings(const std::vector<spec::IdMapping>& mappings)
{
    return array_of(mappings, [](const spec::IdMapping& mapping) {
        Json object = Json::object();
        object.set("containerID", Json::unsigned_number(mapping.container_id))
            .set("hostID", Json::unsigned_number(mapping.host_id))
            .set("size", Json::unsigned_number(mapping.size));
        return object;
    });
}

Json namespaces_of(const Namespaces& namespaces)
{
    Json object = Json::object();
    add(object, "new", new_namespaces(namespaces));
    add(object, "joined", array_of(namespaces.joins, [](const NamespaceJoin& join) {
            Json joined = Json::object();
            joined.set("type", Json::string(spec::namespace_word(join.type).name)).set("path", Json::string(join.host_path));
            return joined;
        }));
    add(object, "uidMappings", id_mappings(namespaces.uid_mappings));
    add(object, "gidMappings", id_mappings(namespaces.gid_mappings));
    add(object, "uidMapWriter", namespaces.host_newuidmap);
    add(object, "gidMapWriter", namespaces.host_newgidmap);
    add(object, "timeOffsets", namespaces.time_offsets);
    add(object, "bringLoopbackUp", namespaces.bring_loopback_up);
    return object;
}

// ---- cgroups -----------------------------------------------------------------------------------------------------------

std::string driver_name(CgroupDriver driver)
{
    switch (driver) {
    case CgroupDriver::none: return "disabled";
    case CgroupDriver::file_system: return "cgroupfs";
    case CgroupDriver::systemd: return "systemd";
    }
    return "disabled";
}

std::string device_rule(const spec::DeviceRule& rule)
{
    auto number = [](const std::optional<int64_t>& value) {
        return value && *value >= 0 ? fmt::format("{}", *value) : std::string("*");
    };
    return fmt::format("{} {} {}:{} {}", rule.allow ? "allow" : "deny", rule.type, number(rule.major), number(rule.minor),
                       rule.access.empty() ? "rwm" : rule.access);
}

Json cgroup_directory(const CgroupDirectory& directory)
{
    Json object = Json::object();
    object.set("path", Json::string(directory.mount_point + directory.path))
        .set("version", Json::number(directory.unified ? 2 : 1));
    add(object, "controllers", directory.controllers);
    add(object, "writes", array_of(directory.writes, [](const CgroupWrite& write) {
            Json written = Json::object();
            written.set("file", Json::string(write.file)).set("value", Json::string(write.value));
            add(written, "optional", write.optional);
            return written;
        }));
    return object;
}

Json cgroup_of(const Cgroup& cgroup)
{
    Json object = Json::object();
    object.set("driver", Json::string(driver_name(cgroup.driver)));
    if (cgroup.unit) {
        object.set("unit", Json::string(cgroup.unit->name))
            .set("manager", Json::string(cgroup.unit->of_user ? "user" : "system"));
        add(object, "properties", array_of(cgroup.unit->properties, [](const UnitProperty& property) {
                return Json::string(property_text(property));
            }));
    }
    add(object, "directories", array_of(cgroup.directories, cgroup_directory));
    if (cgroup.driver == CgroupDriver::none)
        return object;
    if (cgroup.owner)
        object.set("owner", Json::unsigned_number(*cgroup.owner));
    object.set("deviceControl", Json::string(cgroup.filter_devices ? "eBPF" : "devices controller"));
    add(object, "deviceRules",
        array_of(cgroup.device_rules, [](const spec::DeviceRule& rule) { return Json::string(device_rule(rule)); }));
    return object;
}

// ---- root file system --------------------------------------------------------------------------------------------------

constexpr std::array mount_attributes = {
    spec::Word{"ro", MOUNT_ATTR_RDONLY},
    spec::Word{"nosuid", MOUNT_ATTR_NOSUID},
    spec::Word{"nodev", MOUNT_ATTR_NODEV},
    spec::Word{"noexec", MOUNT_ATTR_NOEXEC},
    spec::Word{"noatime", MOUNT_ATTR_NOATIME},
    spec::Word{"strictatime", MOUNT_ATTR_STRICTATIME},
    spec::Word{"nodiratime", MOUNT_ATTR_NODIRATIME},
    spec::Word{"nosymfollow", MOUNT_ATTR_NOSYMFOLLOW},
};

std::vector<std::string> attribute_names(uint64_t attributes)
{
    std::vector<std::string> names;
    for (const auto& word : mount_attributes)
        if ((attributes & word.value) == word.value)
            names.emplace_back(word.name);
    return names;
}

std::vector<std::string> superblock_options(const spec::MountOptions& options)
{
    std::vector<std::string> names;
    for (auto word : spec::superblock_words(options))
        names.emplace_back(word);
    return names;
}

std::string propagation_name(const spec::PropagationChange& change)
{
    for (const auto& name : spec::propagation_names())
        if (spec::find_propagation(name) == change)
            return name;
    return {};
}

std::string propagation_of_root(const RootFilesystem& root)
{
    using spec::Propagation;
    for (auto type : {Propagation::private_mount, Propagation::shared, Propagation::slave, Propagation::unbindable}) {
        spec::PropagationChange change = {type, root.propagation_recursive};
        if (root.propagation != 0 && (root.propagation & ~uint64_t{MS_REC}) == change.mount_flag())
            return propagation_name(change);
    }
    return {};
}

std::string kind_name(MountKind kind)
{
    switch (kind) {
    case MountKind::file_system: return "file system";
    case MountKind::bind: return "bind";
    case MountKind::cgroup_v1: return "cgroup v1";
    case MountKind::cgroup_v2: return "cgroup v2";
    }
    return {};
}

Json mount_of(const Mount& mount)
{
    const auto& options = mount.options;
    Json object = Json::object();
    object.set("destination", Json::string(mount.destination)).set("kind", Json::string(kind_name(mount.kind)));
    add(object, "type", mount.type);
    add(object, "source", mount.host_source);
    add(object, "attributes", attribute_names(options.set_attributes));
    add(object, "attributesCleared", attribute_names(options.clear_attributes & ~uint64_t{MOUNT_ATTR__ATIME}));
    add(object, "recursiveAttributes", attribute_names(options.recursive_set));
    add(object, "recursiveAttributesCleared", attribute_names(options.recursive_clear & ~uint64_t{MOUNT_ATTR__ATIME}));
    if (mount.kind == MountKind::file_system)
        add(object, "superblock", superblock_options(options));
    add(object, "data", options.data);
    add(object, "propagation", array_of(options.propagation, [](const spec::PropagationChange& change) {
            return Json::string(propagation_name(change));
        }));
    add(object, "recursive", options.recursive_bind);
    add(object, "remount", options.remount);
    add(object, "idmap", options.idmap);
    add(object, "recursiveIdmap", options.recursive_idmap);
    add(object, "tmpcopyup", options.tmpcopyup);
    if (options.tmpfs_upper)
        object.set("tmpfsUpper", Json::string(*options.tmpfs_upper));
    add(object, "copySymlink", options.copy_symlink);
    add(object, "sourceNofollow", options.source_nofollow);
    add(object, "destinationNofollow", options.destination_nofollow);
    add(object, "uidMappings", id_mappings(mount.uid_mappings));
    add(object, "gidMappings", id_mappings(mount.gid_mappings));
    return object;
}

std::string device_node(const DeviceNode& device)
{
    return fmt::format("{} {} {}:{} mode {:04o} owner {}:{}", device.path, device.type, device.major, device.minor, device.mode,
                       device.uid, device.gid);
}

Json root_of(const RootFilesystem& root)
{
    Json object = Json::object();
    object.set("path", Json::string(root.host_path)).set("readonly", Json::boolean(root.readonly));
    add(object, "propagation", propagation_of_root(root));
    object.set("switch", Json::string(root.root_switch == RootSwitch::pivot_root ? "pivot_root" : "move_mount"));
    add(object, "mountLabel", root.mount_label);
    add(object, "mounts", array_of(root.mounts, mount_of));
    if (root.populate_dev) {
        object.set("devicesBy", Json::string(root.bind_devices ? "bind mounts of the host's" : "mknod"));
        add(object, "devices",
            array_of(root.devices, [](const DeviceNode& device) { return Json::string(device_node(device)); }));
        add(object, "links",
            array_of(root.links, [](const Link& link) { return Json::string(fmt::format("{} -> {}", link.path, link.target)); }));
    }
    add(object, "maskedPaths", root.masked_paths);
    add(object, "readonlyPaths", root.readonly_paths);
    return object;
}

// ---- process -----------------------------------------------------------------------------------------------------------

std::vector<std::string> capability_names(uint64_t set)
{
    std::vector<std::string> names;
    for (const auto& word : spec::capabilities())
        if ((set >> word.value & 1) != 0)
            names.emplace_back(word.name);
    return names;
}

Json capabilities_of(const Capabilities& capabilities)
{
    Json object = Json::object();
    object.set("bounding", Json::strings(capability_names(capabilities.bounding)))
        .set("effective", Json::strings(capability_names(capabilities.effective)))
        .set("inheritable", Json::strings(capability_names(capabilities.inheritable)))
        .set("permitted", Json::strings(capability_names(capabilities.permitted)))
        .set("ambient", Json::strings(capability_names(capabilities.ambient)));
    return object;
}

Json user_of(const Process& process)
{
    Json object = Json::object();
    object.set("uid", Json::unsigned_number(process.uid)).set("gid", Json::unsigned_number(process.gid));
    if (process.set_groups)
        add(object, "additionalGids", array_of(process.additional_gids, [](uint32_t gid) { return Json::unsigned_number(gid); }));
    object.set("umask", Json::string(fmt::format("{:04o}", process.umask)));
    return object;
}

Json scheduler_of(const spec::Scheduler& scheduler)
{
    Json object = Json::object();
    object.set("policy", Json::string(scheduler.policy));
    if (scheduler.nice)
        object.set("nice", Json::number(*scheduler.nice));
    if (scheduler.priority)
        object.set("priority", Json::number(*scheduler.priority));
    add(object, "flags", scheduler.flags);
    for (auto [name, value] : {std::pair{"runtime", scheduler.runtime}, std::pair{"deadline", scheduler.deadline},
                               std::pair{"period", scheduler.period}})
        if (value)
            object.set(name, Json::unsigned_number(*value));
    return object;
}

void add_scheduling(Json& object, const Process& process)
{
    if (process.oom_score_adj)
        object.set("oomScoreAdj", Json::number(*process.oom_score_adj));
    if (process.scheduler)
        object.set("scheduler", scheduler_of(*process.scheduler));
    if (process.io_priority) {
        Json priority = Json::object();
        priority.set("class", Json::string(process.io_priority->class_name))
            .set("priority", Json::number(process.io_priority->priority));
        object.set("ioPriority", std::move(priority));
    }
    if (process.memory_policy) {
        Json policy = Json::object();
        policy.set("mode", Json::string(process.memory_policy->mode));
        add(policy, "nodes", process.memory_policy->nodes);
        add(policy, "flags", process.memory_policy->flags);
        object.set("memoryPolicy", std::move(policy));
    }
    if (process.personality)
        object.set("personality", Json::string(process.personality->domain));
}

Json rlimit_of(const Rlimit& limit)
{
    auto value = [](uint64_t number) { return number == UINT64_MAX ? Json::string("unlimited") : Json::unsigned_number(number); };
    Json object = Json::object();
    object.set("type", Json::string(limit.name)).set("soft", value(limit.soft)).set("hard", value(limit.hard));
    return object;
}

Json process_of(const Process& process)
{
    Json object = Json::object();
    object.set("args", Json::strings(process.args)).set("cwd", Json::string(process.cwd));
    add(object, "env", process.env);
    object.set("user", user_of(process)).set("capabilities", capabilities_of(process.capabilities));
    add(object, "droppedCapabilities", process.dropped_capabilities);
    object.set("noNewPrivileges", Json::boolean(process.no_new_privileges));
    add(object, "apparmorProfile", process.apparmor_profile);
    add(object, "selinuxLabel", process.selinux_label);
    add(object, "rlimits", array_of(process.rlimits, rlimit_of));
    add_scheduling(object, process);
    add(object, "terminal", process.terminal);
    object.set("newSessionKeyring", Json::boolean(process.new_session_keyring));
    if (process.preserved_fds > 0)
        object.set("preservedFds", Json::unsigned_number(process.preserved_fds));
    return object;
}

// ---- the rest ----------------------------------------------------------------------------------------------------------

Json seccomp_of(const spec::Seccomp& seccomp)
{
    Json object = Json::object();
    object.set("defaultAction", Json::string(seccomp.default_action));
    add(object, "architectures", seccomp.architectures);
    add(object, "flags", seccomp.flags);
    add(object, "listenerPath", seccomp.listener_path);
    size_t calls = 0;
    for (const auto& rule : seccomp.syscalls)
        calls += rule.names.size();
    object.set("rules", Json::unsigned_number(seccomp.syscalls.size())).set("systemCalls", Json::unsigned_number(calls));
    return object;
}

Json hooks_of(const spec::Hooks& hooks)
{
    struct Stage {
        std::string_view name;
        const std::vector<spec::Hook>& hooks;
    };
    Json object = Json::object();
    for (const auto& stage : {Stage{"prestart", hooks.prestart}, Stage{"createRuntime", hooks.create_runtime},
                              Stage{"createContainer", hooks.create_container}, Stage{"startContainer", hooks.start_container},
                              Stage{"poststart", hooks.poststart}, Stage{"poststop", hooks.poststop}})
        add(object, stage.name, array_of(stage.hooks, [](const spec::Hook& hook) { return Json::string(hook.path); }));
    return object;
}

Json intel_rdt_of(const IntelRdt& rdt)
{
    Json object = Json::object();
    add(object, "directories", rdt.directories());
    add(object, "schemata", rdt.schemata);
    add(object, "removedWithContainer", rdt.own_directories());
    return object;
}

// A policy's part of the other properties is in them already.
std::vector<std::string> policies_of(const Plan& plan)
{
    std::vector<std::string> names;
    for (const auto& policy : plan.policies)
        names.push_back(policy.seccomp.profile.empty() ? policy.name : fmt::format("{}/{}", policy.name, policy.seccomp.profile));
    return names;
}

} // namespace

Json plan_document(const Plan& plan)
{
    Json object = Json::object();
    add(object, "warnings", plan.warnings);
    add(object, "id", plan.id);
    add(object, "bundle", plan.host_bundle);
    add(object, "hostname", plan.hostname);
    add(object, "domainname", plan.domainname);
    add(object, "namespaces", namespaces_of(plan.namespaces));
    add(object, "cgroup", cgroup_of(plan.cgroup));
    add(object, "root", root_of(plan.root));
    add(object, "netDevices", array_of(plan.net_devices, [](const NetDevice& device) {
            Json moved = Json::object();
            moved.set("host", Json::string(device.host_name)).set("name", Json::string(device.name));
            return moved;
        }));
    if (plan.intel_rdt)
        add(object, "intelRdt", intel_rdt_of(*plan.intel_rdt));
    add(object, "sysctl", array_of(plan.sysctls, [](const Sysctl& sysctl) {
            return Json::string(fmt::format("{} = {}", sysctl.path, sysctl.value));
        }));
    add(object, "process", process_of(plan.process));
    if (plan.seccomp)
        add(object, "seccomp", seccomp_of(*plan.seccomp));
    add(object, "policies", policies_of(plan));
    add(object, "hooks", hooks_of(plan.hooks));
    Json annotations = Json::object();
    for (const auto& [name, value] : plan.annotations)
        annotations.set(name, Json::string(value));
    add(object, "annotations", std::move(annotations));
    return object;
}

// ---- text --------------------------------------------------------------------------------------------------------------

namespace {

bool is_plain(JsonView value)
{
    return !value.is_object() && !value.is_array();
}

std::string plain_text(JsonView value)
{
    return value.type() == JsonType::string ? one_line(value.string()) : value.to_text();
}

bool is_flat(JsonView value)
{
    bool flat = true;
    if (value.is_array())
        for (size_t index = 0; index < value.size(); ++index)
            flat = flat && is_plain(value.at(index));
    value.for_each_member([&](std::string_view, JsonView member) { flat = flat && is_plain(member); });
    return flat;
}

// "a b c" for a list of words.
std::string words_of(JsonView array)
{
    std::vector<std::string> words;
    for (size_t index = 0; index < array.size(); ++index)
        words.push_back(plain_text(array.at(index)));
    return join(words, " ");
}

// "destination /proc, type proc" for one element of a list; lists inside are joined by blanks.
std::string row_of(JsonView object)
{
    std::vector<std::string> parts;
    object.for_each_member([&](std::string_view name, JsonView member) {
        if (member.type() == JsonType::boolean && member.boolean())
            parts.emplace_back(name);
        else if (is_plain(member))
            parts.push_back(fmt::format("{} {}", name, plain_text(member)));
        else if (member.is_array() && is_flat(member))
            parts.push_back(fmt::format("{} {}", name, words_of(member)));
        else
            parts.push_back(fmt::format("{} {}", name, member.to_text()));
    });
    return join(parts, ", ");
}

constexpr size_t longest_row = 100;

// On one line only if it can be told where an element ends.
bool fits_one_row(JsonView array)
{
    if (!is_flat(array) || words_of(array).size() > longest_row)
        return false;
    for (size_t index = 0; index < array.size(); ++index)
        if (std::string word = plain_text(array.at(index)); word.empty() || contains(word, " "))
            return false;
    return true;
}

void write_members(std::string& text, JsonView object, size_t depth);

// "/sys/fs/cgroup/memory/c1 (version 1, controllers memory)" with a line for each file that is written.
void write_cgroup(std::string& text, JsonView directory, size_t depth)
{
    std::string indent(depth * 2, ' ');
    std::string controllers = words_of(directory.member("controllers"));
    text += fmt::format("{}{} (version {}{}{})\n", indent, plain_text(directory.member("path")),
                        plain_text(directory.member("version")), controllers.empty() ? "" : ", controllers ", controllers);
    JsonView writes = directory.member("writes");
    for (size_t index = 0; index < writes.size(); ++index) {
        JsonView write = writes.at(index);
        text += fmt::format("{}  {} = {}{}\n", indent, plain_text(write.member("file")), plain_text(write.member("value")),
                            write.member("optional").boolean() ? " (if the kernel has it)" : "");
    }
}

void write_list(std::string& text, JsonView array, size_t depth)
{
    for (size_t index = 0; index < array.size(); ++index) {
        JsonView element = array.at(index);
        if (element.is_object() && !element.member("version").is_null())
            write_cgroup(text, element, depth);
        else
            text += fmt::format("{}{}\n", std::string(depth * 2, ' '), is_plain(element) ? plain_text(element) : row_of(element));
    }
}

void write_members(std::string& text, JsonView object, size_t depth)
{
    std::string indent(depth * 2, ' ');
    object.for_each_member([&](std::string_view name, JsonView member) {
        if (is_plain(member)) {
            text += fmt::format("{}{}: {}\n", indent, name, plain_text(member));
        } else if (member.is_object()) {
            text += fmt::format("{}{}:\n", indent, name);
            write_members(text, member, depth + 1);
        } else if (fits_one_row(member)) {
            text += fmt::format("{}{}: {}\n", indent, name, member.size() == 0 ? "none" : words_of(member));
        } else {
            text += fmt::format("{}{}:\n", indent, name);
            write_list(text, member, depth + 1);
        }
    });
}

} // namespace

std::string plan_text(const Plan& plan)
{
    std::string text;
    write_members(text, plan_document(plan).view(), 0);
    return text;
}

} // namespace brig::plan
