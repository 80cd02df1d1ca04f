// The eBPF program of device rules, run by a small interpreter of the instructions that it uses. The kernel's verifier
// and a real open are in tests/kernel/test_cgroup.cpp.
#include "cgroup/device_filter.hpp"
#include "plan/device_rules.hpp"

#include <array>
#include <criterion/criterion.h>
#include <cstring>
#include <optional>

using namespace brig;
using namespace brig::cgroup;

namespace {

constexpr uint32_t block = BPF_DEVCG_DEV_BLOCK, character = BPF_DEVCG_DEV_CHAR;
constexpr uint32_t m = BPF_DEVCG_ACC_MKNOD, r = BPF_DEVCG_ACC_READ, w = BPF_DEVCG_ACC_WRITE;

// nullopt: an instruction that the program must not have, or a jump outside of it.
std::optional<uint64_t> run(const std::vector<struct bpf_insn>& program, const struct bpf_cgroup_dev_ctx& context)
{
    std::array<uint64_t, 11> registers = {};
    for (size_t at = 0; at < program.size(); at++) {
        const auto& step = program[at];
        auto& target = registers[step.dst_reg];
        auto operand = static_cast<uint64_t>(static_cast<int64_t>(step.imm));
        uint32_t word = 0;
        switch (step.code) {
        case BPF_LDX | BPF_MEM | BPF_W:
            if (step.src_reg != 1 || step.off < 0 || static_cast<size_t>(step.off) + 4 > sizeof context)
                return std::nullopt;
            std::memcpy(&word, reinterpret_cast<const char*>(&context) + step.off, 4);
            target = word;
            break;
        case BPF_ALU | BPF_MOV | BPF_X: target = static_cast<uint32_t>(registers[step.src_reg]); break;
        case BPF_ALU | BPF_MOV | BPF_K: target = static_cast<uint32_t>(operand); break;
        case BPF_ALU | BPF_AND | BPF_K: target = static_cast<uint32_t>(target & operand); break;
        case BPF_ALU | BPF_RSH | BPF_K: target = static_cast<uint32_t>(target) >> operand; break;
        case BPF_JMP | BPF_JNE | BPF_K: at += target != operand ? static_cast<size_t>(step.off) : 0; break;
        case BPF_JMP | BPF_JEQ | BPF_K: at += target == operand ? static_cast<size_t>(step.off) : 0; break;
        case BPF_JMP | BPF_EXIT: return registers[0];
        default: return std::nullopt;
        }
    }
    return std::nullopt;
}

spec::DeviceRule rule(bool allow, char type, std::optional<int64_t> major, std::optional<int64_t> minor, const char* access)
{
    spec::DeviceRule made;
    made.allow = allow;
    made.type = type;
    made.major = major;
    made.minor = minor;
    made.access = access;
    return made;
}

bool allows(const std::vector<spec::DeviceRule>& rules, uint32_t type, uint32_t major, uint32_t minor, uint32_t access)
{
    auto answer = run(make_device_filter(rules), {access << 16 | type, major, minor});
    cr_assert(answer.has_value(), "the program leaves its own instructions");
    cr_assert(*answer <= 1);
    return *answer == 1;
}

} // namespace

Test(device_filter, nothing_is_allowed_without_rules)
{
    cr_expect(!allows({}, character, 1, 3, r));
    cr_expect(!allows({rule(false, 'a', {}, {}, "rwm")}, block, 8, 0, m));
}

