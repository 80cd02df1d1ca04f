#include "kernel/host_facts.hpp"

#include "base/text.hpp"
#include "kernel/call.hpp"
#include "kernel/files.hpp"
#include "kernel/subordinate_ids.hpp"

#include <algorithm>
#include <linux/capability.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <optional>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

namespace brig::kernel {

namespace {

constexpr size_t small_file = 1 << 16;
const std::string cgroup_root = "/sys/fs/cgroup";

// 0 where the path does not exist: a leftover directory on the tmpfs of /sys/fs/cgroup is not a hierarchy, so the
// type decides and not the name.
int64_t file_system_type_of(const std::string& path)
{
    struct statfs status = {};
    if (retry_interrupted([&] { return ::statfs(path.c_str(), &status); }) < 0)
        return 0;
    return static_cast<int64_t>(status.f_type);
}

// One line of /proc/self/cgroup: "4:cpu,cpuacct:/docker/x"; v2 is "0::/docker/x".
struct OwnCgroup {
    std::string controllers;
    std::string path;
};

std::optional<OwnCgroup> parse_own_cgroup(std::string_view line)
{
    auto first = line.find(':');
    if (first == std::string_view::npos)
        return std::nullopt;
    auto second = line.find(':', first + 1);
    if (second == std::string_view::npos)
        return std::nullopt;
    return OwnCgroup{std::string(line.substr(first + 1, second - first - 1)), std::string(line.substr(second + 1))};
}

std::vector<std::string> to_strings(std::string_view text, char separator)
{
    std::vector<std::string> parts;
    for (auto part : split(text, separator))
        if (!trim(part).empty())
            parts.emplace_back(trim(part));
    return parts;
}

// "name=systemd" is mounted as "systemd".
std::string_view mount_name(std::string_view controller)
{
    constexpr std::string_view prefix = "name=";
    return controller.starts_with(prefix) ? controller.substr(prefix.size()) : controller;
}

std::string find_v1_mount_point(const std::string& controllers)
{
    std::string joined = cgroup_root + "/" + std::string(mount_name(controllers));
    if (file_system_type_of(joined) == CGROUP_SUPER_MAGIC)
        return joined;
    // "cpuacct,cpu" is "/sys/fs/cgroup/cpu,cpuacct" on some hosts; each has links by the single names.
    for (const auto& controller : to_strings(controllers, ',')) {
        std::string single = cgroup_root + "/" + std::string(mount_name(controller));
        if (file_system_type_of(single) == CGROUP_SUPER_MAGIC)
            return single;
    }
    return {};
}

std::string unescape_mountinfo(std::string_view text)
{
    std::string plain;
    for (size_t i = 0; i < text.size(); i++) {
        if (text[i] == '\\' && i + 3 < text.size()) {
            plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
            i += 3;
        } else {
            plain += text[i];
        }
    }
    return plain;
}

// The slow way, for hosts that mount cgroups elsewhere: mountinfo grows with every mount of every container.
// "36 35 0:30 / /cg/cpu rw - cgroup cgroup rw,cpu,cpuacct"
std::string search_mountinfo(std::string_view mountinfo, std::string_view type, const std::string& controllers)
{
    for (auto line : split(mountinfo, '\n')) {
        auto separator = line.find(" - ");
        if (separator == std::string_view::npos)
            continue;
        auto head = split(line.substr(0, separator), ' ');
        auto tail = split(line.substr(separator + 3), ' ');
        if (head.size() < 6 || tail.size() < 3 || tail[0] != type)
            continue;
        auto options = to_strings(tail[2], ',');
        bool all = true;
        for (const auto& controller : to_strings(controllers, ','))
            all = all && std::find(options.begin(), options.end(), controller) != options.end();
        if (all)
            return unescape_mountinfo(head[4]);
    }
    return {};
}

// What /proc/self/cgroup shows is relative to the hierarchy's root (or the cgroup namespace's); in a container whose
// mounts begin at its own cgroup the same path does not exist below the mount point.
std::string own_path_below(const std::string& mount_point, const std::string& path)
{
    if (path == "/" || exists(working_directory, mount_point + path))
        return path;
    return "/";
}

class CgroupFinder {
public:
    explicit CgroupFinder(HostFacts& facts) : m_facts(facts) {}

