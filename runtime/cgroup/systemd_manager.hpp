// systemd's manager, the system's or a user's own: units for containers are started, changed and stopped.
//
// Runs in: the launcher and the verbs, with the driver systemd only. Waits for systemd's jobs by its signals, for a bounded time.
// Errors: not_supported where no manager can be reached; already_exists for a unit of that name; system, with systemd's own words,
// which name the property, for what it refuses; timed_out.
#pragma once

#include "base/json.hpp"
#include "base/result.hpp"
#include "cgroup/bus_connection.hpp"
#include "plan/plan.hpp"

#include <optional>
#include <string>
#include <sys/types.h>

namespace brig::cgroup {

// What the caller's environment says about the user's own manager.
struct UserSession {
    std::string runtime_directory; // $XDG_RUNTIME_DIR
    std::string bus_address;       // $DBUS_SESSION_BUS_ADDRESS
};

// What the state file keeps of a container's unit.
struct UnitIdentity {
    std::string name;
    std::string description; // another unit of that name is not the container's
    bool of_user = false;
};

UnitIdentity identity_of(const plan::SystemdUnit& unit);
Json unit_to_json(const UnitIdentity& unit);
Result<UnitIdentity> unit_from_json(JsonView view);

// The sockets of a session, best first, with what listens there. Pure.
struct ManagerSocket {
    std::string path;
    BusConnection::Peer peer;
};
std::vector<ManagerSocket> manager_sockets(bool of_user, const UserSession& session);

class SystemdManager {
public:
    static Result<SystemdManager> connect(bool of_user, const UserSession& session);

    // Where the manager's own cgroup is: its units' are below.
    Result<std::string> control_group();

    // Returns when the unit has started, with `process` in it; slices take no process.
    Result<> start_unit(const plan::SystemdUnit& unit, pid_t process);
    // All of them or none; they last as long as the unit.
    Result<> set_properties(const std::string& unit, const std::vector<plan::UnitProperty>& properties);

    // Moves a process of the caller's into the unit, wherever it is.
    Result<> attach(const std::string& unit, pid_t process);

    enum class Owner { nobody, container, somebody_else };
    Result<Owner> owner_of(const UnitIdentity& unit);
    // Returns when it has stopped. One that is gone, or somebody else's, is fine and left alone.
    Result<> stop_unit(const UnitIdentity& unit);

private:
    SystemdManager(BusConnection connection) : m_connection(std::move(connection)) {}

    Result<std::string> text_property(const std::string& path, const char* interface, const char* name);
    Result<> wait_for_job(const BusMessage& reply, const std::string& unit);

    BusConnection m_connection;
};

// The arguments of StartTransientUnit and of SetUnitProperties. Pure.
std::string transient_unit_arguments(const plan::SystemdUnit& unit, pid_t process);
std::string unit_property_arguments(const std::string& unit, const std::vector<plan::UnitProperty>& properties);

// A unit's object path: "/org/freedesktop/systemd1/unit/brig_2dweb_2escope".
std::string unit_object_path(std::string_view unit);

} // namespace brig::cgroup
