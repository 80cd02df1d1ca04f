// How the child comes to life: one clone3, directly or from an intermediate process that joins namespaces first.
//
// Runs in: the launcher; `child_main` in the child. The intermediate process is needed where setns changes only children (pid)
// or must come before the clone (user); the child is then cloned with CLONE_PARENT, so that it is the caller's child.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "plan/plan.hpp"

#include <functional>
#include <sys/types.h>

namespace brig::launch {

struct SpawnPlan {
    const plan::Namespaces* namespaces = nullptr; // of a new container; null for exec
    FdRef join_pidfd{-1};                         // exec: the init whose namespaces are joined
    uint64_t join_flags = 0;
    FdRef cgroup{-1}; // a cgroup v2 directory to be born in
    // exec: moves a process there where the caller may not; empty: nobody can.
    std::function<Result<>(pid_t process)> attach = {};
    bool child_of_callers_parent = false;
};

struct Spawned {
    pid_t pid = -1;
    Fd pidfd;
};

// `child_main` never returns; it is told whether the planned namespaces are joined already.
Result<Spawned> spawn_child(const SpawnPlan& plan, const std::function<void(bool namespaces_joined)>& child_main);

} // namespace brig::launch
