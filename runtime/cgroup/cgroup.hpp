// A container's cgroup: made, limited, joined, watched and removed, on v2, v1 and hybrid hosts.
//
// Runs in: the launcher and the verbs; `join` in the child. The planned writes come from plan/cgroup_plan.hpp (pure).
// Errors: kind system naming the file and the value that the kernel refused; kind not_supported for a missing controller.
// Ownership: Cgroup is a value (its paths); directories live in the kernel until remove().
#pragma once

#include "base/fd.hpp"
#include "base/json.hpp"
#include "base/result.hpp"
#include "base/rollback.hpp"
#include "plan/plan.hpp"

#include <string>
#include <sys/types.h>
#include <vector>

namespace brig::cgroup {

// What the state file keeps: enough to find everything again without config.json.
struct Location {
    std::string mount_point;
    std::string path;
    std::vector<std::string> controllers;
    bool unified = false;

    std::string directory() const { return mount_point + path; }
};

class Cgroup {
public:
    Cgroup() = default; // no cgroup: every call succeeds and does nothing

    // mkdir in every hierarchy, controllers enabled on the way, limits written in order, device filter attached.
    // On failure everything made here is removed again. An existing directory is used (Kubernetes' pod parents exist),
    // but one that holds processes is refused, as runc does, unless `allow_populated`.
    static Result<Cgroup> create(const plan::Cgroup& plan);
    static Cgroup at(std::vector<Location> locations) { return Cgroup(std::move(locations)); }

    const std::vector<Location>& locations() const { return m_locations; }
    bool empty() const { return m_locations.empty(); }

    // For clone3(CLONE_INTO_CGROUP): the v2 directory, or an invalid descriptor where there is none.
    Result<Fd> open_unified_directory() const;
    // v1: the `tasks` files, opened for writing by the launcher; the child writes "0" to each (join_by_tasks). A single-threaded
    // process moved so skips the kernel's thread-group lock (docs/performance.md). v2 directories are left out when the
    // child was cloned into them.
    Result<std::vector<Fd>> open_join_files(bool cloned_into_unified) const;

    Result<std::vector<pid_t>> processes() const; // of the cgroup and all below it
    // Kills everything inside: cgroup.kill, or freeze + kill loop on v1. A frozen cgroup is thawed as needed.
    Result<> kill_all(int signal) const;
    // rmdir bottom-up in each hierarchy; waits for cgroup.events `populated 0` (v2) or the processes' pidfds (v1), no fixed sleep.
    // Missing directories are fine. `milliseconds` bounds the wait.
    Result<> remove(int64_t milliseconds) const;
    Result<bool> frozen() const;

private:
    explicit Cgroup(std::vector<Location> locations) : m_locations(std::move(locations)) {}
    std::vector<Location> m_locations;
};

// Runs in the child: writes "0" into each file.
Result<> join_by_tasks(const std::vector<Fd>& files);

// Serialization for the state file.
Json locations_to_json(const std::vector<Location>& locations);
Result<std::vector<Location>> locations_from_json(JsonView view);

} // namespace brig::cgroup
