#include "sandbox/bundle.hpp"

#include "base/text.hpp"
#include "image/image_spec.hpp"
#include "spec/version.hpp"

#include <algorithm>

namespace brig::sandbox {

namespace {

// One process is brig's own init.
constexpr uint64_t own_processes = 1;

Json process(const Request& request)
{
    Json user = Json::object();
    user.set("uid", Json::unsigned_number(request.user.uid)).set("gid", Json::unsigned_number(request.user.gid));
    Json none = Json::object();
    for (std::string_view set : {"bounding", "effective", "permitted", "inheritable", "ambient"})
        none.set(set, Json::array());
    Json open_files = Json::object();
    open_files.set("type", Json::string("RLIMIT_NOFILE")).set("hard", Json::number(1024)).set("soft", Json::number(1024));
    Json core = Json::object();
    core.set("type", Json::string("RLIMIT_CORE")).set("hard", Json::number(0)).set("soft", Json::number(0));
    Json rlimits = Json::array();
    rlimits.append(std::move(open_files)).append(std::move(core));
    Json process = Json::object();
    process.set("user", std::move(user))
        .set("args", Json::strings({"brig-init"}))
        .set("env", Json::strings(request.environment))
        .set("cwd", Json::string("/"))
        .set("capabilities", std::move(none))
        .set("rlimits", std::move(rlimits))
        .set("noNewPrivileges", Json::boolean(true));
    return process;
}

Json mount(std::string_view destination, std::string_view type, std::string_view source, const std::vector<std::string>& options)
{
    Json mount = Json::object();
    mount.set("destination", Json::string(destination))
        .set("type", Json::string(type))
        .set("source", Json::string(source))
        .set("options", Json::strings(options));
    return mount;
}

// A tmpfs of the sandbox's user.
Json writable_tmpfs(const Request& request, std::string_view destination, uint64_t size, std::string_view mode)
{
    // Files cost memory even when they are empty.
    constexpr uint64_t bytes_per_file = 4096;
    constexpr uint64_t least_files = 256;
    return mount(destination, "tmpfs", "tmpfs",
                 {"nosuid", "nodev", fmt::format("mode={}", mode), fmt::format("size={}", size),
                  fmt::format("nr_inodes={}", std::max(size / bytes_per_file, least_files)),
                  fmt::format("uid={}", request.user.uid), fmt::format("gid={}", request.user.gid)});
}

// The folder's owner is the sandbox's user inside, and the other way round; everybody else is nobody there.
Json host_folder(const Request& request, std::string_view destination, const std::string& source, bool writable,
                 const User& owner)
{
    std::vector<std::string> options = {"bind", writable ? "rw" : "ro", "nosuid", "nodev"};
    if (request.map_owners)
        options.push_back(
            fmt::format("idmap=uids={}-{}-1;gids={}-{}-1", owner.uid, request.host_user.uid, owner.gid, request.host_user.gid));
    return mount(destination, "bind", source, options);
}

// In a user namespace the files belong to those inside to whom they belong outside.
Result<Json> root_mount(const Request& request)
{
    Json mount = TRY(Json::parse(request.root_mount));
    Json options = Json::copy_of(mount.view().member("options"));
    if (request.ids)
        options.append(Json::string("idmap"));
    mount.set("options", std::move(options));
    return mount;
}

Result<Json> mounts(const Request& request)
{
    Json list = Json::array();
    list.append(TRY(root_mount(request)));
    list.append(mount("/proc", "proc", "proc", {"nosuid", "nodev", "noexec"}));
    list.append(mount("/dev", "tmpfs", "tmpfs", {"nosuid", "noexec", "mode=755", "size=65536"}));
    list.append(mount("/dev/pts", "devpts", "devpts", {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}));
    list.append(writable_tmpfs(request, "/dev/shm", request.limits.temporary, "1777"));
    list.append(writable_tmpfs(request, temporary_path, request.limits.temporary, "1777"));
    if (request.workspace.empty())
        list.append(writable_tmpfs(request, workspace_path, request.limits.disk, "755"));
    else
        list.append(host_folder(request, workspace_path, request.workspace, request.workspace_writable, request.workspace_owner));
    if (!request.artifacts.empty())
        list.append(host_folder(request, artifacts_path, request.artifacts, true, request.artifacts_owner));
    if (request.network.open)
        list.append(mount("/etc/resolv.conf", "bind", request.network.resolver, {"bind", "ro", "nosuid", "nodev", "noexec"}));
    return list;
}

Json resources(const Limits& limits)
{
    constexpr uint64_t period = 100'000;
    Json no_device = Json::object();
    no_device.set("allow", Json::boolean(false)).set("access", Json::string("rwm"));
    Json devices = Json::array();
    devices.append(std::move(no_device));
    Json resources = Json::object();
    resources.set("devices", std::move(devices));
    if (limits.memory > 0) {
        Json memory = Json::object();
        memory.set("limit", Json::unsigned_number(limits.memory)).set("swap", Json::unsigned_number(limits.memory));
        resources.set("memory", std::move(memory));
    }
    if (limits.milli_cpus > 0) {
        Json cpu = Json::object();
        cpu.set("quota", Json::unsigned_number(limits.milli_cpus * period / 1000)).set("period", Json::unsigned_number(period));
        resources.set("cpu", std::move(cpu));
    }
    if (limits.pids > 0) {
        Json pids = Json::object();
        pids.set("limit", Json::unsigned_number(limits.pids + own_processes));
        resources.set("pids", std::move(pids));
    }
    return resources;
}

Json id_mappings(const IdRangeOfSandbox& range)
{
    Json mapping = Json::object();
    mapping.set("containerID", Json::number(0))
        .set("hostID", Json::unsigned_number(range.first))
        .set("size", Json::unsigned_number(range.count));
    Json list = Json::array();
    list.append(std::move(mapping));
    return list;
}

Json linux_section(const Request& request)
{
    Json section = Json::object();
    Json namespaces = Json::array();
    for (std::string_view type : {"pid", "network", "ipc", "uts", "mount", "cgroup", "user"}) {
        if (type == "user" && !request.ids)
            continue;
        Json entry = Json::object();
        entry.set("type", Json::string(type));
        namespaces.append(std::move(entry));
    }
    section.set("namespaces", std::move(namespaces));
    if (request.ids)
        section.set("uidMappings", id_mappings(*request.ids)).set("gidMappings", id_mappings(*request.ids));
    section.set("resources", resources(request.limits));
    section.set("maskedPaths", Json::strings({"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys",
                                              "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
                                              "/proc/scsi"}));
    section.set("readonlyPaths", Json::strings({"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}));
    return section;
}

} // namespace

Result<Json> container_configuration(const Request& request, std::string_view supervisor)
{
    Json annotations = Json::object();
    annotations.set(supervisor_annotation, Json::string(supervisor));
    if (!request.policy.empty())
        annotations.set(policy_annotation, Json::string(request.policy));
    if (!request.traceparent.empty())
        annotations.set(traceparent_annotation, Json::string(request.traceparent));
    if (!request.image.empty())
        annotations.set(image::digest_annotation, Json::string(request.image));
    if (request.network.open)
        annotations.set(network_annotation, Json::string("allow"));
    Json root = Json::object();
    root.set("path", Json::string(request.root)).set("readonly", Json::boolean(true));
    Json document = Json::object();
    document.set("ociVersion", Json::string(spec::spec_version))
        .set("process", process(request))
        .set("root", std::move(root))
        .set("hostname", Json::string("sandbox"))
        .set("mounts", TRY(mounts(request)))
        .set("annotations", std::move(annotations))
        .set("linux", linux_section(request));
    return document;
}

} // namespace brig::sandbox
