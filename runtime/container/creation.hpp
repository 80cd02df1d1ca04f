// Private to runtime/container: parts that create, exec and delete share.
#pragma once

#include "base/result.hpp"
#include "container/context.hpp"
#include "container/lifecycle.hpp"
#include "container/policies.hpp"
#include "container/state_store.hpp"
#include "kernel/pid_namespace.hpp"
#include "setup/seccomp.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace brig::container {

struct PlannedContainer {
    spec::Spec spec;
    plan::Plan plan;
    std::unique_ptr<cgroup::SystemdManager> systemd; // with the driver systemd
    ChosenPolicies policies;                         // the spec is tightened by them
    std::unique_ptr<Guard> guard;                    // keeps what they say beyond that; none: nothing

    // Its own /etc/resolv.conf; empty: none.
    std::string resolver_configuration() const { return guard ? guard->resolver_configuration() : std::string(); }
};

// config -> check -> plan; nothing is made.
Result<PlannedContainer> plan_from(const Context& context, const CreateRequest& request);

// A terminal needs somebody who takes it, and a console socket a terminal.
Result<> check_terminal_request(const plan::Plan& plan, const CreateRequest& request);

// The programs of the bundle's profile and of the policies', compiled or kept from an earlier start; copies stay in the state
// directory for exec.
Result<std::vector<setup::SeccompProgram>> filters_for(const Context& context, const StateDirectory& directory,
                                                       const plan::Plan& plan);
// config.json, and the policies if there are any.
Result<> keep_configuration(const StateDirectory& directory, const std::string& config_text, const PlannedContainer& planned);

// Beside the init, if the policies need one; its pid goes into the record, which is as it will be kept but for that. The caller
// fills in descriptors alone.
Result<> start_guard(const PlannedContainer& planned, const Log& log, Guarded guarded, Record& record);

// What is known before anything is made.
Record first_record(const PlannedContainer& planned);

// Written beside and renamed: whoever waits for the file finds the whole number.
Result<> write_pid_file(const std::string& path, pid_t pid);

// Opens the init's pidfd and makes sure that it is still that process. Kind wrong_state when it has ended.
Result<Fd> open_init(const Record& record);

// Of a container without a cgroup: by its pid namespace. Kind not_supported when it has none of its own.
Result<std::vector<kernel::Member>> processes_without_cgroup(const Record& record);

// pause, update and events need a cgroup: kind not_supported for a container without one, naming what cannot be done.
Result<> check_has_cgroup(const Record& record, std::string_view purpose);

} // namespace brig::container
