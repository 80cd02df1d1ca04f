// The limits that the launcher sets for a child in a user namespace, which could not raise them itself. The child waits for it
// (ids_mapped) and has not changed its user yet: without CAP_SYS_RESOURCE prlimit works only between equal users.
#pragma once

#include "base/result.hpp"
#include "kernel/procfs.hpp"
#include "plan/plan.hpp"
#include "setup/limits.hpp"

namespace brig::launch {

inline Result<> apply_launchers_limits(pid_t pid, const plan::Process& process)
{
    TRY(setup::apply_rlimits(pid, process));
    if (!process.oom_score_adj)
        return {};
    return setup::apply_oom_score(TRY(kernel::Procfs::of_host()), pid, process);
}

} // namespace brig::launch
