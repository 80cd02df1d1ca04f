// What every operation on containers is given by its front end: nothing here is read from argv or the environment.
#pragma once

#include "base/log.hpp"
#include "cgroup/systemd_manager.hpp"
#include "container/guarding.hpp"
#include "kernel/host_facts.hpp"
#include "plan/plan.hpp"
#include "policy/policy.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace brig::container {

struct Context {
    std::string state_root;         // absolute, e.g. "/run/brig"
    bool sticky_state_root = false; // below $XDG_RUNTIME_DIR, from which what is old and not sticky may be removed
    plan::CgroupDriver cgroup_driver = plan::CgroupDriver::file_system;
    cgroup::UserSession session; // where an ordinary user's own systemd is
    bool rootless = false;       // a user's bundle without user namespace gets one
    std::string build;           // identifies the running program: what another one compiled is not used; empty: unknown
    // Policies: see container/policy_files.hpp.
    std::string policy;                                       // the caller's choice; empty: the host's default
    std::function<std::vector<std::string>()> policy_folders; // called when a policy is looked for
    std::string host_settings_file;                           // "/etc/brig/config.json"
    // Limits that policies need not keep: the caller names them, and this host cannot (`brig sandbox --best-effort`).
    std::vector<std::optional<uint64_t> policy::Resources::*> unkept_limits;
    MakeGuard make_guard; // unset: the caller keeps the policies' limits itself
    Log log;
};

} // namespace brig::container
