#include "spec/default_spec.hpp"

#include "spec/version.hpp"

namespace brig::spec {

namespace {

Json capability_sets()
{
    const std::vector<std::string> kept = {"CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"};
    // Neither inheritable nor ambient: they would survive a switch to another user (CVE-2022-29162).
    Json sets = Json::object();
    sets.set("bounding", Json::strings(kept)).set("effective", Json::strings(kept)).set("permitted", Json::strings(kept));
    return sets;
}

Json process()
{
    Json user = Json::object();
    user.set("uid", Json::number(0)).set("gid", Json::number(0));
    Json open_files = Json::object();
    open_files.set("type", Json::string("RLIMIT_NOFILE")).set("hard", Json::number(1024)).set("soft", Json::number(1024));
    Json rlimits = Json::array();
    rlimits.append(std::move(open_files));
    Json process = Json::object();
    process.set("terminal", Json::boolean(true))
        .set("user", std::move(user))
        .set("args", Json::strings({"sh"}))
        .set("env", Json::strings({"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"}))
        .set("cwd", Json::string("/"))
        .set("capabilities", capability_sets())
        .set("rlimits", std::move(rlimits))
        .set("noNewPrivileges", Json::boolean(true));
    return process;
}

Json mount(std::string_view destination, std::string_view type, std::string_view source, const std::vector<std::string>& options)
{
    Json mount = Json::object();
    mount.set("destination", Json::string(destination)).set("type", Json::string(type)).set("source", Json::string(source));
    if (!options.empty())
        mount.set("options", Json::strings(options));
    return mount;
}

// An unprivileged user may neither mount a sysfs of a network namespace that is not his nor give a file to group 5.
Json mounts(bool rootless)
{
    std::vector<std::string> terminals = {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"};
    if (!rootless)
        terminals.emplace_back("gid=5");
    Json list = Json::array();
    list.append(mount("/proc", "proc", "proc", {}));
    list.append(mount("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}));
    list.append(mount("/dev/pts", "devpts", "devpts", terminals));
    list.append(mount("/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}));
    list.append(mount("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}));
    if (rootless)
        list.append(mount("/sys", "none", "/sys", {"rbind", "nosuid", "noexec", "nodev", "ro"}));
    else
        list.append(mount("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}));
    list.append(mount("/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", "ro"}));
    return list;
}

Json one_id(uint32_t host_id)
{
    Json mapping = Json::object();
    mapping.set("containerID", Json::number(0)).set("hostID", Json::number(host_id)).set("size", Json::number(1));
    Json list = Json::array();
    list.append(std::move(mapping));
    return list;
}

Json namespaces(bool rootless)
{
    Json list = Json::array();
    for (std::string_view type : {"pid", "network", "ipc", "uts", "mount", "cgroup", "user"}) {
        // An unprivileged user could not connect a new network namespace to anything.
        if (type == (rootless ? "network" : "user"))
            continue;
        Json entry = Json::object();
        entry.set("type", Json::string(type));
        list.append(std::move(entry));
    }
    return list;
}

Json no_devices()
{
    Json rule = Json::object();
    rule.set("allow", Json::boolean(false)).set("access", Json::string("rwm"));
    Json devices = Json::array();
    devices.append(std::move(rule));
    Json resources = Json::object();
    resources.set("devices", std::move(devices));
    return resources;
}

Json linux_section(bool rootless, uint32_t uid, uint32_t gid)
{
    Json section = Json::object();
    if (rootless)
        section.set("uidMappings", one_id(uid)).set("gidMappings", one_id(gid));
    else
        section.set("resources", no_devices());
    section.set("namespaces", namespaces(rootless))
        .set("maskedPaths", Json::strings({"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
                                           "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi",
                                           "/sys/firmware", "/sys/devices/virtual/powercap"}))
        .set("readonlyPaths", Json::strings({"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}));
    return section;
}

} // namespace

Json default_spec(bool rootless, uint32_t uid, uint32_t gid)
{
    Json root = Json::object();
    root.set("path", Json::string("rootfs")).set("readonly", Json::boolean(true));
    Json spec = Json::object();
    spec.set("ociVersion", Json::string(spec_version))
        .set("process", process())
        .set("root", std::move(root))
        .set("hostname", Json::string("brig"))
        .set("mounts", mounts(rootless))
        .set("linux", linux_section(rootless, uid, gid));
    return spec;
}

} // namespace brig::spec
