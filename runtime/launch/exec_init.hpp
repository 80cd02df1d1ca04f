// The child's side of exec: it is born inside the container's namespaces and cgroup.
//
// Runs in: the cloned child. It never returns.
#pragma once

#include "base/fd.hpp"
#include "launch/channel.hpp"
#include "plan/plan.hpp"
#include "setup/seccomp.hpp"

#include <optional>
#include <string>
#include <vector>

namespace brig::launch {

struct ExecInitRequest {
    const plan::Process& process;
    std::string id;
    Channel channel;
    std::vector<Fd> cgroup_files; // v1: to join by
    std::vector<setup::SeccompProgram> filters;
    FdRef console_socket{-1};
    bool terminal_to_caller = false;
    bool user_namespace = false; // become root of it first
};

[[noreturn]] void run_exec_init(ExecInitRequest request);

} // namespace brig::launch
