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

struct HostFacts {
    // cgroups
    CgroupLayout cgroup_layout = CgroupLayout::none;
    std::vector<CgroupHierarchy> cgroup_v1;
    std::string cgroup_v2_mount_point; // "/sys/fs/cgroup" or "/sys/fs/cgroup/unified"; empty: none
    std::string cgroup_v2_own_path;
    std::vector<std::string> cgroup_v2_controllers; // of the root

    // identity of the caller
    uint32_t uid = 0;
    uint32_t gid = 0;
    bool in_user_namespace = false;      // not the initial one
    uint64_t effective_capabilities = 0; // bits by capability number
    unsigned last_capability = 40;

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

} // namespace kernel

} // namespace brig
