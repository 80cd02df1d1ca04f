// Private to runtime/container: parts that create, exec and delete share.
#pragma once

#include "base/result.hpp"
#include "container/context.hpp"
#include "container/lifecycle.hpp"
#include "container/state_store.hpp"
#include "setup/seccomp.hpp"

#include <string>
#include <sys/types.h>

namespace brig::container {

struct PlannedContainer {
    spec::Spec spec;
    plan::Plan plan;
};

// config -> check -> plan; nothing is made.
Result<PlannedContainer> plan_from(const Context& context, const CreateRequest& request);

// A terminal needs somebody who takes it, and a console socket a terminal.
Result<> check_terminal_request(const plan::Plan& plan, const CreateRequest& request);

// The program of a profile, compiled or kept from an earlier start; a copy stays in the state directory for exec.
Result<setup::SeccompProgram> filter_for(const Context& context, const StateDirectory& directory, const spec::Seccomp& profile);

// What is known before anything is made.
Record first_record(const PlannedContainer& planned);

// Written beside and renamed: whoever waits for the file finds the whole number.
Result<> write_pid_file(const std::string& path, pid_t pid);

// Opens the init's pidfd and makes sure that it is still that process. Kind wrong_state when it has ended.
Result<Fd> open_init(const Record& record);

} // namespace brig::container
