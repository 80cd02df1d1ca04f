// Spec + HostFacts -> Plan: all decisions of a start.
//
// Layer: pure. The spec was read and checked (spec/check_spec.hpp). Errors: kind invalid or not_supported, naming the property.
#pragma once

#include "base/result.hpp"
#include "kernel/host_facts.hpp"
#include "plan/plan.hpp"
#include "spec/spec.hpp"

#include <string>
#include <vector>

namespace brig::plan {

struct PlanRequest {
    std::string id;
    std::string host_bundle; // absolute
    CgroupDriver cgroup_driver = CgroupDriver::file_system;
    std::string unit_description; // of the driver systemd
    RootSwitch root_switch = RootSwitch::pivot_root;
    bool new_session_keyring = true;
    unsigned preserved_fds = 0;
    std::vector<std::string> extra_environment; // LISTEN_FDS=... set by the caller
};

Result<Plan> make_plan(const spec::Spec& spec, const PlanRequest& request, const HostFacts& facts);

// The process alone, for exec. `user_namespace`: it will run in one.
Result<Process> make_process_plan(const spec::Process& process, const HostFacts& facts, bool user_namespace);

// linux.intelRdt of a container with this id. Kind not_supported where the host has no resctrl.
Result<IntelRdt> plan_intel_rdt(const spec::IntelRdt& asked, const std::string& id, const HostFacts& facts);

// Last entry of a name wins; order of first appearance is kept.
std::vector<std::string> deduplicated_environment(const std::vector<std::string>& env);

} // namespace brig::plan
