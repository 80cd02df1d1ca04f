// Policies of containers: which apply, what they change, and where a running container's are kept.
//
// Runs in: the caller. The policies of a container are in its state directory as they were at create (policy.json, and the
// compiled filters in policy.bpf): exec and update hold to them whatever becomes of the files.
#pragma once

#include "container/context.hpp"
#include "container/policy_files.hpp"
#include "container/state_store.hpp"
#include "policy/tighten.hpp"
#include "setup/seccomp.hpp"
#include "spec/spec.hpp"

#include <string>
#include <vector>

namespace brig::container {

// Adding a policy to those that the host chooses, if /etc/brig/config.json allows it.
inline constexpr std::string_view policy_annotation = "brig.policy";

struct ChosenPolicies {
    std::vector<PolicyFile> files; // the caller's or the host's default, then the annotation's
    std::vector<std::string> warnings;

    std::vector<policy::Policy> policies() const;
    std::vector<spec::Seccomp> filters() const;
};

// Without any policy this costs one look for /etc/brig/config.json.
Result<ChosenPolicies> choose_policies(const Context& context, const std::map<std::string, std::string>& annotations);

// What the container's processes are restricted to by Landlock, a ruleset for each policy that has one.
std::vector<policy::Landlock> landlock_rules(const std::vector<policy::Policy>& policies);

Result<policy::HostLimits> read_host_limits(const std::vector<policy::Policy>& policies);

// spec as it was read; changes are told to the log at level debug. Kind refused, naming both values.
Result<> apply_policies(const Context& context, const std::vector<policy::Policy>& policies, spec::Spec& spec);

// What would change in a bundle, for `brig policy explain`.
Result<std::vector<policy::Change>> explain_policy(const policy::Policy& policy, spec::Spec spec);

Result<> keep_policies(const StateDirectory& directory, const ChosenPolicies& chosen);
Result<std::vector<policy::Policy>> kept_policies(const StateDirectory& directory, const Record& record);
// What holds for another process of the container.
Result<> apply_kept_policies(const std::vector<policy::Policy>& policies, spec::Process& process);
Result<> keep_policy_filters(const StateDirectory& directory, const std::vector<setup::SeccompProgram>& filters);
Result<std::vector<setup::SeccompProgram>> kept_policy_filters(const StateDirectory& directory,
                                                               const std::vector<policy::Policy>& policies);

} // namespace brig::container
