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

// `kind` is the JSON name ("createRuntime"), for messages. `state` is the container state JSON. The error names the hook's
// path and index, its exit status and the end of its output.
Result<> run_hooks(std::string_view kind, const std::vector<spec::Hook>& hooks, const std::string& state);
// For poststart and poststop: every hook runs; failures become warnings.
void run_hooks_and_warn(std::string_view kind, const std::vector<spec::Hook>& hooks, const std::string& state, const Log& log);

} // namespace brig::setup
