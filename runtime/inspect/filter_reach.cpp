#include "inspect/filter_reach.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <memory>
#include <optional>
#include <seccomp.h>
#include <set>

namespace brig::inspect {

namespace {

using Code = std::vector<sock_filter>;

constexpr uint32_t last_number = 1023; // of system calls; Linux is at half of it
constexpr uint32_t x32_bit = 0x40000000;

// ---- one call through one filter -------------------------------------------------------------------------------------

struct Verdict {
    bool lets_through = false; // for some arguments
    bool refuses = false;      // for some arguments
};

// Follows a filter for one architecture and number. Arguments are not known: a comparison with one goes both ways.
class Run {
public:
    Run(const Code& code, uint32_t architecture, uint32_t number) : m_code(code), m_architecture(architecture), m_number(number)
    {
    }

    Verdict verdict()
    {
        m_waiting.push_back({});
        // Twice the longest program. Whatever is not followed to its end counts as both.
        constexpr size_t most_steps = size_t{2} * BPF_MAXINSNS;
        for (size_t steps = 0; !m_waiting.empty(); steps++) {
            if (steps == most_steps)
                return {true, true};
            State state = m_waiting.back();
            m_waiting.pop_back();
            if (m_seen.insert(state).second)
                step(state);
        }
        return m_verdict;
    }

private:
    using Value = std::optional<uint32_t>; // absent: depends on arguments

    struct State {
        size_t at = 0;
        Value accumulator = 0;
        Value index = 0;
        std::array<Value, BPF_MEMWORDS> memory = {};

        auto operator<=>(const State&) const = default; // NOLINT(modernize-use-nullptr): the linter takes the comparison for 0
    };

    void step(State state)
    {
        if (state.at >= m_code.size()) {
            m_verdict = {true, true};
            return;
        }
        const sock_filter& instruction = m_code[state.at++];
        switch (BPF_CLASS(instruction.code)) {
        case BPF_LD: state.accumulator = loaded(instruction, state); break;
        case BPF_LDX: state.index = loaded(instruction, state); break;
        case BPF_ST: store(state, instruction.k, state.accumulator); break;
        case BPF_STX: store(state, instruction.k, state.index); break;
        case BPF_ALU: state.accumulator = computed(instruction, state); break;
        case BPF_JMP: jump(instruction, state); return;
        case BPF_RET: give(BPF_RVAL(instruction.code) == BPF_A ? state.accumulator : instruction.k); return;
        case BPF_MISC: copy(instruction, state); break;
        default: break;
        }
        m_waiting.push_back(state);
    }

    Value loaded(const sock_filter& instruction, const State& state) const
    {
        switch (BPF_MODE(instruction.code)) {
        case BPF_IMM: return instruction.k;
        case BPF_MEM: return state.memory[instruction.k % BPF_MEMWORDS];
        case BPF_LEN: return static_cast<uint32_t>(sizeof(seccomp_data));
        default: break;
        }
        if (instruction.k == offsetof(seccomp_data, nr))
            return m_number;
        return instruction.k == offsetof(seccomp_data, arch) ? Value(m_architecture) : Value();
    }

    static void store(State& state, uint32_t slot, Value value) { state.memory[slot % BPF_MEMWORDS] = value; }

    static void copy(const sock_filter& instruction, State& state)
    {
        if (BPF_MISCOP(instruction.code) == BPF_TAX)
            state.index = state.accumulator;
        else
            state.accumulator = state.index;
    }

    static Value operand(const sock_filter& instruction, const State& state)
    {
        return BPF_SRC(instruction.code) == BPF_X ? state.index : Value(instruction.k);
    }

    static Value computed(const sock_filter& instruction, const State& state)
    {
        if (BPF_OP(instruction.code) == BPF_NEG)
            return state.accumulator ? Value(-*state.accumulator) : Value();
        Value other = operand(instruction, state);
        if (!state.accumulator || !other)
            return {};
        uint32_t left = *state.accumulator;
        constexpr uint32_t width = 32;
        switch (BPF_OP(instruction.code)) {
        case BPF_ADD: return left + *other;
        case BPF_SUB: return left - *other;
        case BPF_MUL: return left * *other;
        case BPF_DIV: return *other ? Value(left / *other) : Value(0);
        case BPF_AND: return left & *other;
        case BPF_OR: return left | *other;
        case BPF_XOR: return left ^ *other;
        case BPF_LSH: return *other < width ? left << *other : 0;
        case BPF_RSH: return *other < width ? left >> *other : 0;
        default: return {};
        }
    }

    void jump(const sock_filter& instruction, State state)
    {
        if (BPF_OP(instruction.code) == BPF_JA) {
            state.at += instruction.k;
            m_waiting.push_back(state);
            return;
        }
        std::optional<bool> holds = compared(instruction, state);
        for (bool way : {true, false}) {
            if (holds && *holds != way)
                continue;
            State next = state;
            next.at += way ? instruction.jt : instruction.jf;
            m_waiting.push_back(next);
        }
    }

