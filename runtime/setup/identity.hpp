// Who the process is: capabilities, ids, groups, no_new_privs, labels, keyring, HOME, and the ownership of its stdio.
//
// Runs in: the container's init (and exec's), as the last part before seccomp. Implements config.md "User", "Linux Process".
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "kernel/procfs.hpp"
#include "plan/plan.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace brig::setup {

// setgroups, setgid, setuid with capabilities kept, then the five sets; ambient last. Bounding is dropped first, while
// CAP_SETPCAP is there. libcap does the work.
Result<> become_user(const plan::Process& process);

// In a user namespace, before anything is set up in it: its root, or the process's own user where 0 is not mapped; the groups of
// the caller go. The powers over the namespace come from being in it first, and stay.
Result<> become_namespace_root(const plan::Process& process);

// Nothing where the user namespace forbids it and the process asks for no groups; else an error that says so.
Result<> set_supplementary_groups(const plan::Process& process, const std::vector<gid_t>& groups);
Result<> apply_no_new_privileges(const plan::Process& process);

// The label of the next execve: AppArmor's and SELinux's files below a verified procfs.
Result<> apply_labels(const kernel::Procfs& procfs, const plan::Process& process);

// "_ses.<id>" as runc names it, searchable by the container's user. A kernel without keyrings (ENOSYS) is fine; a refusal by
// a host's seccomp profile is an error.
Result<> join_new_keyring(const std::string& container_id);
// The same when the process plans it, with its SELinux label on the keyring.
Result<> join_new_keyring(const kernel::Procfs& procfs, const std::string& container_id, const plan::Process& process);

// Gives stdin, stdout and stderr to the process's user, so that it can open /dev/stdout again; the group stays. Those that are
// the host's /dev/null, which all its processes share, become the container's own instead. As runc does.
Result<> give_stdio_to_user(const plan::Process& process);

// Sets HOME from the container's /etc/passwd when `env` has none or an empty one; "/" when the user is not listed.
// Runs after the root was entered. The file is read with a limit; lines that are not passwd lines are skipped.
Result<> complete_home(std::vector<std::string>& env, uint32_t uid);
// The home directory of the first entry with this uid; empty when there is none.
std::string home_from_passwd(std::string_view passwd, uint32_t uid);

} // namespace brig::setup
