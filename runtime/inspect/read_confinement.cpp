#include "inspect/read_confinement.hpp"

#include "base/text.hpp"
#include "cgroup/directory.hpp"
#include "kernel/files.hpp"
#include "kernel/path_in_root.hpp"
#include "kernel/procfs.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace brig::inspect {

namespace {

using kernel::Procfs;

constexpr size_t small_file = 1 << 16;
constexpr size_t largest_table = size_t{64} << 20;
constexpr size_t most_processes = 1024;

// One process's folder of /proc.
class ProcessFolder {
public:
    static Result<ProcessFolder> open(const Procfs& procfs, pid_t pid)
    {
        auto folder = procfs.open_file(std::to_string(pid), O_PATH | O_DIRECTORY);
        if (!folder && folder.error().code() == ENOENT)
            return failure(ErrorKind::not_found, fmt::format("there is no process {}", pid));
        return ProcessFolder(TRY(std::move(folder)));
    }

    Result<std::string> text(const std::string& file, size_t limit = small_file) const
    {
        return kernel::read_file(m_folder, file, limit);
    }
    std::string text_if_any(const std::string& file, size_t limit = small_file) const { return text(file, limit).value_or(""); }

    // What identifies the namespace; 0 where the kernel has none of the name.
    Result<uint64_t> namespace_identity(const std::string& name) const
    {
        auto status = kernel::status_at(m_folder, "ns/" + name, 0);
        if (!status && status.error().code() == ENOENT)
            return uint64_t{0};
        return TRY(std::move(status)).st_ino;
    }

    Result<Fd> root() const { return kernel::open_at(m_folder, "root", O_PATH | O_DIRECTORY); }

private:
    explicit ProcessFolder(Fd folder) : m_folder(std::move(folder)) {}
    Fd m_folder;
};

// ---- processes ---------------------------------------------------------------------------------------------------------

Result<ProcessStatus> read_process(const ProcessFolder& process, uint64_t callers_user_namespace)
{
    ProcessStatus status = TRY(parse_process_status(TRY(process.text("status"))));
    status.label = trim(process.text_if_any("attr/current"));
    if (!status.label.empty() && status.label.back() == '\0')
        status.label.pop_back();
    status.own_user_namespace = TRY(process.namespace_identity("user")) != callers_user_namespace;
    return status;
}

// A process that ends meanwhile is left out.
void read_other_processes(Confinement& confinement, const Procfs& procfs, const std::vector<pid_t>& pids, uint64_t callers)
{
    for (pid_t pid : pids) {
        if (pid == confinement.pid)
            continue;
        if (confinement.processes.size() == most_processes) {
            confinement.more_processes = true;
            return;
        }
        auto process = ProcessFolder::open(procfs, pid);
        if (!process)
            continue;
        if (auto status = read_process(*process, callers))
            confinement.processes.push_back(std::move(*status));
    }
}

// Those in its cgroup, when that is its container's alone.
Result<std::vector<pid_t>> processes_beside(const std::vector<cgroup::Location>& locations, const HostFacts& facts)
{
    for (const auto& location : locations) {
        bool callers = location.path == "/" || location.path == facts.cgroup_v2_own_path;
        for (const auto& hierarchy : facts.cgroup_v1)
            callers = callers || location.path == hierarchy.own_path;
        if (!callers)
            return cgroup::read_processes_below(location.directory());
    }
    return std::vector<pid_t>();
}

// ---- namespaces, mounts, devices, sockets -------------------------------------------------------------------------------

Result<std::vector<Namespace>> read_namespaces(const ProcessFolder& process, const ProcessFolder& caller)
{
    std::vector<Namespace> namespaces;
    for (const char* name : {"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"}) {
        uint64_t own = TRY(process.namespace_identity(name));
        if (own != 0)
            namespaces.push_back({name, own != TRY(caller.namespace_identity(name))});
    }
    return namespaces;
}

bool is_socket_on_host(const std::string& path)
{
    auto status = kernel::status_at(kernel::working_directory, path, AT_SYMLINK_NOFOLLOW);
    return status && S_ISSOCK(status->st_mode);
}

Result<MountsSeen> read_mounts(const ProcessFolder& process, const ProcessFolder& caller)
{
    std::vector<std::string> existing;
    for (const auto& path : watched_kernel_paths())
        if (kernel::exists(kernel::working_directory, path))
            existing.push_back(path);
    auto host = TRY(kernel::parse_mount_table(TRY(caller.text("mountinfo", largest_table))));
    auto seen = see_mounts(TRY(kernel::parse_mount_table(TRY(process.text("mountinfo", largest_table)))), host, existing);
    for (auto& mount : seen.all)
        mount.is_socket = !mount.host_path.empty() && is_socket_on_host(mount.host_path);
    return seen;
}

// null, zero, full, random, urandom, tty, console, ptmx: what the specification gives every container.
bool is_standard(const Device& device)
{
    constexpr std::array memory_devices = {3U, 5U, 7U, 8U, 9U};
    bool memory = device.major == 1 && std::ranges::find(memory_devices, device.minor) != memory_devices.end();
    bool terminal = device.major == 5 && device.minor <= 2;
    return device.type == 'c' && (memory || terminal);
}

bool is_kept_in_memory(const MountsSeen& mounts, std::string_view path)
{
    auto found = std::ranges::find_if(mounts.all, [&](const auto& mount) { return mount.entry.mount_point == path; });
    return found != mounts.all.end() && (found->entry.type == "tmpfs" || found->entry.type == "devtmpfs");
}

// Of a /dev that the kernel itself serves: one that a program serves (FUSE) could keep the reader waiting.
Result<std::vector<Device>> read_devices(const ProcessFolder& process, const MountsSeen& mounts)
{
    std::vector<Device> devices;
    if (!is_kept_in_memory(mounts, "/dev"))
        return devices;
    auto root = TRY(process.root());
    auto folder = kernel::open_in_root(root, "/dev", O_RDONLY | O_DIRECTORY, kernel::Links::refuse);
    if (!folder)
        return devices;
    for (const auto& name : TRY(kernel::list_directory(*folder))) {
        auto status = kernel::status_at(*folder, name, AT_SYMLINK_NOFOLLOW);
        if (!status || !(S_ISCHR(status->st_mode) || S_ISBLK(status->st_mode)))
            continue;
        Device device = {"/dev/" + name, S_ISCHR(status->st_mode) ? 'c' : 'b', major(status->st_rdev), minor(status->st_rdev)};
        if (!is_standard(device))
            devices.push_back(std::move(device));
    }
    std::ranges::sort(devices, {}, &Device::path);
    return devices;
}

SocketsSeen read_sockets(const ProcessFolder& process)
{
    constexpr size_t largest_list = size_t{16} << 20;
    SocketsSeen seen;
    seen.interfaces = parse_interfaces(process.text_if_any("net/dev", largest_list));
    seen.has_routes = has_route(process.text_if_any("net/route", largest_list))
                      || has_ipv6_route(process.text_if_any("net/ipv6_route", largest_list));
    auto add = [&](std::vector<ListeningSocket> sockets) { std::ranges::move(sockets, std::back_inserter(seen.listening)); };
    for (const std::string protocol : {"tcp", "udp"})
        for (const char* version : {"", "6"})
            add(parse_internet_sockets(process.text_if_any("net/" + protocol + version, largest_list), protocol));
    add(parse_unix_sockets(process.text_if_any("net/unix", largest_list)));
    return seen;
}

std::vector<std::string> label_modules(const HostFacts& facts)
{
    std::vector<std::string> modules;
    if (facts.apparmor)
        modules.emplace_back("AppArmor");
    if (facts.selinux)
        modules.emplace_back("SELinux");
    return modules;
}

Result<> check_start_time(const ProcessFolder& process, const Subject& subject)
{
    if (subject.start_time == 0)
        return {};
    auto stat = TRY(kernel::parse_process_stat(TRY(process.text("stat"))));
    if (stat.start_time != subject.start_time)
        return failure(ErrorKind::not_found, "the container has ended meanwhile");
    return {};
}

} // namespace

