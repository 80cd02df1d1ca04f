#include "kernel/seccomp.hpp"

#include "kernel/call.hpp"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

namespace brig::kernel {

namespace {

std::string hint_for(int code)
{
    switch (code) {
    case EACCES: return "a filter needs process.noNewPrivileges or CAP_SYS_ADMIN";
    case EBUSY: return "the process has a listener already, and the kernel allows one";
    case EINVAL: return "the kernel knows no such flag or action, or has no CONFIG_SECCOMP_FILTER";
    default: return {};
    }
}

} // namespace

Result<std::optional<Fd>> load_seccomp_filter(std::string_view instructions, unsigned long flags)
{
    // Copied, because bytes in a string have no alignment that a sock_filter could rely on.
    std::vector<sock_filter> filter(instructions.size() / sizeof(sock_filter));
    instructions.copy(reinterpret_cast<char*>(filter.data()), filter.size() * sizeof(sock_filter));
    if (filter.empty() || filter.size() > BPF_MAXINSNS)
        return failure(Error(ErrorKind::invalid, fmt::format("the seccomp filter has {} instructions", filter.size()))
                           .with_hint(fmt::format("the kernel takes 1 to {}: shorten the profile", BPF_MAXINSNS)));
    struct sock_fprog program = {static_cast<unsigned short>(filter.size()), filter.data()};
    long outcome = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
    if (outcome < 0) {
        int code = errno;
        return failure(Error::system_call(code, fmt::format("seccomp SECCOMP_SET_MODE_FILTER flags {:#x}, {} instructions",
                                                            flags, filter.size()))
                           .with_hint(hint_for(code)));
    }
    if ((flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) != 0)
        return std::optional<Fd>(Fd(static_cast<int>(outcome)));
    // With SECCOMP_FILTER_FLAG_TSYNC a positive value is the thread that could not follow.
    if (outcome > 0)
        return failure(ErrorKind::system, fmt::format("seccomp: thread {} could not take the filter over", outcome));
    return std::optional<Fd>();
}

} // namespace brig::kernel
