// The Plan: every decision of a container's start, made before anything is created. `brig plan` prints it, the launcher
// and the container's init carry it out, golden tests fix it.
//
// Layer: pure. Lists are in the order of execution. Paths with "host" in the name are the host's; others are inside.
#pragma once

#include "policy/policy.hpp"
#include "spec/mount_options.hpp"
#include "spec/spec.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace brig::plan {

// ---- namespaces ----------------------------------------------------------------------------------------------------

struct NamespaceJoin {
    spec::NamespaceType type = spec::NamespaceType::mount;
    std::string host_path;
};

struct Namespaces {
    uint64_t new_flags = 0;            // CLONE_NEW* given to the one clone3
    bool new_cgroup_namespace = false; // unshared by the init once it is inside its cgroup
    bool new_time_namespace = false;
    std::vector<NamespaceJoin> joins; // user first, mount last
    std::vector<spec::IdMapping> uid_mappings;
    std::vector<spec::IdMapping> gid_mappings;
    std::string host_newuidmap; // the setuid program that writes the uid map; empty: the launcher writes it itself
    std::string host_newgidmap;
    std::string time_offsets; // lines for /proc/<pid>/timens_offsets
    bool bring_loopback_up = false;

    bool has_new(uint64_t flag) const { return (new_flags & flag) != 0; }
    bool joins_type(spec::NamespaceType type) const
    {
        for (const auto& join : joins)
            if (join.type == type)
                return true;
        return false;
    }
};

// ---- cgroups -------------------------------------------------------------------------------------------------------

struct CgroupWrite {
    std::string file; // "memory.max"
    std::string value;
    // A kernel without the file is fine when the value is what it would do anyway (swap limits without swap accounting).
    bool optional = false;
    std::string property;   // "linux.resources.memory.limit", for messages
    std::string other_file; // written instead where `file` does not exist ("blkio.bfq.weight"); empty: none
    std::string other_value;
};

// One directory in one hierarchy. On v2 there is exactly one.
struct CgroupDirectory {
    std::string mount_point;              // "/sys/fs/cgroup/memory"
    std::string path;                     // below it: "/docker/<id>"
    std::vector<std::string> controllers; // v1: of this hierarchy; v2: to enable on the way down
    std::vector<CgroupWrite> writes;      // in order
    bool unified = false;                 // a cgroup v2 hierarchy
};

enum class CgroupDriver { none, file_system, systemd };

// D-Bus: b, i, u, t, s, as, ay, a(ss).
using UnitValue = std::variant<bool, int32_t, uint32_t, uint64_t, std::string, std::vector<std::string>, std::vector<uint8_t>,
                               std::vector<std::pair<std::string, std::string>>>;

struct UnitProperty {
    std::string name; // "MemoryMax", as systemd's D-Bus interface calls it
    UnitValue value;
};

// A transient unit of systemd: a scope, which takes the container's init over, or a slice, which the init joins.
struct SystemdUnit {
    std::string name;
    std::string description; // with it the container knows its unit again
    bool of_user = false;    // of the user's own manager, not of the system's
    std::vector<UnitProperty> properties;

    bool is_slice() const { return name.ends_with(".slice"); }
};

struct Cgroup {
    CgroupDriver driver = CgroupDriver::none;
    std::optional<SystemdUnit> unit; // with the driver systemd
    std::vector<CgroupDirectory> directories;
    std::vector<spec::DeviceRule> device_rules; // compiled to eBPF where the device controller is v2's
    bool filter_devices = false;                // device_rules apply through eBPF
    std::optional<uint32_t> owner;              // v2: the host's user to whom the directory is given
};

// ---- root file system ------------------------------------------------------------------------------------------------

enum class MountKind { file_system, bind, cgroup_v1, cgroup_v2 };

struct Mount {
    MountKind kind = MountKind::file_system;
    std::string destination; // absolute, inside
    std::string type;
    std::string host_source; // bind: absolute; file_system: the source string
    spec::MountOptions options;
    std::vector<spec::IdMapping> uid_mappings;
    std::vector<spec::IdMapping> gid_mappings;
    size_t spec_index = 0; // "mounts[3]", for messages

    bool is_root() const { return destination == "/" && !options.remount; } // the first one: what it mounts becomes the root
};

struct DeviceNode {
    std::string path;
    char type = 'c';
    uint32_t major = 0;
    uint32_t minor = 0;
    uint32_t mode = 0666;
    uint32_t uid = 0;
    uint32_t gid = 0;
};

struct Link {
    std::string path;
    std::string target;
};

enum class RootSwitch { pivot_root, move_mount };

