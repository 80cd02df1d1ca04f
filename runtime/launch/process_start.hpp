// The last part of a start, the same for a container's init and for exec: from "everything is set up" to execve.
//
// Runs in: the child. A StartContext lives on the child's stack; nothing here returns to the launcher's code.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "kernel/procfs.hpp"
#include "kernel/terminal.hpp"
#include "launch/channel.hpp"
#include "launch/resident_init.hpp"
#include "plan/plan.hpp"
#include "setup/seccomp.hpp"

#include <optional>
#include <string>
#include <vector>

namespace brig::launch {

struct StartContext {
    const plan::Process& process;
    std::string id;
    Channel channel;             // to the launcher
    FdRef start_listener{-1};    // valid: `start` comes through a connection to it
    FdRef until_execve{-1};      // close-on-exec; whoever has the other end learns that the program runs
    bool limits_are_set = false; // by the launcher: from a user namespace this process could not raise them
    bool terminal_to_caller = false;
    Fd console_socket;                          // this process's own copy
    std::vector<setup::SeccompProgram> filters; // in the order in which they are loaded: the bundle's, the policies'
    const std::vector<spec::Hook>* start_container_hooks = nullptr;
    std::string hook_state;                    // for startContainer
    const ResidentRequest* resident = nullptr; // stays and runs programs instead of becoming one

    // Filled on the way.
    std::optional<kernel::TerminalPair> terminal;
    std::optional<kernel::Procfs> procfs; // opened when something needs it
    std::vector<std::string> environment;
    std::string executable;

    Result<kernel::Procfs*> verified_procfs();
};

// Scheduling, keyring, working directory, HOME, labels, identity and the checks of the program . Then the process is what it
// will be, but for the filter with no_new_privs.
Result<> become_process(StartContext& context);

// Closes every descriptor but 0-2, the preserved ones and those that the context needs.
Result<> close_other_descriptors(const StartContext& context, const std::vector<int>& also_kept);

// Announces `ready`, waits for `start`, runs startContainer hooks, loads the filter, calls execve.
// Returns only the error. After `ready` the launcher may be gone.
Error announce_and_execute(StartContext& context);

// Tells whoever waits for the start and ends the process.
[[noreturn]] void report_and_exit(StartContext& context, const Error& error);

// Several, for the message and for the state directory.
std::string encode_programs(const std::vector<setup::SeccompProgram>& programs);
Result<std::vector<setup::SeccompProgram>> decode_programs(std::string_view bytes);

std::string encode_program(const setup::SeccompProgram& program);
Result<setup::SeccompProgram> decode_program(std::string_view bytes);

} // namespace brig::launch
