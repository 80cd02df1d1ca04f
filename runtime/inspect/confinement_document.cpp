#include "inspect/confinement_document.hpp"

#include "base/text.hpp"
#include "spec/vocabulary.hpp"

namespace brig::inspect {

namespace {

Json text_or_null(const std::string& text)
{
    return text.empty() ? Json() : Json::string(text);
}

Json count_or_null(const std::optional<uint64_t>& count)
{
    return count ? Json::unsigned_number(*count) : Json();
}

template<typename Items, typename Make> Json array_of(const Items& items, Make make)
{
    Json list = Json::array();
    for (const auto& item : items)
        list.append(make(item));
    return list;
}

Json map_document(const std::vector<IdMapping>& map)
{
    return array_of(map, [](const IdMapping& range) {
        Json row = Json::object();
        row.set("inside", Json::unsigned_number(range.inside)).set("outside", Json::unsigned_number(range.outside));
        row.set("count", Json::unsigned_number(range.count));
        return row;
    });
}

Json namespaces_document(const std::vector<Namespace>& namespaces)
{
    Json document = Json::object();
    for (const auto& one : namespaces)
        document.set(one.name, Json::string(one.own ? "own" : "shared"));
    return document;
}

Json process_document(const ProcessStatus& process)
{
    const CapabilitySets& sets = process.capabilities;
    Json capabilities = Json::object();
    for (auto [name, set] : {std::pair{"bounding", sets.bounding},
                             {"effective", sets.effective},
                             {"permitted", sets.permitted},
                             {"inheritable", sets.inheritable},
                             {"ambient", sets.ambient}})
        capabilities.set(name, Json::strings(capability_names(set)));
    Json seccomp = Json::object();
    seccomp.set("mode", Json::string(seccomp_mode_word(process.seccomp))).set("filters", count_or_null(process.filters));
    Json document = Json::object();
    document.set("pid", Json::number(process.pid)).set("name", Json::string(process.name));
    document.set("uid", Json::unsigned_number(process.uid)).set("gid", Json::unsigned_number(process.gid));
    document.set("groups", array_of(process.groups, [](uint64_t group) { return Json::unsigned_number(group); }));
    document.set("own_user_namespace", Json::boolean(process.own_user_namespace));
    document.set("capabilities", std::move(capabilities)).set("no_new_privs", Json::boolean(process.no_new_privileges));
    document.set("seccomp", std::move(seccomp)).set("label", text_or_null(process.label));
    return document;
}

Json filter_document(const Confinement& confinement)
{
    if (!confinement.has_filters)
        return {};
    Json document = Json::object();
    document.set("count", Json::unsigned_number(confinement.reach.allowed.size()));
    document.set("calls", Json::strings(confinement.reach.allowed));
    document.set("by_argument", Json::strings(confinement.reach.by_argument));
    document.set("foreign_interfaces", Json::strings(confinement.reach.foreign_interfaces));
    return document;
}

Json mount_document(const SeenMount& mount)
{
    const auto& entry = mount.entry;
    Json document = Json::object();
    document.set("destination", Json::string(entry.mount_point)).set("type", Json::string(entry.type));
    document.set("source", Json::string(entry.source)).set("options", Json::string(entry.options));
    document.set("super_options", Json::string(entry.super_options)).set("propagation", text_or_null(entry.propagation));
    document.set("writable", Json::boolean(mount.writable())).set("shared_with_host", Json::boolean(mount.shared_with_host));
    document.set("host_path", text_or_null(mount.host_path)).set("socket", Json::boolean(mount.is_socket));
    return document;
}

Json kernel_paths_document(const std::vector<KernelPath>& paths)
{
    Json document = Json::object();
    for (const auto& [path, exposure] : paths)
        document.set(path, Json::string(exposure_word(exposure)));
    return document;
}

Json device_document(const Device& device)
{
    Json document = Json::object();
    document.set("path", Json::string(device.path)).set("type", Json::string(std::string(1, device.type)));
    document.set("major", Json::unsigned_number(device.major)).set("minor", Json::unsigned_number(device.minor));
    return document;
}

Json network_document(const Confinement& confinement)
{
    Json document = Json::object();
    document.set("interfaces", Json::strings(confinement.sockets.interfaces));
    document.set("routes", Json::boolean(confinement.sockets.has_routes));
    document.set("named_hosts_only", Json::boolean(confinement.reaches_named_hosts_only));
    document.set("listening", array_of(confinement.sockets.listening, [](const ListeningSocket& socket) {
                     Json row = Json::object();
                     row.set("protocol", Json::string(socket.protocol)).set("address", Json::string(socket.address));
                     return row;
                 }));
    return document;
}

Json limits_document(const cgroup::EffectiveLimits& limits)
{
    Json document = Json::object();
    document.set("paths", Json::strings(limits.paths));
    document.set("memory_bytes", count_or_null(limits.memory)).set("swap_bytes", count_or_null(limits.swap));
    document.set("pids", count_or_null(limits.pids)).set("milli_cpus", count_or_null(limits.milli_cpus));
    document.set("memory_used_bytes", count_or_null(limits.memory_used));
    document.set("memory_peak_bytes", count_or_null(limits.memory_peak));
    document.set("pids_used", count_or_null(limits.pids_used)).set("cpu_used_ns", count_or_null(limits.cpu_used));
    return document;
}

Json finding_document(const Finding& finding)
{
    Json document = Json::object();
    document.set("topic", Json::string(topic_word(finding.topic))).set("question", Json::string(topic_question(finding.topic)));
    document.set("severity", Json::string(severity_word(finding.severity))).set("detail", Json::string(finding.detail));
    document.set("remedy", text_or_null(finding.remedy));
    return document;
}

} // namespace

std::vector<std::string> capability_names(uint64_t set)
{
    constexpr unsigned bits = 64;
    std::vector<std::string> names;
    for (unsigned number = 0; number < bits; number++) {
        if ((set >> number & 1) == 0)
            continue;
        auto name = spec::name_of(spec::capabilities(), number);
        names.push_back(name.empty() ? fmt::format("CAP_{}", number) : std::string(name));
    }
    return names;
}

std::string_view seccomp_mode_word(SeccompMode mode)
{
    switch (mode) {
    case SeccompMode::none: return "none";
    case SeccompMode::strict: return "strict";
    case SeccompMode::filter: return "filter";
    }
    return "filter";
}

std::string_view exposure_word(Exposure exposure)
{
    switch (exposure) {
    case Exposure::absent: return "absent";
    case Exposure::masked: return "masked";
    case Exposure::readable: return "readable";
    case Exposure::writable: return "writable";
    }
    return "writable";
}

Json confinement_document(const Confinement& confinement, const std::vector<Finding>& findings)
{
    Json document = Json::object();
    document.set("id", text_or_null(confinement.id)).set("pid", Json::number(confinement.pid));
    document.set("status", text_or_null(confinement.status)).set("policies", Json::strings(confinement.policies));
    document.set("image", text_or_null(confinement.image));
    document.set("namespaces", namespaces_document(confinement.namespaces));
    document.set("uid_map", map_document(confinement.uids)).set("gid_map", map_document(confinement.gids));
    document.set("processes", array_of(confinement.processes, process_document));
    document.set("more_processes", Json::boolean(confinement.more_processes));
    document.set("system_calls", filter_document(confinement));
    document.set("mounts", array_of(confinement.mounts.all, mount_document));
    document.set("kernel_paths", kernel_paths_document(confinement.mounts.kernel_paths));
    document.set("devices", array_of(confinement.devices, device_document));
    document.set("network", network_document(confinement)).set("cgroup", limits_document(confinement.limits));
    document.set("findings", array_of(findings, finding_document));
    return document;
}

} // namespace brig::inspect
