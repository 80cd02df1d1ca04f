// What this host can do, asked once, as a plain struct: the only way in which the pure layers see the host.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace brig {

enum class CgroupLayout { none, v1, hybrid, v2 };

// One mounted cgroup v1 hierarchy: its mount point and controllers ("cpu", "cpuacct"; "name=systemd").
struct CgroupHierarchy {
    std::string mount_point;
    std::vector<std::string> controllers;
    std::string own_path; // the caller's own cgroup below it, from /proc/self/cgroup
};

// User or group ids from `first` on; 64 bits, so that the end of the last one fits.
struct IdRange {
    uint64_t first = 0;
    uint64_t count = 0;

    uint64_t end() const { return first + count; }
};

// What a caller without privilege may map into a user namespace besides his own ids. Empty for privileged callers, who need
// nobody's leave.
struct SubordinateIds {
    std::string user_name;     // as /etc/passwd has it; empty when it is not there
    std::vector<IdRange> uids; // from /etc/subuid
    std::vector<IdRange> gids; // from /etc/subgid
    bool elsewhere = false;    // nsswitch.conf names another source than these files
    std::string newuidmap;     // the setuid programs' paths; empty: not installed
    std::string newgidmap;
};

struct HostFacts {
    // cgroups
    CgroupLayout cgroup_layout = CgroupLayout::none;
    std::vector<CgroupHierarchy> cgroup_v1;
    std::string cgroup_v2_mount_point; // "/sys/fs/cgroup" or "/sys/fs/cgroup/unified"; empty: none
    std::string cgroup_v2_own_path;
    std::vector<std::string> cgroup_v2_controllers; // of the root
    // The highest cgroup at or above the caller's own in which a caller without privilege may make others and move processes
    // ("/user.slice/user-1000.slice/user@1000.service"), and its controllers. Empty: none.
    std::string cgroup_v2_delegated_path;
    std::vector<std::string> cgroup_v2_delegated_controllers;

    // Of the manager that the driver systemd asks, below every mount point; empty: it manages all of them. Only that driver's
    // caller fills it in (container/systemd.hpp).
    std::string systemd_cgroup;

    // identity of the caller
    uint32_t uid = 0;
    uint32_t gid = 0;
    bool in_user_namespace = false;      // not the initial one
    uint64_t effective_capabilities = 0; // bits by capability number
    unsigned last_capability = 40;

    // what the caller's user namespace allows
    std::vector<IdRange> own_uids; // the ids that exist in it; empty in the initial one, which has all
    std::vector<IdRange> own_gids;
    bool setgroups_allowed = true;
    bool may_mount = true; // in the mount namespace that the caller is in now
    SubordinateIds subordinate_ids;

    bool has_capability(unsigned number) const { return (effective_capabilities >> number & 1) != 0; }
    // Root's powers over the host, and not only over a user namespace.
    bool is_privileged() const
    {
        constexpr unsigned cap_sys_admin = 21;
        return !in_user_namespace && has_capability(cap_sys_admin);
    }

    // kernel and security modules
    bool time_namespaces = false;
    bool apparmor = false;
    bool selinux = false;
    std::string resctrl_mount_point; // "/sys/fs/resctrl" (Intel RDT and its kin); empty: not mounted
    bool resctrl_monitoring = false;
    std::string kernel_release;
};

namespace kernel {

Result<HostFacts> read_host_facts();

// Only for policies, so not among the facts that every start reads.
Result<uint64_t> machine_memory(); // bytes
struct DeviceNumbers {
    unsigned major = 0;
    unsigned minor = 0;
};
Result<std::vector<DeviceNumbers>> whole_disks(); // without partitions; none where /sys is not mounted

} // namespace kernel

} // namespace brig
