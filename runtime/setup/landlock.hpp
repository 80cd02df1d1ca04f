// A policy's Landlock rules: what a container's process may read, write and execute, by path inside.
//
// Runs in: the init and the process of exec, inside the root, with no_new_privs set, as late as the last filter. Files that are
// open already, like stdin, stay usable.
#pragma once

#include "base/result.hpp"
#include "policy/policy.hpp"

namespace brig::setup {

// Kind not_supported when this kernel's Landlock is missing or too old to deny all ways of writing (version 3, Linux 6.2).
Result<> check_landlock();

// A path that is missing, a symbolic link or out of the user's reach has no rule, so that what lies there is denied: the image
// must not widen a rule by a link.
Result<> apply_landlock(const policy::Landlock& rules);

} // namespace brig::setup
