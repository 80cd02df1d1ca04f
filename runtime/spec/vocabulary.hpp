// The words of config.json and the kernel's values for them, as tables. Mount options are in mount_options.hpp.
//
// Layer: pure. The tables are also what `features` lists and what check_spec accepts.
#pragma once

#include "base/result.hpp"
#include "spec/spec.hpp"

#include <cstdint>
#include <span>

namespace brig::spec {

struct Word {
    std::string_view name;
    uint64_t value;
};

using Words = std::span<const Word>;

std::optional<uint64_t> find_word(Words words, std::string_view name);
// The first name for a value; empty when there is none.
std::string_view name_of(Words words, uint64_t value);
std::vector<std::string> names_of(Words words); // in the order of the table
// "A, B or C", for hints.
std::string alternatives(const std::vector<std::string>& names);

Words capabilities();          // CAP_CHOWN..CAP_CHECKPOINT_RESTORE -> number, ordered by number
Words rlimits();               // RLIMIT_NOFILE -> RLIMIT_*
Words seccomp_actions();       // SCMP_ACT_* -> libseccomp's action without its 16 bits of data
Words seccomp_operators();     // SCMP_CMP_* -> enum scmp_compare
Words seccomp_architectures(); // SCMP_ARCH_* -> libseccomp's token (AUDIT_ARCH_*)
Words seccomp_flags();         // SECCOMP_FILTER_FLAG_* -> seccomp(2) flag
Words scheduler_policies();    // SCHED_* -> sched_setattr(2)
Words scheduler_flags();       // SCHED_FLAG_*
Words io_priority_classes();   // IOPRIO_CLASS_* -> ioprio_set(2) class, not shifted
Words personality_domains();   // LINUX, LINUX32 -> personality(2)
Words memory_policy_modes();   // MPOL_* -> set_mempolicy(2)
Words memory_policy_flags();   // MPOL_F_*
Words signals();               // SIGHUP.. -> number; without the real-time signals

// "9", "KILL", "SIGKILL", "kill", "RTMIN+3", "SIGRTMAX-1". Zero is taken, as by runc and kill(2):
// it only asks whether the process is there.
Result<int> parse_signal(std::string_view text);
// "SIGKILL", "SIGRTMIN+3"; the number itself when the kernel has no such signal.
std::string signal_name(int signal);

struct NamespaceWord {
    NamespaceType type;
    std::string_view name;      // in config.json
    uint64_t clone_flag;        // CLONE_NEW*
    std::string_view proc_name; // below /proc/PID/ns
};

std::span<const NamespaceWord> namespace_words();
const NamespaceWord& namespace_word(NamespaceType type);
const NamespaceWord* find_namespace_word(std::string_view name); // null: unknown

enum class Propagation { private_mount, shared, slave, unbindable };

struct PropagationChange {
    Propagation type = Propagation::private_mount;
    bool recursive = false;

    uint64_t mount_flag() const; // MS_PRIVATE .., without MS_REC: the value for mount_attr.propagation
    friend bool operator==(const PropagationChange&, const PropagationChange&) = default;
};

// "private", "rprivate", "shared" .. "runbindable", as in mount options and linux.rootfsPropagation.
std::optional<PropagationChange> find_propagation(std::string_view name);
std::vector<std::string> propagation_names();

} // namespace brig::spec