    static std::optional<bool> compared(const sock_filter& instruction, const State& state)
    {
        Value other = operand(instruction, state);
        if (!state.accumulator || !other)
            return {};
        switch (BPF_OP(instruction.code)) {
        case BPF_JEQ: return *state.accumulator == *other;
        case BPF_JGT: return *state.accumulator > *other;
        case BPF_JGE: return *state.accumulator >= *other;
        case BPF_JSET: return (*state.accumulator & *other) != 0;
        default: return {};
        }
    }

    void give(Value action)
    {
        if (!action) {
            m_verdict = {true, true};
            return;
        }
        uint32_t kind = *action & SECCOMP_RET_ACTION_FULL;
        bool through =
            kind == SECCOMP_RET_ALLOW || kind == SECCOMP_RET_LOG || kind == SECCOMP_RET_TRACE || kind == SECCOMP_RET_USER_NOTIF;
        (through ? m_verdict.lets_through : m_verdict.refuses) = true;
    }

    const Code& m_code;
    uint32_t m_architecture;
    uint32_t m_number;
    std::vector<State> m_waiting;
    std::set<State> m_seen;
    Verdict m_verdict;
};

// The kernel takes the strictest answer of all filters.
Verdict verdict_of(const std::vector<Code>& filters, uint32_t architecture, uint32_t number)
{
    Verdict together = {true, false};
    for (const auto& filter : filters) {
        Verdict one = Run(filter, architecture, number).verdict();
        together.lets_through = together.lets_through && one.lets_through;
        together.refuses = together.refuses || one.refuses;
    }
    return together;
}

// ---- all calls --------------------------------------------------------------------------------------------------------

std::optional<std::string> name_of_call(uint32_t architecture, uint32_t number)
{
    std::unique_ptr<char, decltype(&std::free)> name(seccomp_syscall_resolve_num_arch(architecture, static_cast<int>(number)),
                                                     std::free);
    return name ? std::optional<std::string>(name.get()) : std::nullopt;
}

bool lets_something_through(const std::vector<Code>& filters, uint32_t architecture, uint32_t first)
{
    for (uint32_t number = 0; number <= last_number; number++)
        if (verdict_of(filters, architecture, first | number).lets_through)
            return true;
    return false;
}

std::vector<std::string> foreign_interfaces(const std::vector<Code>& filters)
{
    std::vector<std::string> open;
    uint32_t native = seccomp_arch_native();
    if (native == SCMP_ARCH_X86_64) {
        if (lets_something_through(filters, SCMP_ARCH_X86, 0))
            open.emplace_back("x86");
        if (lets_something_through(filters, native, x32_bit))
            open.emplace_back("x32");
    }
    if (native == SCMP_ARCH_AARCH64 && lets_something_through(filters, SCMP_ARCH_ARM, 0))
        open.emplace_back("arm");
    return open;
}

Result<std::vector<Code>> decode(const std::vector<std::string_view>& filters)
{
    std::vector<Code> codes;
    for (auto bytes : filters) {
        size_t count = bytes.size() / sizeof(sock_filter);
        if (count == 0 || count > BPF_MAXINSNS || bytes.size() % sizeof(sock_filter) != 0)
            return failure(ErrorKind::internal, fmt::format("{} bytes are no seccomp filter", bytes.size()));
        codes.emplace_back(count);
        std::memcpy(codes.back().data(), bytes.data(), bytes.size());
    }
    return codes;
}

} // namespace

Result<FilterReach> reach_of(const std::vector<std::string_view>& filters)
{
    auto codes = TRY(decode(filters));
    FilterReach reach;
    uint32_t native = seccomp_arch_native();
    for (uint32_t number = 0; number <= last_number; number++) {
        Verdict verdict = verdict_of(codes, native, number);
        auto name = name_of_call(native, number);
        // Numbers that this kernel may not have count only where a filter names them.
        if (!verdict.lets_through || (!name && filters.empty()))
            continue;
        reach.allowed.push_back(name ? *name : fmt::format("call {}", number));
        if (verdict.refuses)
            reach.by_argument.push_back(reach.allowed.back());
    }
    std::ranges::sort(reach.allowed);
    std::ranges::sort(reach.by_argument);
    reach.foreign_interfaces = foreign_interfaces(codes);
    return reach;
}

std::vector<std::string> dangerous_calls(const FilterReach& reach)
{
    static constexpr std::array names = {
        "acct",
        "add_key",
        "bpf",
        "delete_module",
        "finit_module",
        "fsopen",
        "init_module",
        "io_uring_setup",
        "keyctl",
        "kexec_file_load",
        "kexec_load",
        "lookup_dcookie",
        "mount",
        "mount_setattr",
        "move_mount",
        "name_to_handle_at",
        "open_by_handle_at",
        "open_tree",
        "perf_event_open",
        "pivot_root",
        "process_vm_writev",
        "ptrace",
        "quotactl",
        "reboot",
        "request_key",
        "setns",
        "swapon",
        "umount2",
        "unshare",
        "userfaultfd",
    };
    std::vector<std::string> found;
    for (const char* name : names)
        if (std::ranges::find(reach.allowed, name) != reach.allowed.end())
            found.emplace_back(name);
    return found;
}

} // namespace brig::inspect
