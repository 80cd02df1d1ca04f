// Who is who in a new user namespace: written from outside, by the launcher or by the setuid programs that the plan names.
//
// Runs in: the launcher, while the child waits for ids_mapped. The child is in no container yet, and its /proc files are the
// user's own: the programs look at that before they help.
#pragma once

#include "base/result.hpp"
#include "plan/plan.hpp"

#include <sys/types.h>

namespace brig::launch {

Result<> write_id_maps(pid_t pid, const plan::Namespaces& namespaces, bool deny_setgroups);

} // namespace brig::launch
