// Attributes of the calling process: identity, limits, privileges, working directory.
//
// Runs in: mostly the container's init, between clone and exec. Errors: kind system.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <sys/resource.h>
#include <sys/types.h>
#include <vector>

namespace brig::kernel {

Result<> set_ids(uid_t uid, gid_t gid); // real, effective and saved; groups first
Result<> set_groups(const std::vector<gid_t>& groups);
Result<> set_keep_capabilities(bool on); // PR_SET_KEEPCAPS
Result<> set_no_new_privileges();
Result<> set_dumpable(bool on);
Result<> set_parent_death_signal(int signal);
Result<> set_child_subreaper(bool on);
Result<> set_resource_limit(int resource, uint64_t soft, uint64_t hard);
Result<struct rlimit> resource_limit(int resource);
Result<> set_oom_score_adjustment(FdRef proc_self, int value); // proc_self: /proc/self of a verified procfs
mode_t set_umask(mode_t mask);

Result<> change_directory(const std::string& path);
Result<> change_directory(FdRef directory);
// The raw system call: a directory outside the root gives "(unreachable)/..." which libc hides (CVE-2024-21626).
Result<std::string> current_directory();
Result<> pivot_root(const std::string& new_root, const std::string& put_old);
Result<> change_root(const std::string& path);

Result<> set_hostname(const std::string& name);
Result<> set_domainname(const std::string& name);
Result<> new_session(); // setsid
Result<> set_controlling_terminal(FdRef terminal);
Result<> join_session_keyring(const std::string& name);
Result<> set_personality(unsigned long persona);
Result<> reset_cpu_affinity(); // to all CPUs that the cpuset allows
Result<> set_process_name(const std::string& name); // PR_SET_NAME, at most 15 bytes

// Closes or marks close-on-exec all descriptors >= first.
Result<> close_descriptors_from(unsigned first);
Result<> mark_close_on_exec_from(unsigned first);
Result<> duplicate_onto(FdRef from, int to); // dup2: `to` survives exec
Result<> reset_signals(); // default handlers, empty mask

uid_t effective_uid();
gid_t effective_gid();
pid_t process_id();

} // namespace brig::kernel
