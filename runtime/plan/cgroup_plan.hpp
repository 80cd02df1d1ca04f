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

#include <string>
#include <vector>

namespace brig::plan {

struct CgroupRequest {
    std::string id;
    std::string cgroups_path; // linux.cgroupsPath; empty: "/<id>" below the caller's own cgroup is not used, "/brig/<id>" is
    CgroupDriver driver = CgroupDriver::file_system;
};

Result<Cgroup> make_cgroup_plan(const CgroupRequest& request, const spec::Resources* resources, const HostFacts& facts);

// The writes alone, for `update`.
Result<std::vector<CgroupWrite>> cgroup_v1_writes(const std::string& controller, const spec::Resources& resources);
Result<std::vector<CgroupWrite>> cgroup_v2_writes(const spec::Resources& resources);

} // namespace brig::plan
