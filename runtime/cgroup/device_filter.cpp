#include "cgroup/device_filter.hpp"

#include "kernel/bpf.hpp"
#include "plan/device_rules.hpp"

#include <cstddef>

namespace brig::cgroup {

namespace {

// The plan's access bits are the kernel's.
static_assert(unsigned{plan::access_mknod} == unsigned{BPF_DEVCG_ACC_MKNOD});
static_assert(unsigned{plan::access_read} == unsigned{BPF_DEVCG_ACC_READ});
static_assert(unsigned{plan::access_write} == unsigned{BPF_DEVCG_ACC_WRITE});

// Registers. The context comes in r1; the result leaves in r0.
constexpr uint8_t result = BPF_REG_0;
constexpr uint8_t context = BPF_REG_1;
constexpr uint8_t type = BPF_REG_2;
constexpr uint8_t access = BPF_REG_3; // bits that no rule has decided yet
constexpr uint8_t major_number = BPF_REG_4;
constexpr uint8_t minor_number = BPF_REG_5;
constexpr uint8_t scratch = BPF_REG_6;

struct bpf_insn instruction(int code, uint8_t destination, uint8_t source, int16_t offset, int32_t immediate)
{
    struct bpf_insn made = {};
    made.code = static_cast<uint8_t>(code);
    made.dst_reg = destination & 0xf;
    made.src_reg = source & 0xf;
    made.off = offset;
    made.imm = immediate;
    return made;
}

struct bpf_insn load(uint8_t destination, size_t offset)
{
    return instruction(BPF_LDX | BPF_MEM | BPF_W, destination, context, static_cast<int16_t>(offset), 0);
}

struct bpf_insn compute(int operation, uint8_t destination, int32_t value)
{
    return instruction(BPF_ALU | operation | BPF_K, destination, 0, 0, value);
}

struct bpf_insn copy(uint8_t destination, uint8_t source)
{
    return instruction(BPF_ALU | BPF_MOV | BPF_X, destination, source, 0, 0);
}

// Skips `distance` instructions when the comparison with `value` holds.
struct bpf_insn jump_if(int comparison, uint8_t reg, int32_t value, size_t distance)
{
    return instruction(BPF_JMP | comparison | BPF_K, reg, 0, static_cast<int16_t>(distance), value);
}

using Program = std::vector<struct bpf_insn>;

void add_exit(Program& program, bool allow)
{
    program.push_back(compute(BPF_MOV, result, allow ? 1 : 0));
    program.push_back(instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
}

// What happens when the device matches. Every path falls through at the end where the rule has not decided.
Program decision(const spec::DeviceRule& rule)
{
    Program program;
    unsigned bits = plan::device_access(rule);
    if (rule.allow) {
        program.push_back(compute(BPF_AND, access, static_cast<int32_t>(plan::access_all & ~bits)));
        program.push_back(jump_if(BPF_JNE, access, 0, 2));
        add_exit(program, true);
    } else {
        program.push_back(copy(scratch, access));
        program.push_back(compute(BPF_AND, scratch, static_cast<int32_t>(bits)));
        program.push_back(jump_if(BPF_JEQ, scratch, 0, 2));
        add_exit(program, false);
    }
    return program;
}

void add_rule(Program& program, const spec::DeviceRule& rule)
{
    auto action = decision(rule);
    Program conditions;
    auto require = [&](uint8_t reg, int64_t value) {
        conditions.push_back(instruction(BPF_JMP | BPF_JNE | BPF_K, reg, 0, 0, static_cast<int32_t>(value)));
    };
    if (rule.type != 'a')
        require(type, rule.type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
    if (rule.major)
        require(major_number, *rule.major);
    if (rule.minor)
        require(minor_number, *rule.minor);
    for (size_t i = 0; i < conditions.size(); i++)
        conditions[i].off = static_cast<int16_t>(conditions.size() - i - 1 + action.size());
    program.insert(program.end(), conditions.begin(), conditions.end());
    program.insert(program.end(), action.begin(), action.end());
}

} // namespace

std::vector<struct bpf_insn> make_device_filter(const std::vector<spec::DeviceRule>& rules)
{
    Program program = {
        load(type, offsetof(struct bpf_cgroup_dev_ctx, access_type)),
        copy(access, type),
        compute(BPF_RSH, access, 16),
        compute(BPF_AND, type, 0xffff),
        load(major_number, offsetof(struct bpf_cgroup_dev_ctx, major)),
        load(minor_number, offsetof(struct bpf_cgroup_dev_ctx, minor)),
    };
    // Last rule first. The verifier refuses instructions that cannot be reached: nothing may follow a rule for everything.
    for (auto rule = rules.rbegin(); rule != rules.rend(); ++rule) {
        if (plan::is_reset_rule(*rule)) {
            add_exit(program, rule->allow);
            return program;
        }
        add_rule(program, *rule);
    }
    add_exit(program, false);
    return program;
}

Result<> attach_device_filter(FdRef directory, const std::vector<spec::DeviceRule>& rules)
{
    Fd program = TRY(kernel::load_device_program(make_device_filter(rules)));
    return kernel::attach_device_program(directory, program);
}

} // namespace brig::cgroup
