#include "kernel/seccomp.hpp"

#include "kernel/call.hpp"

#include <bit>
#include <cstddef>
#include <linux/seccomp.h>
#include <map>
#include <sys/prctl.h>
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

// Writes a program from its end to its beginning: all jumps go forward, so their targets are there already and have known
// distances. Returns are shared: a program of hundreds of returns takes the kernel's compiler milliseconds.
class BackwardProgram {
public:
    using Place = size_t; // of an instruction: how many there are from it to the end

    Place add(unsigned short code, uint32_t value)
    {
        m_reversed.push_back({code, 0, 0, value});
        return m_reversed.size();
    }

    Place leave_with(uint32_t action)
    {
        Place& place = m_returns[action];
        if (place == 0 || distance(place) > comfortable_distance)
            place = add(leave, action);
        return place;
    }

    Place branch(unsigned short condition, uint32_t value, Place yes, Place no)
    {
        Place near_yes = within_reach(yes);
        Place near_no = within_reach(no);
        auto if_true = static_cast<uint8_t>(distance(near_yes));
        auto if_false = static_cast<uint8_t>(distance(near_no));
        m_reversed.push_back({condition, if_true, if_false, value});
        return m_reversed.size();
    }

    // From the next instruction that is added to the place: what a jump there has to skip.
    size_t distance(Place place) const { return m_reversed.size() - place; }

    FilterCode finish() { return {m_reversed.rbegin(), m_reversed.rend()}; }

private:
    // A conditional jump has 8 bits; two more instructions can come between.
    static constexpr size_t comfortable_distance = 250;

    Place within_reach(Place place)
    {
        if (distance(place) <= comfortable_distance)
            return place;
        return add(jump, static_cast<uint32_t>(distance(place)));
    }

    FilterCode m_reversed;
    std::map<uint32_t, Place> m_returns; // the last one written of each
};

using Place = BackwardProgram::Place;

uint32_t offset_of_half(unsigned argument, bool high)
{
    bool second = high == (std::endian::native == std::endian::little);
    return static_cast<uint32_t>(offsetof(struct seccomp_data, args) + argument * sizeof(uint64_t)
                                 + (second ? sizeof(uint32_t) : 0));
}

Place equal_half(BackwardProgram& code, uint32_t offset, uint32_t bits, uint32_t value, Place yes, Place no)
{
    code.branch(jump_if_equal, value, yes, no);
    if (bits != ~0U)
        code.add(mask, bits);
    return code.add(load, offset);
}

Place equal(BackwardProgram& code, const scmp_arg_cmp& test, uint64_t bits, uint64_t value, ArgumentWidth width, Place yes,
            Place no)
{
    Place low =
        equal_half(code, offset_of_half(test.arg, false), static_cast<uint32_t>(bits), static_cast<uint32_t>(value), yes, no);
    if (width == ArgumentWidth::low_half)
        return low;
    return equal_half(code, offset_of_half(test.arg, true), static_cast<uint32_t>(bits >> 32), static_cast<uint32_t>(value >> 32),
                      low, no);
}

// `last` compares the low halves: above, or not below.
Place greater(BackwardProgram& code, const scmp_arg_cmp& test, unsigned short last, ArgumentWidth width, Place yes, Place no)
{
    code.branch(last, static_cast<uint32_t>(test.datum_a), yes, no);
    Place low = code.add(load, offset_of_half(test.arg, false));
    if (width == ArgumentWidth::low_half)
        return low;
    auto high_value = static_cast<uint32_t>(test.datum_a >> 32);
    Place equal_so_far = code.branch(jump_if_equal, high_value, low, no);
    code.branch(jump_if_above, high_value, yes, equal_so_far);
    return code.add(load, offset_of_half(test.arg, true));
}

