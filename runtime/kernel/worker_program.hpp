// A program that the caller talks with while it runs (criu swrk), with descriptors of the caller's choice.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "kernel/child_process.hpp"

#include <functional>
#include <string>
#include <vector>

namespace brig::kernel {

struct WorkerRequest {
    FdRef executable{-1};
    std::vector<std::string> args; // argv[0] included
    std::vector<std::string> environment;
    std::vector<int> descriptors; // become 0, 1, 2 ... of the program; it has no others
    int cgroup = -1;              // of cgroup v2, to be born in
    // Runs in the child before anything else; an error of it comes back from start_worker.
    std::function<Result<>()> prepare;
};

// Returns when the program's execve has succeeded. The caller waits for the child.
Result<CloneOutcome> start_worker(const WorkerRequest& request);

} // namespace brig::kernel
