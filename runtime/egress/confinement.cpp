#include "egress/confinement.hpp"

#include "base/text.hpp"
#include "kernel/process.hpp"
#include "kernel/seccomp.hpp"
#include "kernel/system_call_names.hpp"

#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <map>
#include <sys/mman.h>
#include <sys/socket.h>

namespace brig::egress {

namespace {

// glibc's own needs included: memory, time, the end.
constexpr const char* allowed_calls[] = {
    "accept4",    "brk",       "clock_gettime", "close",      "epoll_ctl",       "epoll_pwait",  "epoll_wait", "exit",
    "exit_group", "getrandom", "getsockname",   "getsockopt", "gettimeofday",    "madvise",      "mremap",     "munmap",
    "pipe2",      "read",      "recvfrom",      "recvmsg",    "restart_syscall", "rt_sigreturn", "sendmsg",    "sendto",
    "setsockopt", "shutdown",  "splice",        "connect",    "write",
};

// Of these, what the arguments say decides.
std::vector<kernel::ArgumentProgram> argument_programs()
{
    auto allow = [](std::vector<scmp_arg_cmp> tests) { return kernel::ArgumentRule{SECCOMP_RET_ALLOW, std::move(tests)}; };
    kernel::ArgumentProgram socket{{allow({SCMP_A0(SCMP_CMP_EQ, AF_INET, 0)}), allow({SCMP_A0(SCMP_CMP_EQ, AF_INET6, 0)})},
                                   SECCOMP_RET_KILL_PROCESS};
    kernel::ArgumentProgram not_executable{{allow({SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)})}, SECCOMP_RET_KILL_PROCESS};
    kernel::ArgumentProgram pipe_size{{allow({SCMP_A1(SCMP_CMP_EQ, F_SETPIPE_SZ, 0)})}, SECCOMP_RET_KILL_PROCESS};
    return {socket, not_executable, pipe_size};
}

constexpr std::pair<const char*, size_t> looked_at[] = {{"socket", 0}, {"mmap", 1}, {"mprotect", 1}, {"fcntl", 2}};

std::string make_filter()
{
    uint32_t architecture = seccomp_arch_native();
    std::map<uint32_t, kernel::FilterStep> by_number;
    for (const char* name : allowed_calls)
        if (auto number = kernel::system_call_number(architecture, name))
            by_number[*number] = {*number, SECCOMP_RET_ALLOW, std::nullopt};
    for (const auto& [name, program] : looked_at)
        if (auto number = kernel::system_call_number(architecture, name))
            by_number[*number] = {*number, SECCOMP_RET_KILL_PROCESS, program};
    kernel::ArchitectureFilter filter{architecture, {{0, SECCOMP_RET_KILL_PROCESS, std::nullopt}}};
    for (const auto& [number, step] : by_number) {
        if (filter.steps.back().first == number)
            filter.steps.pop_back();
        filter.steps.push_back(step);
        filter.steps.push_back({number + 1, SECCOMP_RET_KILL_PROCESS, std::nullopt});
    }
    kernel::FilterCode code = kernel::assemble_filter({filter}, argument_programs());
    return {reinterpret_cast<const char*>(code.data()), code.size() * sizeof(sock_filter)};
}

#ifdef __SANITIZE_ADDRESS__ // whose shadow memory alone is larger than any limit
constexpr uint64_t address_space = RLIM_INFINITY;
#else
constexpr uint64_t address_space = uint64_t{2} << 30;
#endif

// As many files as are wanted, or as the hard limit has.
Result<uint64_t> set_limits(uint64_t open_files)
{
    auto now = TRY(kernel::resource_limit(0, RLIMIT_NOFILE));
    uint64_t files = open_files;
    if (!kernel::set_resource_limit(0, RLIMIT_NOFILE, files, std::max<uint64_t>(files, now.rlim_max))) {
        files = std::min<uint64_t>(files, now.rlim_max);
        TRY(kernel::set_resource_limit(0, RLIMIT_NOFILE, files, now.rlim_max));
    }
    TRY(kernel::set_resource_limit(0, RLIMIT_CORE, 0, 0));
    TRY(kernel::set_resource_limit(0, RLIMIT_FSIZE, 0, 0));
    auto memory = TRY(kernel::resource_limit(0, RLIMIT_AS));
    uint64_t most = std::min<uint64_t>(address_space, memory.rlim_max);
    TRY(kernel::set_resource_limit(0, RLIMIT_AS, most, most));
    return files;
}

} // namespace

Result<uint64_t> confine_self(const Confinement& confinement)
{
    uint64_t files = TRY(set_limits(confinement.open_files));
    if (kernel::effective_uid() == 0) {
        // In this order: without the right to change the user, the others are gone, too.
        TRY(kernel::drop_bounding_capabilities());
        TRY(kernel::set_groups({}));
        TRY(kernel::set_ids(confinement.uid, confinement.gid));
    }
    TRY(kernel::drop_all_capabilities());
    TRY(kernel::set_dumpable(false));
    // A change of the user clears it.
    TRY(kernel::set_parent_death_signal(SIGKILL));
    TRY(kernel::set_no_new_privileges());
    TRY(kernel::load_seccomp_filter(make_filter(), 0));
    return files;
}

} // namespace brig::egress
