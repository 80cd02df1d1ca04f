// What a policy says about a sandbox beyond its container: limits that the supervisor keeps, and the environment of programs.
//
// Layer: pure. The container itself is tightened where it is created (policy/tighten.hpp).
#pragma once

#include "base/result.hpp"
#include "policy/policy.hpp"
#include "sandbox/request.hpp"

#include <string>
#include <vector>

namespace brig::sandbox {

// The policy's limits in place of the defaults, before options are read.
void take_limits(Limits& limits, const policy::Policy& policy);
// Of two limits the lower, after options were read.
void lower_limits(Limits& limits, const policy::Policy& policy);
// What programs get of NAME=value: what the policy allows, and what it sets.
Result<std::vector<std::string>> allowed_environment(std::vector<std::string> environment, const policy::Policy& policy);

} // namespace brig::sandbox