    Result<> run()
    {
        auto text = read_file(working_directory, "/proc/self/cgroup", small_file);
        if (!text)
            return text.error().code() == ENOENT ? Result<>() : failure(text.error());
        for (auto line : split(*text, '\n')) {
            auto own = parse_own_cgroup(line);
            if (own && own->controllers.empty())
                add_v2(*own);
            else if (own)
                add_v1(*own);
        }
        bool v2 = !m_facts.cgroup_v2_mount_point.empty();
        if (m_facts.cgroup_v1.empty())
            m_facts.cgroup_layout = v2 ? CgroupLayout::v2 : CgroupLayout::none;
        else
            m_facts.cgroup_layout = v2 ? CgroupLayout::hybrid : CgroupLayout::v1;
        return {};
    }

private:
    void add_v1(const OwnCgroup& own)
    {
        std::string mount_point = find_v1_mount_point(own.controllers);
        if (mount_point.empty())
            mount_point = search_mountinfo(mountinfo(), "cgroup", own.controllers);
        if (!mount_point.empty())
            m_facts.cgroup_v1.push_back({mount_point, to_strings(own.controllers, ','), own_path_below(mount_point, own.path)});
    }

    void add_v2(const OwnCgroup& own)
    {
        for (const auto& candidate : {cgroup_root, cgroup_root + "/unified"})
            if (m_facts.cgroup_v2_mount_point.empty() && file_system_type_of(candidate) == CGROUP2_SUPER_MAGIC)
                m_facts.cgroup_v2_mount_point = candidate;
        if (m_facts.cgroup_v2_mount_point.empty())
            m_facts.cgroup_v2_mount_point = search_mountinfo(mountinfo(), "cgroup2", "");
        if (m_facts.cgroup_v2_mount_point.empty())
            return;
        m_facts.cgroup_v2_own_path = own_path_below(m_facts.cgroup_v2_mount_point, own.path);
        auto controllers = read_file(working_directory, m_facts.cgroup_v2_mount_point + "/cgroup.controllers", small_file);
        if (controllers)
            m_facts.cgroup_v2_controllers = to_strings(*controllers, ' ');
    }

    const std::string& mountinfo()
    {
        constexpr size_t limit = 64 << 20;
        if (!m_mountinfo)
            m_mountinfo = read_file(working_directory, "/proc/self/mountinfo", limit).value_or(std::string());
        return *m_mountinfo;
    }

