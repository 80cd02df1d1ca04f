// A container's cgroup: made, limited, joined, watched and removed, on v2, v1 and hybrid hosts.
//
// Runs in: the launcher and the verbs; join_by_tasks in the child. The planned writes come from plan/cgroup_plan.hpp (pure).
// Errors: kind system naming the file and the value that the kernel refused; kind not_supported for a missing controller.
// Ownership: Cgroup is a value (its paths); directories live in the kernel until remove().
#pragma once

#include "base/fd.hpp"
#include "base/json.hpp"
#include "base/result.hpp"
#include "plan/plan.hpp"
#include "spec/spec.hpp"

#include <functional>
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
    // On failure everything made here is removed again. An existing directory is used (Kubernetes makes pods' cgroups
    // first), but one that holds processes or is frozen is refused, as in runc. With a systemd unit, which was started before
    // and has the name for itself, the unit's own directories must exist.
    static Result<Cgroup> create(const plan::Cgroup& plan);
    static Cgroup at(std::vector<Location> locations) { return Cgroup(std::move(locations)); }

    const std::vector<Location>& locations() const { return m_locations; }
    bool empty() const { return m_locations.empty(); }
    bool has_unified() const { return unified() != nullptr; }

    // New limits for a running container; devices stay as they are. Values that are not named stay, too. When one cannot be set,
    // those before it are taken back. `tell_systemd`, with the properties of the container's unit, is called in between:
    // what it fails with, update fails with, and the exact values are written again after it.
    using TellSystemd = std::function<Result<>(const std::vector<plan::UnitProperty>&)>;
    Result<> update(const spec::Resources& resources, const TellSystemd& tell_systemd = {}) const;

    // For clone3(CLONE_INTO_CGROUP): the v2 directory, or an invalid descriptor where there is none.
    Result<Fd> open_unified_directory() const;
    // The v2 cgroup that `process` is in now, when it is this one or below: a container that manages cgroups itself
    // (systemd, BuildKit) moves its init down, and then cgroup v2 takes no process into the cgroup above.
    Result<Fd> open_unified_directory_of(pid_t process) const;
    // That systemd put `process` where the plan has the cgroup.
    Result<> check_member(pid_t process) const;
    // Adds what the kernel means by a failed clone3 into, or a failed write to cgroup.procs of, the v2 directory.
    Error explain_join_failure(Error error) const;
    // v1: the `tasks` files, opened for writing by the launcher; the child writes "0" to each (join_by_tasks). A single-threaded
    // process moved so skips the kernel's thread-group lock (docs/performance.md). The v2 directory (cgroup.procs, which is
    // slower) is left out when the child was cloned into it.
    Result<std::vector<Fd>> open_join_files(bool cloned_into_unified) const;
    // A sub-cgroup that exists already ("exec --cgroup"); ".." is refused.
    Result<Cgroup> below(const std::string& path) const;
    // v2: gives the directory and the files that the kernel lists as delegatable to `owner` (config-linux.md "Cgroup
    // ownership"); v1 directories are never given away.
    Result<> delegate(uid_t owner) const;

    Result<std::vector<pid_t>> processes() const; // of the cgroup and all below it
    // SIGKILL: cgroup.kill where there is cgroup v2. Else and for other signals every process is signalled while the cgroup
    // is frozen, so that none is missed. A frozen cgroup is thawed for SIGKILL only. Missing directories are fine.
    Result<> kill_all(int signal) const;
    // rmdir bottom-up in each hierarchy; waits for cgroup.events `populated 0` (v2) or the processes' pidfds (v1), no fixed sleep.
    // Missing directories are fine. `milliseconds` bounds the wait.
    Result<> remove(int64_t milliseconds) const;

    // Pause and resume. freeze() waits until every process has stopped; when it takes longer the cgroup is thawed again
    // and the error is of kind timed_out. not_supported: neither cgroup v2 nor the freezer of v1.
    Result<> freeze(int64_t milliseconds) const;
    Result<> thaw() const;
    Result<bool> frozen() const; // by freeze(), not by a frozen parent

private:
    explicit Cgroup(std::vector<Location> locations) : m_locations(std::move(locations)) {}

    const Location* unified() const;
    const Location* with_v1(const std::string& controller) const;
    Result<> signal_each(int signal) const;

    std::vector<Location> m_locations;
};

// Runs in the child: writes "0" into each file.
Result<> join_by_tasks(const std::vector<Fd>& files);

// Where the planned directories are, whether they exist or not.
std::vector<Location> locations_of(const plan::Cgroup& plan);

// Serialization for the state file. Reading refuses locations that name a root cgroup or climb with "..": what is in them
// gets killed and removed.
Json locations_to_json(const std::vector<Location>& locations);
Result<std::vector<Location>> locations_from_json(JsonView view);

} // namespace brig::cgroup
