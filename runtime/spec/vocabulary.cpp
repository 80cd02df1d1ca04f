#include "spec/vocabulary.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/mempolicy.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/resource.h>

namespace brig::spec {

namespace {

constexpr std::array capability_table = {
    Word{"CAP_CHOWN", CAP_CHOWN},
    Word{"CAP_DAC_OVERRIDE", CAP_DAC_OVERRIDE},
    Word{"CAP_DAC_READ_SEARCH", CAP_DAC_READ_SEARCH},
    Word{"CAP_FOWNER", CAP_FOWNER},
    Word{"CAP_FSETID", CAP_FSETID},
    Word{"CAP_KILL", CAP_KILL},
    Word{"CAP_SETGID", CAP_SETGID},
    Word{"CAP_SETUID", CAP_SETUID},
    Word{"CAP_SETPCAP", CAP_SETPCAP},
    Word{"CAP_LINUX_IMMUTABLE", CAP_LINUX_IMMUTABLE},
    Word{"CAP_NET_BIND_SERVICE", CAP_NET_BIND_SERVICE},
    Word{"CAP_NET_BROADCAST", CAP_NET_BROADCAST},
    Word{"CAP_NET_ADMIN", CAP_NET_ADMIN},
    Word{"CAP_NET_RAW", CAP_NET_RAW},
    Word{"CAP_IPC_LOCK", CAP_IPC_LOCK},
    Word{"CAP_IPC_OWNER", CAP_IPC_OWNER},
    Word{"CAP_SYS_MODULE", CAP_SYS_MODULE},
    Word{"CAP_SYS_RAWIO", CAP_SYS_RAWIO},
    Word{"CAP_SYS_CHROOT", CAP_SYS_CHROOT},
    Word{"CAP_SYS_PTRACE", CAP_SYS_PTRACE},
    Word{"CAP_SYS_PACCT", CAP_SYS_PACCT},
    Word{"CAP_SYS_ADMIN", CAP_SYS_ADMIN},
    Word{"CAP_SYS_BOOT", CAP_SYS_BOOT},
    Word{"CAP_SYS_NICE", CAP_SYS_NICE},
    Word{"CAP_SYS_RESOURCE", CAP_SYS_RESOURCE},
    Word{"CAP_SYS_TIME", CAP_SYS_TIME},
    Word{"CAP_SYS_TTY_CONFIG", CAP_SYS_TTY_CONFIG},
    Word{"CAP_MKNOD", CAP_MKNOD},
    Word{"CAP_LEASE", CAP_LEASE},
    Word{"CAP_AUDIT_WRITE", CAP_AUDIT_WRITE},
    Word{"CAP_AUDIT_CONTROL", CAP_AUDIT_CONTROL},
    Word{"CAP_SETFCAP", CAP_SETFCAP},
    Word{"CAP_MAC_OVERRIDE", CAP_MAC_OVERRIDE},
    Word{"CAP_MAC_ADMIN", CAP_MAC_ADMIN},
    Word{"CAP_SYSLOG", CAP_SYSLOG},
    Word{"CAP_WAKE_ALARM", CAP_WAKE_ALARM},
    Word{"CAP_BLOCK_SUSPEND", CAP_BLOCK_SUSPEND},
    Word{"CAP_AUDIT_READ", CAP_AUDIT_READ},
    Word{"CAP_PERFMON", CAP_PERFMON},
    Word{"CAP_BPF", CAP_BPF},
    Word{"CAP_CHECKPOINT_RESTORE", CAP_CHECKPOINT_RESTORE},
};

constexpr std::array rlimit_table = {
    Word{"RLIMIT_AS", RLIMIT_AS},
    Word{"RLIMIT_CORE", RLIMIT_CORE},
    Word{"RLIMIT_CPU", RLIMIT_CPU},
    Word{"RLIMIT_DATA", RLIMIT_DATA},
    Word{"RLIMIT_FSIZE", RLIMIT_FSIZE},
    Word{"RLIMIT_LOCKS", RLIMIT_LOCKS},
    Word{"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
    Word{"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
    Word{"RLIMIT_NICE", RLIMIT_NICE},
    Word{"RLIMIT_NOFILE", RLIMIT_NOFILE},
    Word{"RLIMIT_NPROC", RLIMIT_NPROC},
    Word{"RLIMIT_RSS", RLIMIT_RSS},
    Word{"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
    Word{"RLIMIT_RTTIME", RLIMIT_RTTIME},
    Word{"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
    Word{"RLIMIT_STACK", RLIMIT_STACK},
};

constexpr std::array seccomp_action_table = {
    Word{"SCMP_ACT_ALLOW", SCMP_ACT_ALLOW},
    Word{"SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0)},
    Word{"SCMP_ACT_KILL", SCMP_ACT_KILL},
    Word{"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS},
    Word{"SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD},
    Word{"SCMP_ACT_LOG", SCMP_ACT_LOG},
    Word{"SCMP_ACT_NOTIFY", SCMP_ACT_NOTIFY},
    Word{"SCMP_ACT_TRACE", SCMP_ACT_TRACE(0)},
    Word{"SCMP_ACT_TRAP", SCMP_ACT_TRAP},
};

constexpr std::array seccomp_operator_table = {
    Word{"SCMP_CMP_EQ", SCMP_CMP_EQ}, Word{"SCMP_CMP_GE", SCMP_CMP_GE}, Word{"SCMP_CMP_GT", SCMP_CMP_GT},
    Word{"SCMP_CMP_LE", SCMP_CMP_LE}, Word{"SCMP_CMP_LT", SCMP_CMP_LT}, Word{"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
    Word{"SCMP_CMP_NE", SCMP_CMP_NE},
};

// seccomp.h 2.5 lacks LOONGARCH64, M68K, SH and SHEB; their tokens are the kernel's AUDIT_ARCH_* since libseccomp 2.6.
constexpr std::array seccomp_architecture_table = {
    Word{"SCMP_ARCH_AARCH64", SCMP_ARCH_AARCH64},
    Word{"SCMP_ARCH_ARM", SCMP_ARCH_ARM},
    Word{"SCMP_ARCH_LOONGARCH64", AUDIT_ARCH_LOONGARCH64},
    Word{"SCMP_ARCH_M68K", AUDIT_ARCH_M68K},
    Word{"SCMP_ARCH_MIPS", SCMP_ARCH_MIPS},
    Word{"SCMP_ARCH_MIPS64", SCMP_ARCH_MIPS64},
    Word{"SCMP_ARCH_MIPS64N32", SCMP_ARCH_MIPS64N32},
    Word{"SCMP_ARCH_MIPSEL", SCMP_ARCH_MIPSEL},
    Word{"SCMP_ARCH_MIPSEL64", SCMP_ARCH_MIPSEL64},
    Word{"SCMP_ARCH_MIPSEL64N32", SCMP_ARCH_MIPSEL64N32},
    Word{"SCMP_ARCH_PARISC", SCMP_ARCH_PARISC},
    Word{"SCMP_ARCH_PARISC64", SCMP_ARCH_PARISC64},
    Word{"SCMP_ARCH_PPC", SCMP_ARCH_PPC},
    Word{"SCMP_ARCH_PPC64", SCMP_ARCH_PPC64},
    Word{"SCMP_ARCH_PPC64LE", SCMP_ARCH_PPC64LE},
    Word{"SCMP_ARCH_RISCV64", SCMP_ARCH_RISCV64},
    Word{"SCMP_ARCH_S390", SCMP_ARCH_S390},
    Word{"SCMP_ARCH_S390X", SCMP_ARCH_S390X},
    Word{"SCMP_ARCH_SH", AUDIT_ARCH_SHEL},
    Word{"SCMP_ARCH_SHEB", AUDIT_ARCH_SH},
    Word{"SCMP_ARCH_X32", SCMP_ARCH_X32},
    Word{"SCMP_ARCH_X86", SCMP_ARCH_X86},
    Word{"SCMP_ARCH_X86_64", SCMP_ARCH_X86_64},
};

constexpr std::array seccomp_flag_table = {
    Word{"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
    Word{"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
    Word{"SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC},
    Word{"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV},
};

// SCHED_ISO is a word of the specification, but no kernel implements it.
constexpr std::array scheduler_policy_table = {
    Word{"SCHED_BATCH", SCHED_BATCH}, Word{"SCHED_DEADLINE", SCHED_DEADLINE}, Word{"SCHED_FIFO", SCHED_FIFO},
    Word{"SCHED_IDLE", SCHED_IDLE},   Word{"SCHED_OTHER", SCHED_NORMAL},      Word{"SCHED_RR", SCHED_RR},
};

constexpr std::array scheduler_flag_table = {
    Word{"SCHED_FLAG_DL_OVERRUN", SCHED_FLAG_DL_OVERRUN},         Word{"SCHED_FLAG_KEEP_PARAMS", SCHED_FLAG_KEEP_PARAMS},
    Word{"SCHED_FLAG_KEEP_POLICY", SCHED_FLAG_KEEP_POLICY},       Word{"SCHED_FLAG_RECLAIM", SCHED_FLAG_RECLAIM},
    Word{"SCHED_FLAG_RESET_ON_FORK", SCHED_FLAG_RESET_ON_FORK},   Word{"SCHED_FLAG_UTIL_CLAMP_MAX", SCHED_FLAG_UTIL_CLAMP_MAX},
    Word{"SCHED_FLAG_UTIL_CLAMP_MIN", SCHED_FLAG_UTIL_CLAMP_MIN},
};

// The kernel's numbers: its header linux/ioprio.h is not C++ in newer versions (a parameter named `class`).
constexpr std::array io_priority_class_table = {
    Word{"IOPRIO_CLASS_BE", 2},
    Word{"IOPRIO_CLASS_IDLE", 3},
    Word{"IOPRIO_CLASS_RT", 1},
};

constexpr std::array personality_domain_table = {
    Word{"LINUX", PER_LINUX},
    Word{"LINUX32", PER_LINUX32},
};

// In no header before Linux 6.9.
constexpr uint64_t weighted_interleave = 6;

constexpr std::array memory_policy_mode_table = {
    Word{"MPOL_BIND", MPOL_BIND},
    Word{"MPOL_DEFAULT", MPOL_DEFAULT},
    Word{"MPOL_INTERLEAVE", MPOL_INTERLEAVE},
    Word{"MPOL_LOCAL", MPOL_LOCAL},
    Word{"MPOL_PREFERRED", MPOL_PREFERRED},
    Word{"MPOL_PREFERRED_MANY", MPOL_PREFERRED_MANY},
    Word{"MPOL_WEIGHTED_INTERLEAVE", weighted_interleave},
};

constexpr std::array memory_policy_flag_table = {
    Word{"MPOL_F_NUMA_BALANCING", MPOL_F_NUMA_BALANCING},
    Word{"MPOL_F_RELATIVE_NODES", MPOL_F_RELATIVE_NODES},
    Word{"MPOL_F_STATIC_NODES", MPOL_F_STATIC_NODES},
};

// Where two names share a number, the usual one comes first.
constexpr std::array signal_table = {
    Word{"SIGHUP", SIGHUP},       Word{"SIGINT", SIGINT},     Word{"SIGQUIT", SIGQUIT},  Word{"SIGILL", SIGILL},
    Word{"SIGTRAP", SIGTRAP},     Word{"SIGABRT", SIGABRT},   Word{"SIGIOT", SIGIOT},    Word{"SIGBUS", SIGBUS},
    Word{"SIGFPE", SIGFPE},       Word{"SIGKILL", SIGKILL},   Word{"SIGUSR1", SIGUSR1},  Word{"SIGSEGV", SIGSEGV},
    Word{"SIGUSR2", SIGUSR2},     Word{"SIGPIPE", SIGPIPE},   Word{"SIGALRM", SIGALRM},  Word{"SIGTERM", SIGTERM},
    Word{"SIGSTKFLT", SIGSTKFLT}, Word{"SIGCHLD", SIGCHLD},   Word{"SIGCLD", SIGCHLD},   Word{"SIGCONT", SIGCONT},
    Word{"SIGSTOP", SIGSTOP},     Word{"SIGTSTP", SIGTSTP},   Word{"SIGTTIN", SIGTTIN},  Word{"SIGTTOU", SIGTTOU},
    Word{"SIGURG", SIGURG},       Word{"SIGXCPU", SIGXCPU},   Word{"SIGXFSZ", SIGXFSZ},  Word{"SIGVTALRM", SIGVTALRM},
    Word{"SIGPROF", SIGPROF},     Word{"SIGWINCH", SIGWINCH}, Word{"SIGIO", SIGIO},      Word{"SIGPOLL", SIGPOLL},
    Word{"SIGPWR", SIGPWR},       Word{"SIGSYS", SIGSYS},     Word{"SIGUNUSED", SIGSYS},
};

constexpr std::array namespace_table = {
    NamespaceWord{NamespaceType::cgroup, "cgroup", CLONE_NEWCGROUP, "cgroup"},
    NamespaceWord{NamespaceType::ipc, "ipc", CLONE_NEWIPC, "ipc"},
    NamespaceWord{NamespaceType::mount, "mount", CLONE_NEWNS, "mnt"},
    NamespaceWord{NamespaceType::network, "network", CLONE_NEWNET, "net"},
    NamespaceWord{NamespaceType::pid, "pid", CLONE_NEWPID, "pid"},
    NamespaceWord{NamespaceType::time, "time", CLONE_NEWTIME, "time"},
    NamespaceWord{NamespaceType::user, "user", CLONE_NEWUSER, "user"},
    NamespaceWord{NamespaceType::uts, "uts", CLONE_NEWUTS, "uts"},
};

struct PropagationWord {
    std::string_view name;
    PropagationChange change;
};

constexpr std::array propagation_table = {
    PropagationWord{"private", {Propagation::private_mount, false}},
    PropagationWord{"rprivate", {Propagation::private_mount, true}},
    PropagationWord{"rshared", {Propagation::shared, true}},
    PropagationWord{"rslave", {Propagation::slave, true}},
    PropagationWord{"runbindable", {Propagation::unbindable, true}},
    PropagationWord{"shared", {Propagation::shared, false}},
    PropagationWord{"slave", {Propagation::slave, false}},
    PropagationWord{"unbindable", {Propagation::unbindable, false}},
};

// The kernel's own numbers; glibc's SIGRTMIN is a call because its threads keep 32 and 33.
constexpr int first_real_time_signal = 34;
constexpr int last_signal = 64;

} // namespace

Words capabilities()
{
    return capability_table;
}
Words rlimits()
{
    return rlimit_table;
}
Words seccomp_actions()
{
    return seccomp_action_table;
}
Words seccomp_operators()
{
    return seccomp_operator_table;
}
Words seccomp_architectures()
{
    return seccomp_architecture_table;
}
Words seccomp_flags()
{
    return seccomp_flag_table;
}
Words scheduler_policies()
{
    return scheduler_policy_table;
}
Words scheduler_flags()
{
    return scheduler_flag_table;
}
Words io_priority_classes()
{
    return io_priority_class_table;
}
Words personality_domains()
{
    return personality_domain_table;
}
Words memory_policy_modes()
{
    return memory_policy_mode_table;
}
Words memory_policy_flags()
{
    return memory_policy_flag_table;
}
Words signals()
{
    return signal_table;
}
std::span<const NamespaceWord> namespace_words()
{
    return namespace_table;
}

std::optional<uint64_t> find_word(Words words, std::string_view name)
{
    auto found = std::ranges::find(words, name, &Word::name);
    return found == words.end() ? std::nullopt : std::optional(found->value);
}

std::string_view name_of(Words words, uint64_t value)
{
    auto found = std::ranges::find(words, value, &Word::value);
    return found == words.end() ? std::string_view() : found->name;
}

std::vector<std::string> names_of(Words words)
{
    std::vector<std::string> names;
    for (const auto& word : words)
        names.emplace_back(word.name);
    return names;
}

std::string alternatives(const std::vector<std::string>& names)
{
    std::string text;
    for (size_t i = 0; i < names.size(); i++) {
        if (i > 0)
            text += i + 1 == names.size() ? " or " : ", ";
        text += names[i];
    }
    return text;
}

const NamespaceWord& namespace_word(NamespaceType type)
{
    return *std::ranges::find(namespace_table, type, &NamespaceWord::type);
}

const NamespaceWord* find_namespace_word(std::string_view name)
{
    auto found = std::ranges::find(namespace_table, name, &NamespaceWord::name);
    return found == namespace_table.end() ? nullptr : &*found;
}

uint64_t PropagationChange::mount_flag() const
{
    switch (type) {
    case Propagation::private_mount: return MS_PRIVATE;
    case Propagation::shared: return MS_SHARED;
    case Propagation::slave: return MS_SLAVE;
    case Propagation::unbindable: return MS_UNBINDABLE;
    }
    return 0;
}

std::optional<PropagationChange> find_propagation(std::string_view name)
{
    auto found = std::ranges::find(propagation_table, name, &PropagationWord::name);
    return found == propagation_table.end() ? std::nullopt : std::optional(found->change);
}

std::vector<std::string> propagation_names()
{
    std::vector<std::string> names;
    for (const auto& word : propagation_table)
        names.emplace_back(word.name);
    return names;
}

namespace {

std::optional<int> real_time_signal(std::string_view name)
{
    bool from_first = name.starts_with("RTMIN");
    if (!from_first && !name.starts_with("RTMAX"))
        return std::nullopt;
    int base = from_first ? first_real_time_signal : last_signal;
    auto offset = name.substr(5);
    if (offset.empty())
        return base;
    if (offset.front() != (from_first ? '+' : '-'))
        return std::nullopt;
    auto distance = parse_unsigned(offset.substr(1));
    if (!distance || *distance > static_cast<uint64_t>(last_signal - first_real_time_signal))
        return std::nullopt;
    return from_first ? base + static_cast<int>(*distance) : base - static_cast<int>(*distance);
}

} // namespace

Result<int> parse_signal(std::string_view text)
{
    if (auto number = parse_unsigned(text); number && *number <= static_cast<uint64_t>(last_signal))
        return static_cast<int>(*number);
    std::string name;
    for (char letter : text)
        name += letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 'a' + 'A') : letter;
    if (name.starts_with("SIG"))
        name.erase(0, 3);
    if (auto found = find_word(signal_table, "SIG" + name))
        return static_cast<int>(*found);
    if (auto found = real_time_signal(name))
        return *found;
    return failure(Error(ErrorKind::invalid, fmt::format("unknown signal {}", quoted(text)))
                       .with_hint("give a number up to 64 or a name like TERM, SIGTERM or RTMIN+3"));
}

std::string signal_name(int signal)
{
    auto name = signal > 0 ? name_of(signal_table, static_cast<uint64_t>(signal)) : std::string_view();
    if (!name.empty())
        return std::string(name);
    if (signal == first_real_time_signal)
        return "SIGRTMIN";
    if (signal > first_real_time_signal && signal <= last_signal)
        return fmt::format("SIGRTMIN+{}", signal - first_real_time_signal);
    return std::to_string(signal);
}

} // namespace brig::spec
