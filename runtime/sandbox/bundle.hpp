// The configuration that a sandbox's container is created from.
//
// Layer: pure. What it gives is closed before any policy is applied: no network, no capability, no_new_privs, a read-only root,
// tmpfs for what has to be written, limits on memory, processors and processes, masks over what /proc tells of the host, and
// neither sysfs nor the cgroup file systems, which programs do without.
#pragma once

#include "base/json.hpp"
#include "sandbox/request.hpp"

namespace brig::sandbox {

// Marks a container as a sandbox; the value is its supervisor, "PID:START TIME", so that prune finds one without.
inline constexpr const char* supervisor_annotation = "dev.brig.sandbox.supervisor";
inline constexpr const char* policy_annotation = "dev.brig.sandbox.policy";
inline constexpr const char* traceparent_annotation = "dev.brig.sandbox.traceparent";
inline constexpr const char* network_annotation = "dev.brig.sandbox.network"; // "allow" where some names are reached

// config.json.
Result<Json> container_configuration(const Request& request, std::string_view supervisor);

} // namespace brig::sandbox
