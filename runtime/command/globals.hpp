// The options before the verb, and what they say together with the environment.
#pragma once

#include "command/log_output.hpp"
#include "command/options.hpp"
#include "container/context.hpp"

namespace brig::command {

Options global_options();

LogSettings log_settings(const Arguments& globals);
// Wrong values that log_settings passes over so that the error itself can be logged.
Result<> check_globals(const Arguments& globals);

// Root, and not that of a user namespace.
bool is_host_root();

// Absolute. --root; otherwise /run/brig, or $XDG_RUNTIME_DIR/brig for who is not the host's root.
Result<std::string> state_root(const Arguments& globals);

// For verbs that change a container.
Result<container::Context> make_context(const Arguments& globals, Log log);
// For verbs that only ask: rootless stays false, which saves them reading /proc.
Result<container::Context> make_query_context(const Arguments& globals, Log log);

} // namespace brig::command
