// seccomp(2): filter programs by number ranges, and loading one into the calling process.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <linux/filter.h>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

namespace brig::kernel {

using FilterCode = std::vector<sock_filter>;

// What a range of system call numbers leads to: an action (SECCOMP_RET_*), or the program that decides the rest.
struct FilterDecision {
    bool rest = true;
    uint32_t action = 0;
    friend bool operator==(const FilterDecision&, const FilterDecision&) = default;
};

// The decisions for one AUDIT_ARCH_*: each holds from its number up to the next entry's. Below the first entry: rest.
struct ArchitectureFilter {
    uint32_t audit_architecture = 0;
    std::map<uint32_t, FilterDecision> decisions_from;
};

// A search tree for each architecture in front of `rest`, a complete filter program of its own. A foreign architecture
// kills the thread. Uses only what the kernel's cache of constantly allowed calls understands (loads of nr and arch,
// comparisons with constants), so that allowed calls do not run the filter at all.
FilterCode assemble_filter(const std::vector<ArchitectureFilter>& architectures, const FilterCode& rest);

// The program that libseccomp wrote into a file, from its beginning.
Result<FilterCode> read_filter(FdRef file);

// `instructions` is an array of struct sock_filter as bytes; flags are SECCOMP_FILTER_FLAG_*. With
// SECCOMP_FILTER_FLAG_NEW_LISTENER gives the listener. Needs no_new_privs or CAP_SYS_ADMIN.
Result<std::optional<Fd>> load_seccomp_filter(std::string_view instructions, unsigned long flags);

} // namespace brig::kernel
