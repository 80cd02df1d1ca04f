// What is around its processes: namespaces, mounts, devices, network, limits, image.
#include "base/text.hpp"
#include "inspect/topic_findings.hpp"

#include <algorithm>

namespace brig::inspect {

namespace {

// Through them an engine makes containers with any rights.
constexpr std::array engine_sockets = {
    std::string_view("/run/docker.sock"),
    std::string_view("/var/run/docker.sock"),
    std::string_view("/run/containerd/containerd.sock"),
    std::string_view("/run/crio/crio.sock"),
    std::string_view("/run/podman/podman.sock"),
    std::string_view("/run/brig"),
};

// Who writes here owns the host; who reads here learns its secrets.
constexpr std::array system_folders = {
    std::string_view("/bin"),  std::string_view("/boot"),  std::string_view("/dev"),  std::string_view("/etc"),
    std::string_view("/lib"),  std::string_view("/lib64"), std::string_view("/proc"), std::string_view("/root/.ssh"),
    std::string_view("/sbin"), std::string_view("/sys"),   std::string_view("/usr"),
};
// Whole, but not what is below them: engines keep containers' files there.
constexpr std::array shared_folders = {
    std::string_view("/"),
    std::string_view("/home"),
    std::string_view("/root"),
    std::string_view("/run"),
    std::string_view("/var"),
    std::string_view("/var/lib"),
    std::string_view("/var/lib/docker"),
    std::string_view("/var/lib/containerd"),
    std::string_view("/var/log"),
    std::string_view("/var/run"),
};

bool is_root(const SeenMount& mount)
{
    return mount.entry.mount_point == "/";
}

bool is_of_the_system(const SeenMount& mount)
{
    const std::string& path = mount.host_path;
    return std::ranges::any_of(system_folders, [&](auto folder) { return covers(folder, path); })
           || std::ranges::find(shared_folders, path) != shared_folders.end();
}

// Everybody's, on the host and inside; /dev/null also stands for masked files.
bool is_standard_device(const SeenMount& mount)
{
    constexpr std::array paths = {std::string_view("/dev/null"),    std::string_view("/dev/zero"),
                                  std::string_view("/dev/full"),    std::string_view("/dev/random"),
                                  std::string_view("/dev/urandom"), std::string_view("/dev/tty")};
    return std::ranges::find(paths, mount.host_path) != paths.end();
}

bool shows_engine(const SeenMount& mount)
{
    constexpr std::array names = {std::string_view("docker.sock"), std::string_view("containerd.sock"),
                                  std::string_view("crio.sock"), std::string_view("podman.sock")};
    return std::ranges::any_of(engine_sockets, [&](auto socket) { return covers(mount.host_path, socket); })
           || (mount.is_socket && std::ranges::find(names, base_name(mount.host_path)) != names.end());
}

std::string text_of(const SeenMount& mount)
{
    return fmt::format("{} (the host's {})", one_line(mount.entry.mount_point), one_line(mount.host_path));
}

// Those for which `test` holds, by path. The root is judged by itself, unless it is the host's.
template<typename Test> std::vector<std::string> mounts_that(const Confinement& confinement, Test test)
{
    std::vector<std::string> found;
    for (const auto& mount : confinement.mounts.all)
        if ((!is_root(mount) || mount.host_path == "/") && !mount.host_path.empty() && !is_standard_device(mount) && test(mount))
            found.push_back(text_of(mount));
    return found;
}

bool all_in_user_namespace(const Confinement& confinement)
{
    return confinement.has_own("user") && !id_inside(confinement.uids, 0);
}

void judge_namespaces(const Confinement& confinement, TopicFindings& topic)
{
    struct Shared {
        std::string_view name;
        Severity severity;
        std::string_view detail;
    };
    constexpr std::array rows = {
        Shared{"mnt", Severity::critical, "it has the host's mounts: this is no container"},
        Shared{"pid", Severity::high, "it sees the host's processes, and may signal and trace those of its users"},
        Shared{"ipc", Severity::medium, "it has the host's shared memory and message queues"},
        Shared{"cgroup", Severity::low, "it sees the host's cgroup paths"},
        Shared{"uts", Severity::low, "it has the host's name"},
    };
    for (const auto& row : rows)
        if (!confinement.has_own(row.name))
            topic.found(row.severity, std::string(row.detail),
                        fmt::format("give it a {} namespace: linux.namespaces, and no --{}=host",
                                    row.name == "mnt" ? "mount" : row.name, row.name));
}

void judge_cgroup_mounts(const Confinement& confinement, TopicFindings& topic)
{
    if (all_in_user_namespace(confinement))
        return;
    for (const auto& mount : confinement.mounts.all) {
        bool first_version = mount.entry.type == "cgroup";
        if (!mount.writable() || (!first_version && mount.entry.type != "cgroup2"))
            continue;
        topic.found(first_version ? Severity::high : Severity::medium,
                    fmt::format("{} is a writable cgroup file system", one_line(mount.entry.mount_point)),
                    "mount it with the option ro, or give a user namespace");
        return; // v1 has one for each controller
    }
}

void judge_devices(const Confinement& confinement, TopicFindings& topic)
{
    std::vector<std::string> storage;
    std::vector<std::string> others;
    for (const auto& device : confinement.devices) {
        bool memory = device.type == 'c' && device.major == 1; // mem, port, kmsg
        (device.type == 'b' || memory ? storage : others).push_back(one_line(device.path));
    }
    if (!storage.empty())
        topic.found(Severity::critical, "the host's disks or memory as devices: " + some_of(storage),
                    "leave them out of linux.devices; docker run without --privileged");
    if (!others.empty())
        topic.found(Severity::low, "devices beyond the standard ones: " + some_of(others), "leave out what it does not need");
}

bool is_labelled(const ProcessStatus& process)
{
    return !process.label.empty() && process.label != "unconfined" && process.label.find("unconfined_t") == std::string::npos;
}

} // namespace

void judge_escape(const Confinement& confinement, TopicFindings& topic)
{
    judge_namespaces(confinement, topic);
    if (auto engines = mounts_that(confinement, shows_engine); !engines.empty())
        topic.found(Severity::critical, "an engine's socket is in reach: " + some_of(engines), "do not mount it");
    auto sockets = mounts_that(confinement, [](const auto& mount) { return mount.is_socket && !shows_engine(mount); });
    if (!sockets.empty())
        topic.found(Severity::medium, "programs of the host answer here: " + some_of(sockets),
                    "mount no socket that it does not need");
    auto writable = mounts_that(confinement, [](const auto& mount) { return is_of_the_system(mount) && mount.writable(); });
    if (!writable.empty())
        topic.found(Severity::critical, "writable folders of the host's system: " + some_of(writable),
                    "mount a narrower folder, or ro");
    auto shared = mounts_that(confinement, [](const auto& mount) { return mount.shared_with_host; });
    if (!shared.empty())
        topic.found(Severity::medium, "what is mounted below appears on the host: " + some_of(shared),
                    "mount with the option rprivate or rslave");
    judge_cgroup_mounts(confinement, topic);
    judge_devices(confinement, topic);
    if (!confinement.label_modules.empty() && !is_labelled(confinement.processes.front()))
        topic.found(Severity::low, join(confinement.label_modules, " and ") + " does not confine it",
                    "give process.apparmorProfile or process.selinuxLabel");
    topic.otherwise("namespaces of its own, and no way out by mounts or devices");
}

void judge_network(const Confinement& confinement, TopicFindings& topic)
{
    if (!confinement.has_own("net")) {
        topic.found(Severity::high, "it has the host's network, with everything that listens on its loopback device",
                    "give it a network namespace: docker run --network=none or bridge");
        return;
    }
    if (confinement.sockets.interfaces.empty())
        topic.otherwise(confinement.reaches_named_hosts_only ? "by name only, through the egress broker of its policy"
                                                             : "nothing but its own loopback device");
    if (!confinement.sockets.has_routes)
        topic.otherwise("devices without a route: " + some_of(confinement.sockets.interfaces));
    else
        topic.found(Severity::medium, "whatever the host routes from " + some_of(confinement.sockets.interfaces),
                    "--network=none, or a policy with a list of names (docs/egress.md)");
}

namespace {

// Files that an engine makes for each container and mounts there.
bool is_engines_own(const SeenMount& mount)
{
    constexpr std::array paths = {std::string_view("/etc/resolv.conf"), std::string_view("/etc/hostname"),
                                  std::string_view("/etc/hosts")};
    return std::ranges::find(paths, mount.entry.mount_point) != paths.end();
}

std::vector<std::string> unbounded_file_systems(const Confinement& confinement)
{
    std::vector<std::string> paths;
    for (const auto& mount : confinement.mounts.all)
        if (mount.entry.type == "tmpfs" && mount.host_path.empty() && mount.writable()
            && !contains(mount.entry.super_options, "size="))
            paths.push_back(one_line(mount.entry.mount_point));
    return paths;
}

} // namespace

void judge_files(const Confinement& confinement, TopicFindings& topic)
{
    const SeenMount* root = confinement.mounts.root();
    if (root && root->writable())
        topic.found(Severity::medium, "its root file system is writable, and what it writes there takes the host's disk",
                    "root.readonly, docker run --read-only --tmpfs /tmp");
    auto kept = mounts_that(
        confinement, [](const auto& mount) { return mount.writable() && !is_of_the_system(mount) && !is_engines_own(mount); });
    if (!kept.empty())
        topic.found(Severity::low, "what it writes here stays on the host: " + some_of(kept),
                    "mount them ro where it only reads");
    auto unbounded = unbounded_file_systems(confinement);
    if (!unbounded.empty() && !confinement.limits.memory)
        topic.found(Severity::low, "memory file systems without a size: " + some_of(unbounded),
                    "give the option size=, or a limit of memory");
    topic.otherwise("nothing that stays: a read-only root and bounded memory file systems");
}

void judge_resources(const Confinement& confinement, TopicFindings& topic)
{
    const auto& limits = confinement.limits;
    if (!limits.memory)
        topic.found(Severity::high, "no limit of memory", "linux.resources.memory.limit, docker run --memory");
    if (!limits.pids)
        topic.found(Severity::high, "no limit of processes", "linux.resources.pids.limit, docker run --pids-limit");
    if (!limits.milli_cpus)
        topic.found(Severity::medium, "no limit of processor time", "linux.resources.cpu.quota, docker run --cpus");
    if (limits.memory && limits.swap_is_counted && !limits.swap)
        topic.found(Severity::low, "the limit of memory does not bound swap",
                    "linux.resources.memory.swap, docker run --memory-swap");
    topic.otherwise(fmt::format("{} bytes of memory, {} processes, {} thousandths of a processor", limits.memory.value_or(0),
                                limits.pids.value_or(0), limits.milli_cpus.value_or(0)));
}

void judge_image(const Confinement& confinement, TopicFindings& topic)
{
    constexpr const char* remedy =
        "name base images by digest (NAME@sha256:...), and scan them for known holes when they are built";
    if (confinement.image.empty())
        topic.found(Severity::unknown, "a runtime is given files, not the image that they are from", remedy);
    else if (!contains(confinement.image, "sha256:"))
        topic.found(Severity::low, "its image goes by a name that can change: " + one_line(confinement.image), remedy);
    topic.otherwise("its image goes by digest: " + one_line(confinement.image));
}

namespace {

struct PathRule {
    std::string_view path;
    Exposure most; // what is fine
    Severity severity;
};

// What runc and Docker mask or make read-only, and why: docs/inspect.md.
constexpr std::array path_rules = {
    PathRule{"/proc/kcore", Exposure::masked, Severity::high},
    PathRule{"/proc/sysrq-trigger", Exposure::readable, Severity::high},
    PathRule{"/proc/sys", Exposure::readable, Severity::high},
    PathRule{"/proc/irq", Exposure::readable, Severity::medium},
    PathRule{"/proc/bus", Exposure::readable, Severity::medium},
    PathRule{"/proc/fs", Exposure::readable, Severity::medium},
    PathRule{"/sys/kernel", Exposure::readable, Severity::high},
    PathRule{"/sys/firmware", Exposure::masked, Severity::low},
    PathRule{"/sys/devices/virtual/powercap", Exposure::masked, Severity::low},
    PathRule{"/proc/acpi", Exposure::masked, Severity::low},
    PathRule{"/proc/asound", Exposure::masked, Severity::low},
    PathRule{"/proc/interrupts", Exposure::masked, Severity::low},
    PathRule{"/proc/keys", Exposure::masked, Severity::low},
    PathRule{"/proc/latency_stats", Exposure::masked, Severity::low},
    PathRule{"/proc/sched_debug", Exposure::masked, Severity::low},
    PathRule{"/proc/scsi", Exposure::masked, Severity::low},
    PathRule{"/proc/timer_list", Exposure::masked, Severity::low},
};

// A user who is nobody on the host can neither write there nor read what is root's.
Severity severity_for(const Confinement& confinement, Severity severity)
{
    return all_in_user_namespace(confinement) ? std::min(severity, Severity::low) : severity;
}

} // namespace

void judge_sensitive_files(const Confinement& confinement, TopicFindings& topic)
{
    auto readable = mounts_that(confinement, [](const auto& mount) { return is_of_the_system(mount) && !mount.writable(); });
    if (!readable.empty())
        topic.found(Severity::high, "reads the host's system: " + some_of(readable), "mount a narrower folder");
    for (Exposure most : {Exposure::masked, Exposure::readable}) {
        std::vector<std::string> paths;
        Severity worst = Severity::none;
        for (const auto& rule : path_rules) {
            auto seen = std::ranges::find(confinement.mounts.kernel_paths, rule.path, &KernelPath::path);
            if (rule.most != most || seen == confinement.mounts.kernel_paths.end() || seen->exposure <= most)
                continue;
            paths.push_back(seen->path);
            worst = std::max(worst, severity_for(confinement, rule.severity));
        }
        if (!paths.empty())
            topic.found(worst, fmt::format("not {}: {}", most == Exposure::masked ? "masked" : "read-only", some_of(paths)),
                        "linux.maskedPaths and linux.readonlyPaths as `brig spec` writes them");
    }
    topic.otherwise("/etc/passwd and its like are the image's own; what /proc and /sys tell of the host is masked or read-only");
}

} // namespace brig::inspect
