// The child's side of a start: a table of steps from clone to the wait for `start`.
//
// Runs in: the cloned child, which becomes the container's init. It shares no memory with the launcher; what it needs it has by
// the copy that clone made. It never returns.
#pragma once

#include "base/fd.hpp"
#include "launch/channel.hpp"
#include "launch/resident_init.hpp"
#include "plan/plan.hpp"

#include <string>
#include <sys/types.h>
#include <vector>

namespace brig::launch {

struct InitRequest {
    const plan::Plan& plan;
    Conversation conversation;
    Channel channel;
    FdRef start_listener{-1};
    FdRef until_execve{-1};
    FdRef console_socket{-1};
    bool terminal_to_caller = false;
    bool join_namespaces = false; // no intermediate process has done it
    HookState hook_state;
    const ResidentRequest* resident = nullptr;
};

[[noreturn]] void run_container_init(InitRequest request);

// The steps' names in order, for `brig plan`.
std::vector<std::string> init_step_names(const plan::Plan& plan);

// Opens every namespace file and joins in the plan's order; used by the init and by the intermediate process.
Result<> join_planned_namespaces(const plan::Namespaces& namespaces);

Conversation conversation_of(const plan::Plan& plan, bool seccomp_notifies);

} // namespace brig::launch
