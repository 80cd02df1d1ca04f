// Refuses what cannot work, before anything is created: one table of small checks, each names the property, its value
// and the remedy.
//
// Layer: pure, so only what config.json alone can tell. What depends on the host (SELinux, AppArmor, cgroup version,
// whether a namespace path is the host's own) is decided by the plan. Errors: kind invalid.
//
// Accepted on purpose, because runc accepts it: a relative mount destination (taken from "/"), duplicate environment
// entries (the last one wins), ambient capabilities outside of permitted and inheritable (`runc spec` writes such a
// list; the kernel cannot raise them, so the plan drops them with a warning), line breaks in values of
// linux.resources.unified (one write for each line), a joined user namespace together with ID mappings.
#pragma once

#include "base/result.hpp"
#include "spec/spec.hpp"

namespace brig::spec {

// The whole of config.json, for `create`, `run` and `restore`.
Result<> check_spec(const Spec& spec);

// The process alone, for `exec`.
Result<> check_process(const Process& process);

// The resources alone, for `update`.
Result<> check_resources(const Resources& resources);

// A profile by itself. Errors name it as linux.seccomp.
Result<> check_seccomp(const Seccomp& seccomp);

} // namespace brig::spec
