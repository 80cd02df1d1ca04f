// The limits that the launcher sets for its child: from a user namespace the child could not raise them itself, and here they
// cost the child no time.
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
    return setup::apply_oom_score(TRY(kernel::Procfs::open()), pid, process);
}

} // namespace brig::launch
