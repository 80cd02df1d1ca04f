// System-call filters: compiled in the launcher, loaded by the init as late as possible.
//
// Implements config-linux.md "Seccomp". compile runs in the launcher (parallel to the init's work); load runs in the init.
// Names are resolved by libseccomp, the program is brig's own: one search tree by number for each architecture, and short
// tests of arguments where rules have them. docs/seccomp.md says why: libseccomp 2.5.4 makes wrong programs for some
// profiles with several architectures, knows no call that is newer than itself, and needs 10 ms for Docker's profile.
//
// Where the specification is silent, it is decided as runc and libseccomp do:
// - An architecture that the profile does not list, x32 included, kills the thread.
// - Unless the default action lets calls through, calls with numbers above all that the profile names fail with ENOSYS,
//   so that a libc that tries a newer call falls back to an older one.
// - Names that nobody knows are skipped; so are unconditional rules with the default action.
// - Of unconditional rules for a call the first holds. Several conditions on one argument are alternatives.
// More closed than there, because they promise nothing:
// - Of the rules with arguments that match, the most restrictive holds (the kernel's order between filters), also when
//   an unconditional rule would let the call through.
// - Behind socketcall(2) and ipc(2) arguments cannot be seen: a rule with arguments never allows there, and refuses unless
//   the profile names socketcall or ipc itself.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "spec/spec.hpp"

#include <optional>
#include <string>
#include <vector>

namespace brig::setup {

struct SeccompProgram {
    std::string instructions;                      // struct sock_filter[], as bytes
    unsigned flags = 0;                            // SECCOMP_FILTER_FLAG_*
    bool notifies = false;                         // has SCMP_ACT_NOTIFY: load gives a listener
    std::vector<std::string> skipped_system_calls; // names that nobody knows
};

// Errors: kind invalid for words that check_spec refuses too, not_supported for what this libseccomp lacks.
Result<SeccompProgram> compile_seccomp(const spec::Seccomp& seccomp);

// seccomp(2) with the program; the listener when it notifies. Needs no_new_privs or CAP_SYS_ADMIN.
Result<std::optional<Fd>> load_seccomp(const SeccompProgram& program);

// Sends the listener to seccomp.listenerPath with the ContainerProcessState JSON (runtime.md), as SCM_RIGHTS.
Result<> send_seccomp_listener(const spec::Seccomp& seccomp, FdRef listener, const std::string& process_state);

} // namespace brig::setup