Place compare(BackwardProgram& code, const scmp_arg_cmp& test, ArgumentWidth width, Place yes, Place no)
{
    switch (test.op) {
    case SCMP_CMP_EQ: return equal(code, test, ~0ULL, test.datum_a, width, yes, no);
    case SCMP_CMP_NE: return equal(code, test, ~0ULL, test.datum_a, width, no, yes);
    case SCMP_CMP_MASKED_EQ: return equal(code, test, test.datum_a, test.datum_b & test.datum_a, width, yes, no);
    case SCMP_CMP_GT: return greater(code, test, jump_if_above, width, yes, no);
    case SCMP_CMP_GE: return greater(code, test, jump_if_not_below, width, yes, no);
    case SCMP_CMP_LE: return greater(code, test, jump_if_above, width, no, yes);
    case SCMP_CMP_LT: return greater(code, test, jump_if_not_below, width, no, yes);
    case _SCMP_CMP_MIN:
    case _SCMP_CMP_MAX: break;
    }
    return no; // a comparison that does not exist must not open anything
}

Place test_arguments(BackwardProgram& code, const ArgumentProgram& program)
{
    Place next = code.leave_with(program.otherwise);
    for (auto rule = program.rules.rbegin(); rule != program.rules.rend(); ++rule) {
        Place match = code.leave_with(rule->action);
        for (auto test = rule->tests.rbegin(); test != rule->tests.rend(); ++test)
            match = compare(code, *test, program.width, match, next);
        next = match;
    }
    return next;
}

Place search_tree(BackwardProgram& code, const FilterStep* begin, const FilterStep* end, const std::vector<Place>& programs)
{
    if (end - begin == 1)
        return begin->program ? programs[*begin->program] : code.leave_with(begin->action);
    const FilterStep* middle = begin + (end - begin) / 2;
    Place upper = search_tree(code, middle, end, programs);
    Place lower = search_tree(code, begin, middle, programs);
    return code.branch(jump_if_not_below, middle->first, upper, lower);
}

// Neighbours that lead to the same place are one step.
std::vector<FilterStep> without_repetition(const std::vector<FilterStep>& steps)
{
    std::vector<FilterStep> merged;
    for (const auto& step : steps) {
        bool same =
            !merged.empty() && step.program == merged.back().program && (step.program || step.action == merged.back().action);
        if (!same)
            merged.push_back(step);
    }
    return merged;
}

} // namespace

FilterCode assemble_filter(const std::vector<ArchitectureFilter>& architectures, const std::vector<ArgumentProgram>& programs)
{
    BackwardProgram code;
    std::vector<Place> places;
    for (const auto& program : programs)
        places.push_back(test_arguments(code, program));
    Place next = code.leave_with(SECCOMP_RET_KILL_THREAD);
    for (auto architecture = architectures.rbegin(); architecture != architectures.rend(); ++architecture) {
        auto steps = without_repetition(architecture->steps);
        Place root = search_tree(code, steps.data(), steps.data() + steps.size(), places);
        if (code.distance(root) > 0) // a tree of one leaf is somewhere else, and the load goes on to what is behind it
            code.add(jump, static_cast<uint32_t>(code.distance(root)));
        Place section = code.add(load, offsetof(struct seccomp_data, nr));
        next = code.branch(jump_if_equal, architecture->audit_architecture, section, next);
    }
    code.add(load, offsetof(struct seccomp_data, arch));
    return code.finish();
}

namespace {

std::string hint_for(int code)
{
    switch (code) {
    case EACCES: return "a filter needs process.noNewPrivileges or CAP_SYS_ADMIN";
    case EPERM: return "an earlier filter denies seccomp(2) and prctl(2): the second one cannot be loaded";
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
    // An earlier filter of the process may deny seccomp(2) and not the older way to do the same.
    if (outcome < 0 && flags == 0)
        outcome = ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
    if (outcome < 0) {
        int code = errno;
        return failure(Error::system_call(code, fmt::format("seccomp SECCOMP_SET_MODE_FILTER flags {:#x}, {} instructions", flags,
                                                            filter.size()))
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
