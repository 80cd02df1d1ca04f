// System-call filters: compiled in the launcher, loaded by the init as late as possible.
//
// Implements config-linux.md "Seccomp". compile runs in the launcher (parallel to the init's work); load runs in the init.
// A profile is hundreds of calls that are decided by their number and a few that look at arguments. The first go into one
// search tree by brig, the others are libseccomp's work: it knows how architectures multiplex calls (socketcall, ipc) and
// compare arguments. This is 20 times faster than to give libseccomp the whole profile.
// Decided as runc does, where the specification is silent:
// - An architecture that the profile does not list, x32 included, kills the thread.
// - Unless the default action lets calls through, calls with numbers above all that the profile names fail with ENOSYS,
//   so that a libc that tries a newer call falls back to an older one.
// - Names that neither libseccomp nor brig knows are skipped; so is a rule with the default action.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "spec/spec.hpp"

#include <optional>
#include <string>
#include <vector>

namespace brig::setup {

struct SeccompProgram {
    std::string instructions; // struct sock_filter[], as bytes
    unsigned flags = 0;       // SECCOMP_FILTER_FLAG_*
    bool notifies = false;    // has SCMP_ACT_NOTIFY: load gives a listener
    std::vector<std::string> skipped_system_calls; // no architecture of the profile has them, as far as is known
};

// Errors: kind invalid for words that check_spec refuses too, not_supported for what this libseccomp lacks.
Result<SeccompProgram> compile_seccomp(const spec::Seccomp& seccomp);

// seccomp(2) with the program; the listener when it notifies. Needs no_new_privs or CAP_SYS_ADMIN.
Result<std::optional<Fd>> load_seccomp(const SeccompProgram& program);

// Sends the listener to seccomp.listenerPath with the ContainerProcessState JSON (runtime.md), as SCM_RIGHTS.
Result<> send_seccomp_listener(const spec::Seccomp& seccomp, FdRef listener, const std::string& process_state);

} // namespace brig::setup
