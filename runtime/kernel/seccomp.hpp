// seccomp(2): filter programs by number ranges, and loading one into the calling process.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <map>
#include <optional>
#include <seccomp.h>
#include <string_view>
#include <vector>

namespace brig::kernel {

using FilterCode = std::vector<sock_filter>;

// How much of an argument a comparison sees. The low half is for x32 and its like: 64-bit registers, 32-bit arguments.
enum class ArgumentWidth { all, low_half };

// The action when all tests hold; each test is libseccomp's comparison of one argument with its data.
struct ArgumentRule {
    uint32_t action = 0; // SECCOMP_RET_*
    std::vector<scmp_arg_cmp> tests;
};

// A program that tries the rules in order; without a match it returns `otherwise`.
FilterCode test_arguments(const std::vector<ArgumentRule>& rules, uint32_t otherwise, ArgumentWidth width);

// What a range of system call numbers leads to: an action, or a program that decides further.
struct FilterDecision {
    std::optional<size_t> program; // index into the programs given to assemble_filter
    uint32_t action = SECCOMP_RET_KILL_THREAD;
    friend bool operator==(const FilterDecision&, const FilterDecision&) = default;
};

// The decisions for one AUDIT_ARCH_*: each holds from its number up to the next entry's. There is an entry for 0.
struct ArchitectureFilter {
    uint32_t audit_architecture = 0;
    std::map<uint32_t, FilterDecision> decisions_from;
};

// A search tree for each architecture, in front of `programs`. A foreign architecture kills the thread. Uses only what the kernel's cache of constantly allowed calls understands (loads of nr
// and arch, comparisons with constants), so that allowed calls do not run the filter at all.
FilterCode assemble_filter(const std::vector<ArchitectureFilter>& architectures, const std::vector<FilterCode>& programs);

// `instructions` is an array of struct sock_filter as bytes; flags are SECCOMP_FILTER_FLAG_*. With
// SECCOMP_FILTER_FLAG_NEW_LISTENER gives the listener. Needs no_new_privs or CAP_SYS_ADMIN.
Result<std::optional<Fd>> load_seccomp_filter(std::string_view instructions, unsigned long flags);

} // namespace brig::kernel
