#include "kernel/process.hpp"

#include "kernel/call.hpp"

#include <algorithm>
#include <array>
#include <climits>
#include <csignal>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/keyctl.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace brig::kernel {

namespace {

// `describe` gives the call with its arguments; it is evaluated on failure only.
template<typename Describe> Result<> check(long outcome, Describe describe)
{
    if (outcome >= 0) [[likely]]
        return {};
    int code = errno;
    return failure(Error::system_call(code, describe()));
}

Result<> control(int option, unsigned long argument, const char* name)
{
    return check(::prctl(option, argument, 0UL, 0UL, 0UL), [&] { return fmt::format("prctl {}, {}", name, argument); });
}

// linux/ioprio.h cannot be used: newer ones have a function with a parameter named `class`.
constexpr int io_priority_class_shift = 13; // IOPRIO_CLASS_SHIFT
constexpr int io_priority_of_process = 1;   // IOPRIO_WHO_PROCESS

// linux/sched/types.h cannot be used: it defines struct sched_param, as libc does.
struct SchedulerRequest {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime;
    uint64_t deadline;
    uint64_t period;
};

} // namespace

Result<> set_ids(uid_t uid, gid_t gid)
{
    // The group first: without CAP_SETUID's uid there is no CAP_SETGID any more.
    TRY(check(::syscall(SYS_setresgid, gid, gid, gid), [&] { return fmt::format("setresgid {}", gid); }));
    return check(::syscall(SYS_setresuid, uid, uid, uid), [&] { return fmt::format("setresuid {}", uid); });
}

Result<> set_groups(const std::vector<gid_t>& groups)
{
    return check(::syscall(SYS_setgroups, groups.size(), groups.data()),
                 [&] { return fmt::format("setgroups [{}]", fmt::join(groups, ", ")); });
}

Result<> set_keep_capabilities(bool on)
{
    return control(PR_SET_KEEPCAPS, on, "PR_SET_KEEPCAPS");
}

Result<> set_no_new_privileges()
{
    return control(PR_SET_NO_NEW_PRIVS, 1, "PR_SET_NO_NEW_PRIVS");
}

Result<> drop_all_capabilities()
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
    return check(::syscall(SYS_capset, &header, none), [] { return std::string("capset, none"); });
}

Result<> drop_bounding_capabilities()
{
    // The kernel refuses the first number that it does not know.
    for (unsigned long number = 0; ::prctl(PR_CAPBSET_READ, number, 0UL, 0UL, 0UL) >= 0; number++)
        TRY(control(PR_CAPBSET_DROP, number, "PR_CAPBSET_DROP"));
    return {};
}

Result<> set_dumpable(bool on)
{
    return control(PR_SET_DUMPABLE, on, "PR_SET_DUMPABLE");
}

Result<> set_parent_death_signal(int signal)
{
    return control(PR_SET_PDEATHSIG, static_cast<unsigned long>(signal), "PR_SET_PDEATHSIG");
}

Result<> set_child_subreaper(bool on)
{
    return control(PR_SET_CHILD_SUBREAPER, on, "PR_SET_CHILD_SUBREAPER");
}

mode_t set_umask(mode_t mask)
{
    return ::umask(mask);
}

Result<> set_resource_limit(pid_t pid, int resource, uint64_t soft, uint64_t hard)
{
    struct rlimit limit = {soft, hard};
    return check(::syscall(SYS_prlimit64, pid, resource, &limit, nullptr),
                 [&] { return fmt::format("prlimit {}, {}, soft {}, hard {}", pid, resource, soft, hard); });
}

Result<struct rlimit> resource_limit(pid_t pid, int resource)
{
    struct rlimit limit = {};
    TRY(check(::syscall(SYS_prlimit64, pid, resource, nullptr, &limit),
              [&] { return fmt::format("prlimit {}, {}", pid, resource); }));
    return limit;
}

Result<> change_directory(const std::string& path)
{
    return check(::chdir(path.c_str()), [&] { return fmt::format("chdir {}", quoted(path)); });
}

Result<> change_directory(FdRef directory)
{
    return check(::fchdir(directory.get()), [&] { return fmt::format("fchdir {}", directory.get()); });
}

