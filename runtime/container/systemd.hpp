// Private to runtime/container: what the driver systemd adds to create and delete.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "cgroup/systemd_manager.hpp"
#include "container/context.hpp"
#include "container/state_store.hpp"

#include <memory>
#include <string>
#include <sys/types.h>
#include <utility>

namespace brig::container {

// No two containers have the same one at a time.
std::string unit_description(const Context& context, const std::string& id);

// The manager that starts units for this caller: the system's for the host's root, else the user's own. Adds to the facts what the
// plan needs to know of it.
Result<std::unique_ptr<cgroup::SystemdManager>> connect_to_systemd(const Context& context, HostFacts& facts);

// Before anything in the cgroup of a container without init is touched. A create that ended before it started its unit may have
// named one that is somebody else's, and a unit that has ended leaves its name to others. The record forgets its cgroup then.
Result<> forget_foreign_unit(const Context& context, Record& record);

// A process that does nothing, so that a scope can be started before the container's processes are there.
class ScopeKeeper {
public:
    static Result<ScopeKeeper> start();
    ScopeKeeper(ScopeKeeper&&) = default;
    ScopeKeeper& operator=(ScopeKeeper&& other) noexcept;
    ~ScopeKeeper() { end(); }

    pid_t pid() const { return m_pid; }

private:
    ScopeKeeper(pid_t pid, Fd stays_open) : m_pid(pid), m_stays_open(std::move(stays_open)) {}
    void end();

    pid_t m_pid;
    Fd m_stays_open; // the process ends when this does
};

// After the processes have ended: the unit, if there is one, and the cgroup in all hierarchies. systemd drops an empty scope by
// itself: where it cannot be reached that is a warning. `milliseconds` bounds the wait for the cgroup to be empty.
Result<> remove_cgroup_of(const Context& context, const Record& record, int64_t milliseconds);

} // namespace brig::container
