#include "kernel/seccomp.hpp"

#include "kernel/call.hpp"

#include <bit>
#include <cstddef>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace brig::kernel {

namespace {

constexpr unsigned short load = BPF_LD | BPF_W | BPF_ABS;
constexpr unsigned short jump = BPF_JMP | BPF_JA;
constexpr unsigned short jump_if_equal = BPF_JMP | BPF_JEQ | BPF_K;
constexpr unsigned short jump_if_above = BPF_JMP | BPF_JGT | BPF_K;
constexpr unsigned short jump_if_not_below = BPF_JMP | BPF_JGE | BPF_K;
constexpr unsigned short mask = BPF_ALU | BPF_AND | BPF_K;
constexpr unsigned short leave = BPF_RET | BPF_K;
constexpr unsigned short jump_to_program = 0xffff; // no instruction: replaced when the distance is known

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
        if (begin->decision.program)
            return {{jump_to_program, 0, 0, static_cast<uint32_t>(*begin->decision.program)}};
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

// ---- comparisons of arguments ---------------------------------------------------------------------------------------

constexpr uint8_t to_failure = 255; // replaced by the distance to the next rule; a rule is shorter than that

uint32_t offset_of_half(unsigned argument, bool high)
{
    bool second = high == (std::endian::native == std::endian::little);
    return static_cast<uint32_t>(offsetof(struct seccomp_data, args) + argument * sizeof(uint64_t) + (second ? sizeof(uint32_t) : 0));
}

uint32_t high_half(uint64_t value)
{
    return static_cast<uint32_t>(value >> 32);
}

uint32_t low_half(uint64_t value)
{
    return static_cast<uint32_t>(value);
}

FilterCode equal_under_mask(const scmp_arg_cmp& test, uint64_t bits, uint64_t value, ArgumentWidth width)
{
    FilterCode code;
    if (width == ArgumentWidth::all)
        code = {{load, 0, 0, offset_of_half(test.arg, true)},
                {mask, 0, 0, high_half(bits)},
                {jump_if_equal, 0, to_failure, high_half(value)}};
    append(code, {{load, 0, 0, offset_of_half(test.arg, false)},
                  {mask, 0, 0, low_half(bits)},
                  {jump_if_equal, 0, to_failure, low_half(value)}});
    return code;
}

FilterCode not_equal(const scmp_arg_cmp& test, ArgumentWidth width)
{
    FilterCode code;
    if (width == ArgumentWidth::all)
        code = {{load, 0, 0, offset_of_half(test.arg, true)}, {jump_if_equal, 0, 2, high_half(test.datum_a)}};
    append(code, {{load, 0, 0, offset_of_half(test.arg, false)}, {jump_if_equal, to_failure, 0, low_half(test.datum_a)}});
    return code;
}

// `last` compares the low halves: above (GT, and LE when it must fail) or not below (GE, LT).
FilterCode greater(const scmp_arg_cmp& test, unsigned short last, ArgumentWidth width)
{
    FilterCode code;
    if (width == ArgumentWidth::all)
        code = {{load, 0, 0, offset_of_half(test.arg, true)},
                {jump_if_above, 3, 0, high_half(test.datum_a)},
                {jump_if_equal, 0, to_failure, high_half(test.datum_a)}};
    append(code, {{load, 0, 0, offset_of_half(test.arg, false)}, {last, 0, to_failure, low_half(test.datum_a)}});
    return code;
}

FilterCode not_greater(const scmp_arg_cmp& test, unsigned short last, ArgumentWidth width)
{
    FilterCode code;
    if (width == ArgumentWidth::all)
        code = {{load, 0, 0, offset_of_half(test.arg, true)},
                {jump_if_above, to_failure, 0, high_half(test.datum_a)},
                {jump_if_equal, 0, 2, high_half(test.datum_a)}};
    append(code, {{load, 0, 0, offset_of_half(test.arg, false)}, {last, to_failure, 0, low_half(test.datum_a)}});
    return code;
}

FilterCode comparison(const scmp_arg_cmp& test, ArgumentWidth width)
{
    switch (test.op) {
    case SCMP_CMP_EQ: return equal_under_mask(test, ~0ULL, test.datum_a, width);
    case SCMP_CMP_MASKED_EQ: return equal_under_mask(test, test.datum_a, test.datum_b & test.datum_a, width);
    case SCMP_CMP_NE: return not_equal(test, width);
    case SCMP_CMP_GT: return greater(test, jump_if_above, width);
    case SCMP_CMP_GE: return greater(test, jump_if_not_below, width);
    case SCMP_CMP_LE: return not_greater(test, jump_if_above, width);
    case SCMP_CMP_LT: return not_greater(test, jump_if_not_below, width);
    case _SCMP_CMP_MIN:
    case _SCMP_CMP_MAX: break;
    }
    // Never true: a comparison that does not exist must not open anything.
    return {{jump_if_equal, to_failure, to_failure, 0}};
}

} // namespace

FilterCode test_arguments(const std::vector<ArgumentRule>& rules, uint32_t otherwise, ArgumentWidth width)
{
    FilterCode code;
    for (const auto& rule : rules) {
        FilterCode attempt;
        for (const auto& test : rule.tests)
            append(attempt, comparison(test, width));
        attempt.push_back({leave, 0, 0, rule.action});
        for (size_t index = 0; index < attempt.size(); index++) {
            auto distance = static_cast<uint8_t>(attempt.size() - index - 1);
            attempt[index].jt = attempt[index].jt == to_failure ? distance : attempt[index].jt;
            attempt[index].jf = attempt[index].jf == to_failure ? distance : attempt[index].jf;
        }
        append(code, attempt);
    }
    code.push_back({leave, 0, 0, otherwise});
    return code;
}

FilterCode assemble_filter(const std::vector<ArchitectureFilter>& architectures, const std::vector<FilterCode>& programs)
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
    size_t end_of_sections = code.size();
    std::vector<size_t> starts;
    for (const auto& program : programs) {
        starts.push_back(code.size());
        append(code, program);
    }
    for (size_t index = 0; index < end_of_sections; index++)
        if (code[index].code == jump_to_program)
            code[index] = {jump, 0, 0, static_cast<uint32_t>(starts[code[index].k] - index - 1)};
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
