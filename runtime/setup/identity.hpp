// Who the process is: capabilities, ids, groups, no_new_privs, labels, keyring, HOME.
//
// Runs in: the container's init (and exec's), as the last part before seccomp. Implements config.md "User", "Linux Process".
#pragma once

#include "base/fd.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "kernel/procfs.hpp"
#include "plan/plan.hpp"

#include <string>
#include <vector>

namespace brig::setup {

// setgroups, setgid, setuid with capabilities kept, then the five sets; ambient last. Bounding is dropped first, while
// CAP_SETPCAP is there. libcap does the work.
Result<> become_user(const plan::Process& process);
Result<> apply_no_new_privileges(const plan::Process& process);

// The label of the next execve: AppArmor's and SELinux's files below a verified procfs.
Result<> apply_labels(const kernel::Procfs& procfs, const plan::Process& process);

// "_ses.<id>" as runc names it; EPERM/ENOSYS from a host's seccomp profile is an error that says so, ENOSYS (no keyrings) is fine.
Result<> join_new_keyring(const std::string& container_id);

// Sets HOME from the container's /etc/passwd when `env` has none or an empty one; "/" when the user is not listed.
// Runs after the root was entered. The file is read with a limit; lines that are not passwd lines are skipped.
Result<> complete_home(std::vector<std::string>& env, uint32_t uid);

struct NamedUser {
    uint32_t uid = 0;
    uint32_t gid = 0;
};

} // namespace brig::setup