Result<std::string> current_directory()
{
    std::array<char, PATH_MAX> path = {};
    TRY(check(::syscall(SYS_getcwd, path.data(), path.size()), [] { return "getcwd"; }));
    return std::string(path.data());
}

Result<> pivot_root(const std::string& new_root, const std::string& put_old)
{
    return check(::syscall(SYS_pivot_root, new_root.c_str(), put_old.c_str()),
                 [&] { return fmt::format("pivot_root {}, {}", quoted(new_root), quoted(put_old)); });
}

Result<> change_root(const std::string& path)
{
    return check(::chroot(path.c_str()), [&] { return fmt::format("chroot {}", quoted(path)); });
}

Result<> set_hostname(const std::string& name)
{
    return check(::sethostname(name.data(), name.size()), [&] { return fmt::format("sethostname {}", quoted(name)); });
}

Result<> set_domainname(const std::string& name)
{
    return check(::setdomainname(name.data(), name.size()), [&] { return fmt::format("setdomainname {}", quoted(name)); });
}

Result<> new_session()
{
    if (::getsid(0) == ::getpid())
        return {};
    return check(::setsid(), [] { return "setsid"; });
}

Result<> set_controlling_terminal(FdRef terminal)
{
    return check(::ioctl(terminal.get(), TIOCSCTTY, 0), [&] { return fmt::format("ioctl {}, TIOCSCTTY", terminal.get()); });
}

Result<> set_personality(unsigned long persona)
{
    return check(::personality(persona), [&] { return fmt::format("personality {:#x}", persona); });
}

Result<> set_process_name(const std::string& name)
{
    return check(::prctl(PR_SET_NAME, name.c_str(), 0UL, 0UL, 0UL),
                 [&] { return fmt::format("prctl PR_SET_NAME, {}", quoted(name)); });
}

Result<KeySerial> join_session_keyring(const std::string& name)
{
    long serial = ::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name.c_str(), 0L, 0L, 0L);
    TRY(check(serial, [&] { return fmt::format("keyctl KEYCTL_JOIN_SESSION_KEYRING, {}", quoted(name)); }));
    return static_cast<KeySerial>(serial);
}

Result<uint32_t> key_permissions(KeySerial key)
{
    std::array<char, 512> text = {};
    long length = ::syscall(SYS_keyctl, KEYCTL_DESCRIBE, key, text.data(), text.size() - 1, 0L);
    TRY(check(length, [&] { return fmt::format("keyctl KEYCTL_DESCRIBE, {}", key); }));
    // "type;uid;gid;permissions;description", permissions in hexadecimal.
    auto fields = split(text.data(), ';');
    if (fields.size() < 5)
        return failure(ErrorKind::internal, fmt::format("key {} is described as {}", key, quoted(text.data())));
    return static_cast<uint32_t>(::strtoul(std::string(fields[3]).c_str(), nullptr, 16));
}

Result<> set_key_permissions(KeySerial key, uint32_t permissions)
{
    return check(::syscall(SYS_keyctl, KEYCTL_SETPERM, key, permissions, 0L, 0L),
                 [&] { return fmt::format("keyctl KEYCTL_SETPERM, {}, {:#x}", key, permissions); });
}

namespace {

constexpr size_t most_cpus = 8192; // more than any kernel has

} // namespace

Result<BitMask> cpu_affinity()
{
    BitMask cpus(most_cpus / (CHAR_BIT * sizeof(unsigned long)));
    long size = ::syscall(SYS_sched_getaffinity, 0, cpus.size() * sizeof(unsigned long), cpus.data());
    if (size < 0)
        return BRIG_CALL_FAILED("sched_getaffinity");
    cpus.resize(static_cast<size_t>(size) / sizeof(unsigned long));
    return cpus;
}

Result<> set_cpu_affinity(const BitMask& cpus)
{
    return check(::syscall(SYS_sched_setaffinity, 0, cpus.size() * sizeof(unsigned long), cpus.data()),
                 [&] { return fmt::format("sched_setaffinity [{:#x}]", fmt::join(cpus, ", ")); });
}

Result<> reset_cpu_affinity()
{
    // The kernel keeps those that exist and that the cpuset allows.
    return set_cpu_affinity(BitMask(most_cpus / (CHAR_BIT * sizeof(unsigned long)), ~0UL));
}

bool has_memory_policies()
{
    return ::syscall(SYS_get_mempolicy, nullptr, nullptr, 0, nullptr, 0) == 0;
}