    HostFacts& m_facts;
    std::optional<std::string> m_mountinfo;
};

Result<uint64_t> effective_capabilities()
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
    if (::syscall(SYS_capget, &header, data) < 0)
        return BRIG_CALL_FAILED("capget of the calling process");
    return static_cast<uint64_t>(data[1].effective) << 32 | data[0].effective;
}

// The kernel knows a capability when it can say whether it is in the bounding set: one or two calls, no file.
unsigned last_capability()
{
    auto known = [](unsigned number) { return ::prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0; };
    unsigned last = CAP_LAST_CAP;
    while (last > 0 && !known(last))
        last--;
    while (last < 63 && known(last + 1))
        last++;
    return last;
}

bool in_user_namespace()
{
    // PROC_USER_INIT_INO of the kernel, fixed since namespaces have files.
    auto link = read_link(working_directory, "/proc/self/ns/user");
    return link && *link != "user:[4026531837]";
}

// A user namespace alone gives no power over the mount namespace that the caller was born in: its owner counts.
bool owns_mount_namespace()
{
    auto file = open_at(working_directory, "/proc/self/ns/mnt", O_RDONLY);
    if (!file)
        return false;
    Fd owner(::ioctl(file->get(), NS_GET_USERNS));
    auto status = owner.valid() ? status_of(owner) : failure(ErrorKind::system, "not ours to ask about");
    auto own = status_at(working_directory, "/proc/self/ns/user", 0);
    return status && own && status->st_ino == own->st_ino;
}

void read_own_user_namespace(HostFacts& facts)
{
    constexpr unsigned cap_sys_admin = 21;
    auto text_of = [](const char* path) { return read_file(working_directory, path, small_file).value_or(std::string()); };
    facts.own_uids = parse_id_map(text_of("/proc/self/uid_map"));
    facts.own_gids = parse_id_map(text_of("/proc/self/gid_map"));
    facts.setgroups_allowed = trim(text_of("/proc/self/setgroups")) != "deny";
    facts.may_mount = facts.has_capability(cap_sys_admin) && owns_mount_namespace();
}

void read_limits_of_caller(HostFacts& facts)
{
    constexpr unsigned cap_setgid = 6;
    constexpr unsigned cap_setuid = 7;
    if (facts.in_user_namespace)
        read_own_user_namespace(facts);
    else
        facts.may_mount = facts.is_privileged();
    if (!facts.has_capability(cap_setuid) || !facts.has_capability(cap_setgid))
        facts.subordinate_ids = read_subordinate_ids(facts.uid);
}

// A cgroup is the user's own when he may make directories in it and move processes out of it and into it.
bool may_manage_cgroup(const std::string& directory)
{
    return ::access(directory.c_str(), W_OK) == 0 && ::access((directory + "/cgroup.procs").c_str(), W_OK) == 0;
}

void find_delegated_cgroup(HostFacts& facts)
{
    if (facts.is_privileged() || facts.cgroup_v2_mount_point.empty())
        return;
    std::string path = facts.cgroup_v2_own_path;
    while (!path.empty() && may_manage_cgroup(facts.cgroup_v2_mount_point + path)) {
        facts.cgroup_v2_delegated_path = path;
        if (path == "/")
            break;
        path = parent_path(path);
    }
    if (facts.cgroup_v2_delegated_path.empty())
        return;
    std::string file = facts.cgroup_v2_mount_point + facts.cgroup_v2_delegated_path + "/cgroup.controllers";
    facts.cgroup_v2_delegated_controllers =
        to_strings(read_file(working_directory, file, small_file).value_or(std::string()), ' ');
}

bool apparmor_enabled()
{
    auto text = read_file(working_directory, "/sys/module/apparmor/parameters/enabled", small_file);
    return text && trim(*text) == "Y";
}

} // namespace

Result<HostFacts> read_host_facts()
{
    HostFacts facts;
    TRY_DURING("look for the cgroup hierarchies", CgroupFinder(facts).run());
    facts.uid = ::geteuid();
    facts.gid = ::getegid();
    facts.in_user_namespace = in_user_namespace();
    facts.effective_capabilities = TRY(effective_capabilities());
    facts.last_capability = last_capability();
    read_limits_of_caller(facts);
    find_delegated_cgroup(facts);
    facts.time_namespaces = exists(working_directory, "/proc/self/ns/time");
    facts.apparmor = apparmor_enabled();
    facts.selinux = exists(working_directory, "/sys/fs/selinux/enforce");
    const std::string resctrl = "/sys/fs/resctrl";
    if (file_system_type_of(resctrl) == RDTGROUP_SUPER_MAGIC) {
        facts.resctrl_mount_point = resctrl;
        facts.resctrl_monitoring = exists(working_directory, resctrl + "/mon_groups");
    }
    struct utsname name = {};
    if (::uname(&name) == 0)
        facts.kernel_release = name.release;
    return facts;
}

Result<uint64_t> machine_memory()
{
    struct sysinfo info = {};
    if (::sysinfo(&info) < 0)
        return BRIG_CALL_FAILED("sysinfo");
    return uint64_t{info.totalram} * info.mem_unit;
}

Result<std::vector<DeviceNumbers>> whole_disks()
{
    std::vector<DeviceNumbers> disks;
    const std::string folder = "/sys/block";
    if (!exists(working_directory, folder))
        return disks;
    Fd directory = TRY(open_at(working_directory, folder, O_RDONLY | O_DIRECTORY));
    for (const auto& name : TRY(list_directory(directory))) {
        auto text = read_file(directory, name + "/dev", small_file);
        auto colon = text ? text->find(':') : std::string::npos;
        if (colon == std::string::npos)
            continue; // it went away meanwhile
        auto major = TRY(parse_unsigned(std::string_view(*text).substr(0, colon)));
        auto minor = TRY(parse_unsigned(trim(std::string_view(*text).substr(colon + 1))));
        disks.push_back({static_cast<unsigned>(major), static_cast<unsigned>(minor)});
    }
    return disks;
}

} // namespace brig::kernel
