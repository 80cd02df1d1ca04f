// Making children, watching them by pidfd, ending them.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <csignal>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace brig::kernel {

struct CloneRequest {
    uint64_t flags = 0; // CLONE_NEW*, CLONE_PARENT; CLONE_PIDFD is always added
    int exit_signal = SIGCHLD;
    int cgroup = -1; // descriptor of a cgroup v2 directory: CLONE_INTO_CGROUP
};

struct CloneOutcome {
    bool in_child = false; // the same call returns in both processes
    pid_t pid = -1;        // in the caller's pid namespace
    Fd pidfd;
};

// clone3(2), as fork: the child has a copy of memory and descriptors. The caller must be single-threaded or the child
// must only use what is safe after fork.
Result<CloneOutcome> clone_process(const CloneRequest& request);

struct ExitStatus {
    bool signaled = false;
    int value = 0; // exit code or signal number

    // 128 + signal, as shells and runc report it.
    int as_exit_code() const { return signaled ? 128 + value : value; }
};

Result<ExitStatus> wait_for(pid_t pid);
// Reaps if it has ended; nullopt while it runs.
Result<std::optional<ExitStatus>> wait_without_blocking(pid_t pid);

Result<Fd> pidfd_open(pid_t pid);
Result<> pidfd_send_signal(FdRef pidfd, int signal);
// Whether this process may use both: not_supported tells what is missing.
Result<> check_signals();
// True when the process has ended within the time (a pidfd is readable then); negative waits forever.
Result<bool> wait_for_end(FdRef pidfd, int64_t milliseconds);
Result<> send_signal(pid_t pid, int signal);

struct SpawnRequest {
    std::string path;
    std::vector<std::string> args; // argv[0] included
    std::vector<std::string> environment;
    std::string input; // stdin reads this text
    int64_t timeout_milliseconds = -1;
    std::string working_directory; // empty: the caller's
};

struct SpawnOutcome {
    ExitStatus status;
    bool timed_out = false; // it was killed
    std::string output;     // the last 4 KiB of stdout and stderr
};

// Runs a program to its end (hooks). Its descriptors are only 0, 1 and 2; signals and masks are the defaults.
Result<SpawnOutcome> run_program(const SpawnRequest& request);

// Runs what `execute` executes to its end, with this process's streams but for stdout, which is its stderr: words for people beside
// a result of ours. It is told to end (TERM) when this process dies.
Result<ExitStatus> run_beside(const std::function<Error()>& execute);
// Of this process, as execute takes it.
std::vector<std::string> own_environment();

// execveat by path. Returns only on failure.
Error execute(const std::string& path, const std::vector<std::string>& args, const std::vector<std::string>& environment);
Error execute_descriptor(FdRef file, const std::vector<std::string>& args, const std::vector<std::string>& environment);

[[noreturn]] void exit_now(int code); // _exit: no destructors, no flushes

} // namespace brig::kernel
