// System-call filters: compiled by libseccomp in the launcher, loaded by the init as late as possible.
//
// Implements config-linux.md "Seccomp". compile runs in the launcher (parallel to the init's work); load runs in the init.
// System calls that libseccomp does not know are skipped in allow rules; foreign architectures are refused by the filter.
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
    std::vector<std::string> skipped_system_calls; // unknown to this libseccomp
};

Result<SeccompProgram> compile_seccomp(const spec::Seccomp& seccomp);

// seccomp(2) with the program; the listener when it notifies. Needs no_new_privs or CAP_SYS_ADMIN.
Result<std::optional<Fd>> load_seccomp(const SeccompProgram& program);

// Sends the listener to seccomp.listenerPath with the ContainerProcessState JSON (runtime.md), as SCM_RIGHTS.
Result<> send_seccomp_listener(const spec::Seccomp& seccomp, FdRef listener, const std::string& process_state);

} // namespace brig::setup