bool Confinement::has_own(std::string_view name) const
{
    auto found = std::ranges::find(namespaces, name, &Namespace::name);
    return found != namespaces.end() && found->own;
}

Result<Confinement> read_confinement(const Subject& subject, const HostFacts& facts)
{
    auto procfs = TRY(Procfs::of_host());
    auto process = TRY(ProcessFolder::open(procfs, subject.pid));
    auto caller =
        TRY(ProcessFolder::open(procfs, static_cast<pid_t>(TRY(parse_integer(TRY(kernel::read_link(procfs.root(), "self")))))));
    TRY(check_start_time(process, subject));
    uint64_t callers_users = TRY(caller.namespace_identity("user"));

    Confinement confinement;
    confinement.pid = subject.pid;
    confinement.namespaces = TRY(read_namespaces(process, caller));
    confinement.uids = TRY(parse_id_map(TRY(process.text("uid_map"))));
    confinement.gids = TRY(parse_id_map(TRY(process.text("gid_map"))));
    confinement.processes.push_back(TRY(read_process(process, callers_users)));
    confinement.mounts = TRY(read_mounts(process, caller));
    confinement.devices = TRY(read_devices(process, confinement.mounts));
    confinement.sockets = read_sockets(process);
    confinement.label_modules = label_modules(facts);
    auto locations = cgroup::locations_of_process(TRY(process.text("cgroup")), facts);
    confinement.limits = TRY(cgroup::read_effective_limits(locations));
    auto pids = subject.processes.empty() ? TRY(processes_beside(locations, facts)) : subject.processes;
    read_other_processes(confinement, procfs, pids, callers_users);
    return confinement;
}

} // namespace brig::inspect
