// Resources of the specification -> files and values of the host's cgroup layout.
//
// Layer: pure. Implements config-linux.md "Control groups". Where v2 has no equal of a v1 value the conversion is runc's
// (shares to weight by the newer quadratic formula, swap = memory+swap - memory). What the layout cannot do is refused
// (kind not_supported) with the property's name; nothing is dropped silently.
#pragma once

#include "base/result.hpp"
#include "kernel/host_facts.hpp"
#include "plan/plan.hpp"
#include "spec/spec.hpp"

#include <map>
#include <string>
#include <vector>

namespace brig::plan {

struct CgroupRequest {
    std::string id;
    // linux.cgroupsPath. Absolute: below each hierarchy's mount point. Relative: below the caller's own cgroup (v1) or
    // beside it (v2, where a cgroup with processes cannot have limited children). Empty: the id as relative path, as in
    // runc, so that limits of the caller hold for its containers. Without privilege only a path below a delegated cgroup v2
    // can be had; a container that asks for no limit then runs in the caller's own cgroup, any other is refused.
    std::string cgroups_path;
    CgroupDriver driver = CgroupDriver::file_system;
    // With the driver systemd cgroups_path is SLICE:PREFIX:NAME, see plan/unit_name.hpp.
    std::string unit_description = {};
    const std::map<std::string, std::string>* annotations = nullptr; // org.systemd.property.*
};

// A directory in every v1 hierarchy, so that a container is accounted as with runc, and one in cgroup v2, on hybrid hosts
// too: cgroup.kill, cgroup.freeze and cgroup.events end, pause and watch a container without races. Devices without a rule
// are denied; runc's default devices are allowed.
Result<Cgroup> make_cgroup_plan(const CgroupRequest& request, const spec::Resources* resources, const HostFacts& facts);

// New limits for the directories that a container has (their `writes` are replaced). Device rules are left alone, as in
// runc: rewriting them would close devices under a running container. linux.resources.memory.swap needs memory.limit beside
// it on v2; the caller merges what the container already has.
Result<Cgroup> make_cgroup_update(std::vector<CgroupDirectory> directories, const spec::Resources& resources);

// What systemd must know of such an update. `period`: of the CPU quota, in microseconds, where the update does not name one.
Result<std::vector<UnitProperty>> make_unit_update(const std::vector<CgroupDirectory>& directories, uint64_t period);

// One hierarchy's writes alone; an unknown controller has none.
Result<std::vector<CgroupWrite>> cgroup_v1_writes(const std::string& controller, const spec::Resources& resources);
Result<std::vector<CgroupWrite>> cgroup_v2_writes(const spec::Resources& resources);

} // namespace brig::plan
