// The parent's side of a start: one clone3, the conversation with the container's init (launch/protocol.hpp), the result.
//
// Runs in: the caller's process, single-threaded from clone to return. Ownership: Launched owns the pidfd, the channel and the
// terminal; a Launched that is dropped before start() ends the init (its channel closes).
#pragma once

#include "base/fd.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "cgroup/cgroup.hpp"
#include "launch/channel.hpp"
#include "launch/resident_init.hpp"
#include "plan/plan.hpp"
#include "setup/net_devices.hpp"
#include "setup/seccomp.hpp"

#include <functional>
#include <optional>
#include <string>
#include <sys/types.h>

namespace brig::launch {

struct Launched {
    pid_t pid = -1;
    Fd pidfd;
    Fd terminal; // the master, when it was asked for
    Channel channel;
    Fd network_namespace = Fd(); // these two with keep_network
    Fd user_namespace = Fd();

    // Lets the init go on to execve; returns when that has happened, or with the init's error.
    Result<> start();
    // Of a resident init: it serves from now on. Gives the descriptors of the directories that it was to open.
    Result<std::vector<Fd>> start_resident();
};

// After `start` was sent: returns when execve has closed the channel, or with the init's error.
Result<> wait_for_execve(const Channel& channel);

struct LaunchRequest {
    const plan::Plan& plan;
    FdRef console_socket{-1}; // the init sends the terminal there
    bool terminal_to_caller = false;
    FdRef start_listener{-1};                  // valid: the init waits there instead of on the channel
    FdRef until_execve{-1};                    // the init keeps it open until its program runs, or it ends
    bool child_of_callers_parent = false;      // CLONE_PARENT, for a forked worker of an event loop
    const ResidentRequest* resident = nullptr; // the init stays brig's own; process.args do not count
    // For who works on the container's network. Once the init has become another user, an ordinary caller may not open its
    // namespaces any more.
    bool keep_network = false;

    // The state document for hooks, with the init's pid; called when hooks are to run.
    HookState hook_state;
    // Called once, when the pid is known and before anything can fail for reasons of the image.
    std::function<Result<>(pid_t pid)> on_cloned;
    // Of a plan with a systemd unit: starts the unit with the init in it, called while the init works.
    std::function<Result<>(pid_t pid)> start_unit;
    // Gives the programs of linux.seccomp and of the policies, in this order; called while the init works.
    std::function<Result<std::vector<setup::SeccompProgram>>(const plan::Plan&)> filters_for;
};

struct LaunchOutcome {
    Launched launched;
    cgroup::Cgroup cgroup;
    std::optional<setup::MovedNetDevices> net_devices; // to be taken back when the start is given up
};

// Returns when the init waits for its start. On failure the init is dead and reaped, and the cgroup is removed.
Result<LaunchOutcome> launch(const LaunchRequest& request, const Log& log);

struct ExecLaunchRequest {
    const plan::Process& process;
    std::string id;
    FdRef init_pidfd{-1};
    pid_t follow_init = 0;   // not 0: into the v2 cgroup that this process moved itself to, should it have
    uint64_t namespaces = 0; // CLONE_NEW* to join
    const cgroup::Cgroup& cgroup;
    std::function<Result<>(pid_t process)> attach; // see SpawnPlan
    std::vector<setup::SeccompProgram> filters;
    const spec::Seccomp* seccomp_spec = nullptr; // where its listener goes
    HookState hook_state;
    FdRef console_socket{-1};
    bool terminal_to_caller = false;
    bool child_of_callers_parent = false;
};

// Returns when the process waits for Launched::start. It is a child of the caller (or of its parent).
Result<Launched> launch_exec(const ExecLaunchRequest& request, const Log& log);

} // namespace brig::launch
