// Runs the hooks of the specification: state on stdin, time limit, the first failure stops.
//
// Runs in: the launcher (prestart, createRuntime, poststart, poststop) or the container's init (createContainer, startContainer).
// Implements config.md "POSIX-platform Hooks".
#pragma once

#include "base/log.hpp"
#include "base/result.hpp"
#include "spec/spec.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace brig::setup {

struct HookRun {
    std::string_view kind;         // the JSON name ("createRuntime"), for messages
    std::string state;             // the container's state as JSON, given on stdin
    std::string working_directory; // the specification leaves it open; runc's is the bundle. Empty: the caller's
};

// The error reads "error running createRuntime hook #0: exit status 1, ..." with the end of the hook's output.
Result<> run_hooks(const HookRun& run, const std::vector<spec::Hook>& hooks);
// For poststart and poststop: every hook runs; failures become warnings.
void run_hooks_and_warn(const HookRun& run, const std::vector<spec::Hook>& hooks, const Log& log);

} // namespace brig::setup
