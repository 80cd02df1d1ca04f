// Attributes of the calling process: identity, limits, privileges, working directory.
//
// Runs in: mostly the container's init, between clone and exec. Errors: kind system.
// The system calls are made directly: libc's wrappers of the id calls signal all threads of a threaded program, and a
// process that was cloned has no second thread to keep in step.
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
// Of the calling thread, effective, permitted, inheritable and, with them, ambient.
Result<> drop_all_capabilities();
// Needs CAP_SETPCAP, which a change of the user takes away.
Result<> drop_bounding_capabilities();
Result<> set_dumpable(bool on);
Result<> set_parent_death_signal(int signal);
Result<> set_child_subreaper(bool on);
mode_t set_umask(mode_t mask);

// prlimit(2); pid 0 is the caller. Raising a hard limit needs CAP_SYS_RESOURCE in the initial user namespace.
Result<> set_resource_limit(pid_t pid, int resource, uint64_t soft, uint64_t hard);
Result<struct rlimit> resource_limit(pid_t pid, int resource);

Result<> change_directory(const std::string& path);
Result<> change_directory(FdRef directory);
// The raw system call: a directory outside the root gives "(unreachable)/..." which libc hides (CVE-2024-21626).
Result<std::string> current_directory();
Result<> pivot_root(const std::string& new_root, const std::string& put_old);
Result<> change_root(const std::string& path);

Result<> set_hostname(const std::string& name);
Result<> set_domainname(const std::string& name);
Result<> new_session(); // setsid; a process that leads its session already is fine
Result<> set_controlling_terminal(FdRef terminal);
Result<> set_personality(unsigned long persona);
Result<> set_process_name(const std::string& name); // PR_SET_NAME, at most 15 bytes

using KeySerial = int32_t;

Result<KeySerial> join_session_keyring(const std::string& name);
// The key's permission bits (KEY_POS_*, KEY_USR_* of keyctl(2)).
Result<uint32_t> key_permissions(KeySerial key);
Result<> set_key_permissions(KeySerial key, uint32_t permissions);

// Bit n of the words, lowest first, is CPU or memory node n.
using BitMask = std::vector<unsigned long>;

Result<BitMask> cpu_affinity();
Result<> set_cpu_affinity(const BitMask& cpus);
Result<> reset_cpu_affinity();                              // to all CPUs that the cpuset allows
bool has_memory_policies();                                 // the kernel may be built without NUMA
Result<> set_memory_policy(int mode, const BitMask& nodes); // mode with its flags, as set_mempolicy(2)

struct SchedulerAttributes {
    uint32_t policy = 0;
    uint64_t flags = 0;
    int32_t nice = 0;
    uint32_t priority = 0;
    uint64_t runtime = 0; // nanoseconds, these three for SCHED_DEADLINE
    uint64_t deadline = 0;
    uint64_t period = 0;
};

Result<> set_scheduler(const SchedulerAttributes& attributes);
Result<> set_io_priority(int priority_class, int priority);

// Closes or marks close-on-exec all descriptors >= first.
Result<> close_descriptors_from(unsigned first);
Result<> close_descriptor_range(unsigned first, unsigned last); // both included
Result<> close_all_but(std::vector<int> kept);                  // -1 in it counts for nothing
Result<> mark_close_on_exec_from(unsigned first);
Result<> duplicate_onto(FdRef from, int to); // dup2: `to` survives exec
Result<> reset_signals();                    // default handlers, empty mask

// getrandom(2): nobody else can guess it.
Result<uint64_t> random_number();

uid_t effective_uid();
gid_t effective_gid();
pid_t process_id();

} // namespace brig::kernel
