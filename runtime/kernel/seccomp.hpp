// seccomp(2): filter programs by number ranges, and loading one into the calling process.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <linux/filter.h>
#include <linux/seccomp.h>
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

// Tries the rules in order; without a match it gives `otherwise`.
struct ArgumentProgram {
    std::vector<ArgumentRule> rules;
    uint32_t otherwise = 0;
    ArgumentWidth width = ArgumentWidth::all;
};

// What system call numbers from `first` up to the next step lead to: an action, or a program that looks at arguments.
struct FilterStep {
    uint32_t first = 0;
    uint32_t action = SECCOMP_RET_KILL_THREAD;
    std::optional<size_t> program; // index into the programs given to assemble_filter; the action is unused then
};

// The decisions for one AUDIT_ARCH_*, by ascending numbers from 0.
struct ArchitectureFilter {
    uint32_t audit_architecture = 0;
    std::vector<FilterStep> steps;
};

// A search tree by number for each architecture, then the programs. A foreign architecture kills the thread. Up to the
// programs it uses only what the kernel's cache of constantly allowed calls understands (loads of nr and arch, comparisons
// with constants), so that allowed calls do not run the filter at all.
FilterCode assemble_filter(const std::vector<ArchitectureFilter>& architectures, const std::vector<ArgumentProgram>& programs);

// `instructions` is an array of struct sock_filter as bytes; flags are SECCOMP_FILTER_FLAG_*. With
// SECCOMP_FILTER_FLAG_NEW_LISTENER gives the listener. Needs no_new_privs or CAP_SYS_ADMIN.
Result<std::optional<Fd>> load_seccomp_filter(std::string_view instructions, unsigned long flags);

} // namespace brig::kernel