struct RootFilesystem {
    std::string host_path; // absolute
    bool readonly = false;
    uint64_t propagation = 0; // MS_* with MS_REC in `propagation_recursive`
    bool propagation_recursive = true;
    RootSwitch root_switch = RootSwitch::pivot_root;
    std::vector<Mount> mounts;
    size_t mounts_before_cgroup = 0; // these do not need the cgroup; the init joins it after them
    bool populate_dev = false;       // false when /dev is a bind mount or the host's devtmpfs
    bool bind_devices = false;       // user namespaces cannot mknod: the host's nodes are bound
    // In a user namespace the launcher clones the sources of binds, which root's own files may be; a launcher without that
    // power leaves it to the init, which has the powers of its namespace and the host rights of the user.
    bool sources_from_launcher = false;
    std::vector<DeviceNode> devices;
    std::vector<Link> links;
    std::vector<std::string> masked_paths;
    std::vector<std::string> readonly_paths;
    std::string mount_label;
};

// ---- the process -------------------------------------------------------------------------------------------------------

// Bits by capability number.
struct Capabilities {
    uint64_t bounding = 0;
    uint64_t effective = 0;
    uint64_t inheritable = 0;
    uint64_t permitted = 0;
    uint64_t ambient = 0;
};

struct Rlimit {
    std::string name; // "RLIMIT_NOFILE", for messages
    int resource = 0;
    uint64_t soft = 0;
    uint64_t hard = 0;
};

struct Process {
    bool terminal = false;
    std::optional<spec::ConsoleSize> console_size;
    std::vector<std::string> args;
    std::vector<std::string> env; // one entry a name, the last one wins; HOME is added from the container's passwd
    std::string cwd;
    uint32_t uid = 0;
    uint32_t gid = 0;
    std::vector<uint32_t> additional_gids;
    bool set_groups = true;           // false where the user namespace forbids setgroups
    bool groups_may_be_fixed = false; // a joined user namespace may forbid it: then only a wish for groups is an error
    uint32_t umask = 022;
    Capabilities capabilities;
    std::vector<std::string> dropped_capabilities; // asked for, but the caller does not have them: a warning each
    std::vector<Rlimit> rlimits;
    bool no_new_privileges = false;
    std::optional<int> oom_score_adj;
    bool oom_score_may_fail = false; // as in runc, a caller without privilege goes on with the score that it has
    std::string apparmor_profile;
    std::string selinux_label;
    std::optional<spec::Scheduler> scheduler;
    std::optional<spec::IoPriority> io_priority;
    std::optional<spec::Personality> personality;
    std::optional<spec::MemoryPolicy> memory_policy;
    std::optional<spec::ExecCpuAffinity> exec_cpu_affinity;
    bool new_session_keyring = true;
    std::vector<policy::Landlock> landlock; // of each policy: what all of them allow remains
    unsigned preserved_fds = 0;             // beyond 0, 1, 2 (LISTEN_FDS included)
};

struct Sysctl {
    std::string path; // below /proc/sys: "net/ipv4/ip_forward"
    std::string value;
};

// An interface of the host that moves into the container's network namespace.
struct NetDevice {
    std::string host_name;
    std::string name; // inside; may be a template like eth%d
};

// Directories of resctrl: a class of service, and a monitoring group below it.
struct IntelRdt {
    std::string directory;
    bool may_make = true;              // otherwise it must be there
    bool own = false;                  // of this container alone: removed with it
    std::vector<std::string> schemata; // lines for a class that is made; what a class that exists must have
    std::string monitoring_directory;  // empty: none

    std::vector<std::string> directories() const
    {
        return monitoring_directory.empty() ? std::vector{directory} : std::vector{directory, monitoring_directory};
    }
    // In the order of removal.
    std::vector<std::string> own_directories() const
    {
        std::vector<std::string> removed;
        if (!monitoring_directory.empty())
            removed.push_back(monitoring_directory);
        if (own)
            removed.push_back(directory);
        return removed;
    }
};

struct Plan {
    std::string id;
    std::string host_bundle; // absolute
    std::string hostname;
    std::string domainname;
    Namespaces namespaces;
    Cgroup cgroup;
    RootFilesystem root;
    std::vector<NetDevice> net_devices;
    std::optional<IntelRdt> intel_rdt;
    std::vector<Sysctl> sysctls;
    Process process;
    std::optional<spec::Seccomp> seccomp;
    // What the spec was tightened by; its limits of time, output and network are for who watches over the container.
    std::vector<policy::Policy> policies;
    std::vector<spec::Seccomp> policy_filters; // loaded besides seccomp: the kernel takes the strictest answer
    spec::Hooks hooks;
    std::vector<std::pair<std::string, std::string>> annotations;
    std::vector<std::string> warnings;

    bool has_filters() const { return seccomp.has_value() || !policy_filters.empty(); }
};

} // namespace brig::plan
