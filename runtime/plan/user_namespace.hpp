// User namespaces of callers without privilege: a namespace for a bundle that has none, and who writes the id maps.
//
// Layer: pure. The kernel lets an ordinary user map one id, his own; more is written by newuidmap and newgidmap after a look
// into /etc/subuid and /etc/subgid. What they would refuse is refused here, in words. See user_namespaces(7).
#pragma once

#include "base/result.hpp"
#include "kernel/host_facts.hpp"
#include "plan/plan.hpp"
#include "spec/spec.hpp"

#include <optional>

namespace brig::plan {

// A bundle without user namespace gets one that makes the caller its root, when he could not start it otherwise: with all his
// subordinate ids after it if he has any, else with his own id alone. A devpts group that does not exist for such a container
// (or in the user namespace that root runs brig in) is left out.
// Kind not_supported: process.user needs ids that the caller does not have.
Result<> adapt_to_caller(spec::Spec& spec, const HostFacts& facts);

// Decides who writes the maps of a new user namespace and whether its processes may set groups. Kind not_supported: the ids are
// not the caller's to give; the hint names the command that changes it.
struct IdMapWriters {
    std::string host_newuidmap; // empty: the launcher
    std::string host_newgidmap;
    bool set_groups = true;
};
Result<IdMapWriters> choose_id_map_writers(const spec::Linux& linux, const HostFacts& facts);

// The user and groups of the process have to be mapped in its new user namespace. Kind invalid.
Result<> check_ids_mapped(const spec::User& user, const spec::Linux& linux);

// The ids without a user namespace of the container's own: those of the caller's. Kind invalid.
Result<> check_ids_exist(const spec::User& user, const HostFacts& facts);

// The first part of `wanted` that no range of `owned` has.
std::optional<IdRange> first_missing(IdRange wanted, const std::vector<IdRange>& owned);

} // namespace brig::plan
