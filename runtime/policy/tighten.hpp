// Policy x Spec -> a tighter Spec and the list of what changed and why, or a refusal that names both values.
//
// Layer: pure. A policy can only tighten: afterwards a container may do nothing that it might not have done before.
// - Capabilities intersect, of two limits the lower holds, sysctls, devices and hooks are taken away.
// - What cannot be changed without changing what the bundle is for is refused (kind refused): a namespace of somebody else's,
//   a mount at a place that the policy closes, a real-time process.
// - Nothing is added to the mounts but masks, read-only paths, and a bounded tmpfs where the bundle had a writable root.
// - The seccomp profile of the bundle stays: the policy's is a second filter, and the kernel takes the stricter answer of the two
//   for each call. Both rule lists as one could not say that.
#pragma once

#include "base/result.hpp"
#include "policy/policy.hpp"
#include "spec/spec.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace brig::policy {

struct Change {
    std::string property; // "process.capabilities.bounding"
    std::string before;
    std::string after;
    std::string reason; // "the policy strict keeps no capabilities"
};

// What the meaning of an absent or relative limit depends on.
struct HostLimits {
    struct BlockDevice {
        int64_t major = 0;
        int64_t minor = 0;
    };
    uint64_t memory_bytes = 0;                // of the machine: a tmpfs without size takes half of it
    std::vector<BlockDevice> block_devices;   // whole disks, for resources.io
    std::vector<spec::Rlimit> callers_limits; // which a process without an entry of its own has
};

struct Tightened {
    spec::Spec spec;
    std::vector<Change> changes;
};

// The spec as it was read, before check_spec.
Result<Tightened> tighten(spec::Spec spec, const Policy& policy, const HostLimits& host);

// Several policies: afterwards the spec is as each of them wants it, but for variables of the environment that more than one
// sets. Changes are named in the order in which they were made.
Result<Tightened> tighten_all(spec::Spec spec, const std::vector<Policy>& policies, const HostLimits& host);

// A process alone, for exec: capabilities, no_new_privs, limits and environment hold there as well.
Result<std::vector<Change>> tighten_process(spec::Process& process, const Policy& policy, const HostLimits& host);

// New limits for a running container: values that are not named stay as they are, so nothing is added.
Result<std::vector<Change>> tighten_update(spec::Resources& resources, const Policy& policy);

// The policy's own filter: its profile, without the calls that it denies. Pure data; compiled with the bundle's.
spec::Seccomp filter_of(const Policy& policy, const spec::Seccomp& profile);

// Names that a profile lets through in some form, sorted, each once: what `brig policy show` counts.
std::vector<std::string> allowed_system_calls(const spec::Seccomp& profile);

} // namespace brig::policy
