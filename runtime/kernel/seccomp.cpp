#include "kernel/seccomp.hpp"

#include "kernel/call.hpp"
#include "kernel/files.hpp"

#include <cstddef>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace brig::kernel {

namespace {

constexpr unsigned short load = BPF_LD | BPF_W | BPF_ABS;
constexpr unsigned short jump = BPF_JMP | BPF_JA;
constexpr unsigned short jump_if_equal = BPF_JMP | BPF_JEQ | BPF_K;
constexpr unsigned short jump_if_not_below = BPF_JMP | BPF_JGE | BPF_K;
constexpr unsigned short leave = BPF_RET | BPF_K;
constexpr unsigned short jump_to_rest = 0xffff; // no instruction: replaced when the distance is known

constexpr size_t longest_short_jump = 255;

struct Step {
    uint32_t first;
    FilterDecision decision;
};

void append(FilterCode& code, const FilterCode& more)
{
    code.insert(code.end(), more.begin(), more.end());
}

// Skips `distance` instructions when the condition holds. A conditional jump reaches 255 instructions only.
void append_skip_if(FilterCode& code, unsigned short condition, uint32_t value, size_t distance)
{
    if (distance <= longest_short_jump) {
        code.push_back({condition, static_cast<uint8_t>(distance), 0, value});
        return;
    }
    code.push_back({condition, 0, 1, value});
    code.push_back({jump, 0, 0, static_cast<uint32_t>(distance)});
}

FilterCode search_tree(const Step* begin, const Step* end)
{
    if (end - begin == 1) {
        if (begin->decision.rest)
            return {{jump_to_rest, 0, 0, 0}};
        return {{leave, 0, 0, begin->decision.action}};
    }
    const Step* middle = begin + (end - begin) / 2;
    FilterCode lower = search_tree(begin, middle);
    FilterCode code;
    append_skip_if(code, jump_if_not_below, middle->first, lower.size());
    append(code, lower);
    append(code, search_tree(middle, end));
    return code;
}

FilterCode section_of(const ArchitectureFilter& architecture)
{
    std::vector<Step> steps = {{0, {}}};
    for (const auto& [first, decision] : architecture.decisions_from) {
        if (first == 0)
            steps.front().decision = decision;
        else if (decision != steps.back().decision)
            steps.push_back({first, decision});
    }
    FilterCode code = {{load, 0, 0, offsetof(struct seccomp_data, nr)}};
    append(code, search_tree(steps.data(), steps.data() + steps.size()));
    return code;
}

} // namespace

FilterCode assemble_filter(const std::vector<ArchitectureFilter>& architectures, const FilterCode& rest)
{
    FilterCode code = {{load, 0, 0, offsetof(struct seccomp_data, arch)}};
    for (const auto& architecture : architectures) {
        FilterCode section = section_of(architecture);
        FilterCode skip_section = {{jump_if_equal, 1, 0, architecture.audit_architecture},
                                   {jump, 0, 0, static_cast<uint32_t>(section.size())}};
        append(code, skip_section);
        append(code, section);
    }
    code.push_back({leave, 0, 0, SECCOMP_RET_KILL_THREAD});
    for (size_t index = 0; index < code.size(); index++)
        if (code[index].code == jump_to_rest)
            code[index] = {jump, 0, 0, static_cast<uint32_t>(code.size() - index - 1)};
    append(code, rest);
    return code;
}

Result<FilterCode> read_filter(FdRef file)
{
    struct stat status = TRY(status_of(file));
    FilterCode code(static_cast<size_t>(status.st_size) / sizeof(sock_filter));
    size_t size = code.size() * sizeof(sock_filter);
    ssize_t count = retry_interrupted([&] { return ::pread(file.get(), code.data(), size, 0); });
    if (count < 0)
        return BRIG_CALL_FAILED("pread {}", path_of(file));
    if (static_cast<size_t>(count) != size)
        return failure(ErrorKind::internal, fmt::format("{} of {} bytes of a filter were read", count, size));
    return code;
}

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