Result<> set_memory_policy(int mode, const BitMask& nodes)
{
    // The kernel takes one bit less than it is told.
    size_t bits = nodes.empty() ? 0 : nodes.size() * CHAR_BIT * sizeof(unsigned long) + 1;
    return check(::syscall(SYS_set_mempolicy, mode, nodes.empty() ? nullptr : nodes.data(), bits),
                 [&] { return fmt::format("set_mempolicy {:#x}, [{:#x}]", mode, fmt::join(nodes, ", ")); });
}

Result<> set_scheduler(const SchedulerAttributes& attributes)
{
    SchedulerRequest request = {sizeof request,      attributes.policy,  attributes.flags,    attributes.nice,
                                attributes.priority, attributes.runtime, attributes.deadline, attributes.period};
    return check(::syscall(SYS_sched_setattr, 0, &request, 0), [&] {
        return fmt::format("sched_setattr policy {}, flags {:#x}, nice {}, priority {}, runtime {}, deadline {}, period {}",
                           attributes.policy, attributes.flags, attributes.nice, attributes.priority, attributes.runtime,
                           attributes.deadline, attributes.period);
    });
}

Result<> set_io_priority(int priority_class, int priority)
{
    int value = (priority_class << io_priority_class_shift) | priority;
    return check(::syscall(SYS_ioprio_set, io_priority_of_process, 0, value),
                 [&] { return fmt::format("ioprio_set class {}, priority {}", priority_class, priority); });
}

Result<> close_descriptors_from(unsigned first)
{
    return close_descriptor_range(first, ~0U);
}

Result<> close_descriptor_range(unsigned first, unsigned last)
{
    return check(::syscall(SYS_close_range, first, last, 0), [&] { return fmt::format("close_range {}, {}", first, last); });
}

Result<> close_all_but(std::vector<int> kept)
{
    std::sort(kept.begin(), kept.end());
    unsigned next = 0;
    for (int number : kept) {
        if (number < 0)
            continue;
        auto wanted = static_cast<unsigned>(number);
        if (wanted > next)
            TRY(close_descriptor_range(next, wanted - 1));
        next = std::max(next, wanted + 1);
    }
    return close_descriptors_from(next);
}

Result<> mark_close_on_exec_from(unsigned first)
{
    return check(::syscall(SYS_close_range, first, ~0U, CLOSE_RANGE_CLOEXEC),
                 [&] { return fmt::format("close_range {}, ~0, CLOSE_RANGE_CLOEXEC", first); });
}

Result<> duplicate_onto(FdRef from, int to)
{
    // dup2 onto itself would keep close-on-exec.
    if (from.get() == to)
        return check(::fcntl(to, F_SETFD, 0), [&] { return fmt::format("fcntl {}, F_SETFD, 0", to); });
    return check(::dup2(from.get(), to), [&] { return fmt::format("dup2 {}, {}", from.get(), to); });
}

Result<> reset_signals()
{
    // Not sigaction(3): libc hides the two signals that it uses itself, and a parent can have ignored those too.
    constexpr int signals = 64;
    constexpr size_t mask_size = signals / CHAR_BIT;
    std::array<unsigned long, 8> zero = {}; // struct kernel_sigaction with SIG_DFL, and an empty mask
    for (int signal = 1; signal <= signals; signal++)
        if (signal != SIGKILL && signal != SIGSTOP)
            TRY(check(::syscall(SYS_rt_sigaction, signal, zero.data(), nullptr, mask_size),
                      [&] { return fmt::format("rt_sigaction {}, SIG_DFL", signal); }));
    return check(::syscall(SYS_rt_sigprocmask, SIG_SETMASK, zero.data(), nullptr, mask_size),
                 [] { return "rt_sigprocmask SIG_SETMASK, []"; });
}

Result<uint64_t> random_number()
{
    uint64_t number = 0;
    // Up to 256 bytes come whole.
    TRY(check(::getrandom(&number, sizeof number, 0), [] { return std::string("getrandom"); }));
    return number;
}

uid_t effective_uid()
{
    return ::geteuid();
}

gid_t effective_gid()
{
    return ::getegid();
}

pid_t process_id()
{
    return ::getpid();
}

} // namespace brig::kernel