Test(device_filter, the_default_devices)
{
    auto rules = plan::effective_device_rules({});
    cr_assert(rules.has_value());
    for (auto [major, minor] : {std::pair(1, 3), {1, 5}, {1, 7}, {1, 8}, {1, 9}, {5, 0}, {5, 2}, {136, 0}, {136, 77}, {10, 200}})
        cr_expect(allows(*rules, character, static_cast<uint32_t>(major), static_cast<uint32_t>(minor), r | w), "%d:%d", major,
                  minor);
    cr_expect(!allows(*rules, block, 1, 3, r), "the type counts");
    for (auto [major, minor] : {std::pair(1, 1), {1, 2}, {1, 4}, {1, 11}, {5, 1}, {10, 229}, {4, 0}})
        cr_expect(!allows(*rules, character, static_cast<uint32_t>(major), static_cast<uint32_t>(minor), r), "%d:%d", major,
                  minor);
    cr_expect(allows(*rules, block, 8, 0, m), "mknod of any node");
    cr_expect(!allows(*rules, block, 8, 0, r));
    cr_expect(!allows(*rules, block, 8, 0, m | r));
}

Test(device_filter, the_last_rule_wins_for_each_bit)
{
    std::vector rules = {rule(true, 'b', 8, {}, "rw"), rule(false, 'b', 8, 1, "w"), rule(true, 'b', 8, 1, "m")};
    cr_expect(allows(rules, block, 8, 0, r | w));
    cr_expect(allows(rules, block, 8, 1, r));
    cr_expect(allows(rules, block, 8, 1, r | m), "two rules together");
    cr_expect(!allows(rules, block, 8, 1, w));
    cr_expect(!allows(rules, block, 8, 1, r | w), "one denied bit denies");
    rules.push_back(rule(true, 'b', 8, 1, "w"));
    cr_expect(allows(rules, block, 8, 1, r | w));
}

Test(device_filter, a_rule_for_everything_hides_what_came_before)
{
    std::vector rules = {rule(false, 'c', 1, 3, "rwm"), rule(true, 'a', {}, {}, "rwm")};
    cr_expect(allows(rules, character, 1, 3, r | w));
    rules.push_back(rule(false, 'b', {}, {}, "rwm"));
    cr_expect(!allows(rules, block, 8, 0, r));
    cr_expect(allows(rules, character, 4, 0, r));
    cr_expect(make_device_filter(rules).size() < make_device_filter({rules[0], rules[0], rules[0], rules[2]}).size(),
              "the verifier refuses what cannot be reached");
}

Test(device_filter, partial_rules_of_type_a_match_both_types)
{
    std::vector rules = {rule(true, 'a', {}, {}, "r"), rule(true, 'a', 7, 1, "w")};
    cr_expect(allows(rules, block, 9, 9, r));
    cr_expect(!allows(rules, block, 9, 9, w));
    cr_expect(allows(rules, character, 7, 1, r | w));
}

Test(device_filter, agrees_with_a_plain_reading_of_the_rules)
{
    const std::vector<spec::DeviceRule> pool = {
        rule(true, 'a', {}, {}, "rwm"), rule(false, 'a', {}, {}, "rwm"), rule(true, 'c', 1, {}, "rw"),
        rule(false, 'c', 1, 2, "w"),    rule(true, 'b', {}, 2, "m"),     rule(false, 'a', 1, {}, "r"),
    };
    auto expected = [](const std::vector<spec::DeviceRule>& rules, uint32_t type, int64_t major, int64_t minor, uint32_t bit) {
        bool allow = false;
        for (const auto& rule : rules) {
            bool type_matches = rule.type == 'a' || rule.type == (type == block ? 'b' : 'c');
            if (type_matches && rule.major.value_or(major) == major && rule.minor.value_or(minor) == minor
                && (plan::device_access(rule) & bit) != 0)
                allow = rule.allow;
        }
        return allow;
    };
    for (size_t seed = 0; seed < 6 * 6 * 6 * 6; seed++) {
        std::vector<spec::DeviceRule> rules;
        for (size_t rest = seed, i = 0; i < 4; i++, rest /= 6)
            rules.push_back(pool[rest % 6]);
        for (uint32_t type : {block, character})
            for (uint32_t major : {1u, 2u})
                for (uint32_t minor : {2u, 3u})
                    for (uint32_t bit : {m, r, w})
                        cr_assert(allows(rules, type, major, minor, bit) == expected(rules, type, major, minor, bit), "seed %zu",
                                  seed);
    }
}
