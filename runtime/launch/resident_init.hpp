// The init of a sandbox: process 1 of the pid namespace stays brig. It starts programs when its supervisor says so and reaps.
//
//   supervisor                                     resident init
//   -----------------------------------------------------------------------------------------------------------
//   start ---------------------------------------> opens the watched directories
//          <-------------------------------------- resident [a descriptor for each of them]
//   run_program {order} [stdin, stdout, stderr] -> forks; filter, execve
//          <-------------------------------------- program_runs {number} [pidfd, terminal's master if any]
//                                                  or program_failed {number, error}
//          <-------------------------------------- program_ended {number, status}      whenever it has ended
//   signal_all {signal} -------------------------> kill(-1): everything in the sandbox but this process
//   (closed: the supervisor is dead) ------------> exits, and the kernel kills everything else with it
//
// Why a process of brig's and not the program itself: a program can undo its own PR_SET_PDEATHSIG and outlive its supervisor,
// process 1 of a pid namespace cannot be signalled from inside, and a further program costs one fork instead of joining all
// namespaces. It is the user inside that all programs are, without capabilities, and not dumpable: no program can trace it
// or read its memory, descriptors or /proc files. It reads nothing that a program wrote.
//
// Runs in: the container's init, after everything that makes it the container's process. ResidentInit in the supervisor.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "kernel/child_process.hpp"
#include "launch/channel.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace brig::launch {

struct StartContext;

struct ResidentRequest {
    std::vector<std::string> directories; // inside; their descriptors come with `resident`
    FdRef kept{-1};                       // stays open as long as the sandbox lives, such as a lock
};

struct ProgramOrder {
    uint64_t number = 0;               // of the supervisor's choice
    std::vector<std::string> programs; // the first that is found: {"bash", "sh"}
    std::vector<std::string> arguments;
    std::vector<std::string> environment;
    std::string cwd;
    bool terminal = false; // a new one instead of the three descriptors
    uint16_t rows = 24;
    uint16_t columns = 80;
};

struct ProgramEnd {
    uint64_t number = 0;
    kernel::ExitStatus status;
};

// Pure. Kind internal for bytes that are no such message.
std::string encode_order(const ProgramOrder& order);
Result<ProgramOrder> decode_order(std::string_view bytes);
std::string encode_end(const ProgramEnd& end);
Result<ProgramEnd> decode_end(std::string_view bytes);

// In the init, after `start` was received; returns only the error that ends it. Programs get the filter of the context.
Error run_resident_init(StartContext& context, const ResidentRequest& request);

} // namespace brig::launch
