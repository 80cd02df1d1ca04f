// The compiled filter decides each call as its profile says. Two independent judges: libseccomp, for profiles where it can
// be trusted, and an evaluator that reads the rules without making a program.
#include "filter_machine.hpp"

#include "base/text.hpp"
#include "setup/seccomp.hpp"
#include "spec/read_spec.hpp"
#include "spec/vocabulary.hpp"

#include <cerrno>
#include <criterion/criterion.h>
#include <cstdio>
#include <random>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace brig;
using tests::run_filter;

static constexpr uint32_t x32_bit = 0x40000000;

static std::string text_of(const char* path)
{
    FILE* file = std::fopen(path, "re");
    cr_assert(file != nullptr, "cannot open %s: run the tests from the root of the repository", path);
    std::string text(1 << 20, '\0');
    text.resize(std::fread(text.data(), 1, text.size(), file));
    std::fclose(file);
    return text;
}

static spec::Seccomp profile_of(const std::string& json)
{
    auto spec = spec::read_spec(R"({"ociVersion": "1.0.0", "linux": {"seccomp": )" + json + "}}");
    cr_assert(spec.has_value(), "%s", spec ? "" : spec.error().message().c_str());
    return *spec->linux->seccomp;
}

static setup::SeccompProgram compile(const spec::Seccomp& profile)
{
    auto program = setup::compile_seccomp(profile);
    cr_assert(program.has_value(), "%s", program ? "" : program.error().message().c_str());
    return *program;
}

static uint32_t answer(const setup::SeccompProgram& program, uint32_t architecture, uint32_t number, uint64_t first_argument = 0)
{
    seccomp_data call = {static_cast<int>(number), architecture, 0, {first_argument}};
    auto result = run_filter(program.instructions, call);
    cr_assert(result.has_value(), "the kernel would refuse the program");
    return *result;
}

// ---- the whole profile given to libseccomp, as runc does ---------------------------------------------------------------

static uint32_t action_of(const std::string& name, std::optional<uint32_t> errno_return)
{
    auto action = static_cast<uint32_t>(*spec::find_word(spec::seccomp_actions(), name));
    bool carries = action == SCMP_ACT_ERRNO(0) || action == SCMP_ACT_TRACE(0);
    return carries ? action | errno_return.value_or(EPERM) : action;
}

static std::vector<uint32_t> tokens_of(const spec::Seccomp& profile)
{
    std::vector<uint32_t> tokens = {seccomp_arch_native()};
    for (const auto& name : profile.architectures)
        tokens.push_back(static_cast<uint32_t>(*spec::find_word(spec::seccomp_architectures(), name)));
    return tokens;
}

static std::string exported(scmp_filter_ctx filter)
{
    int file = memfd_create("reference", MFD_CLOEXEC);
    cr_assert(seccomp_export_bpf(filter, file) == 0);
    std::string program(static_cast<size_t>(lseek(file, 0, SEEK_CUR)), '\0');
    cr_assert(pread(file, program.data(), program.size(), 0) == static_cast<ssize_t>(program.size()));
    close(file);
    return program;
}

static void add_reference_rule(scmp_filter_ctx filter, const spec::SeccompRule& rule, uint32_t action, const std::string& name)
{
    std::vector<scmp_arg_cmp> all;
    std::map<unsigned, int> uses;
    for (const auto& argument : rule.args) {
        auto operation = static_cast<scmp_compare>(*spec::find_word(spec::seccomp_operators(), argument.op));
        all.push_back({argument.index, operation, argument.value, argument.value_two});
        uses[argument.index]++;
    }
    int number = seccomp_syscall_resolve_name(name.c_str());
    bool repeated = std::any_of(uses.begin(), uses.end(), [](auto& use) { return use.second > 1; });
    if (number == __NR_SCMP_ERROR)
        return;
    if (!repeated)
        cr_assert(seccomp_rule_add_array(filter, action, number, static_cast<unsigned>(all.size()), all.data()) == 0);
    else
        for (auto& one : all)
            cr_assert(seccomp_rule_add_array(filter, action, number, 1, &one) == 0);
}

// One architecture: with several, libseccomp 2.5.4 makes wrong programs (see profiles_that_libseccomp_gets_wrong).
static std::string reference_program(const spec::Seccomp& profile, uint32_t token)
{
    uint32_t default_action = action_of(profile.default_action, profile.default_errno_return);
    scmp_filter_ctx filter = seccomp_init(default_action);
    if (token != seccomp_arch_native()) {
        cr_assert(seccomp_arch_add(filter, token) == 0);
        cr_assert(seccomp_arch_remove(filter, seccomp_arch_native()) == 0);
    }
    for (const auto& rule : profile.syscalls) {
        uint32_t action = action_of(rule.action, rule.errno_return);
        for (const auto& name : rule.names)
            if (action != default_action)
                add_reference_rule(filter, rule, action, name);
    }
    std::string program = exported(filter);
    seccomp_release(filter);
    return program;
}

// libseccomp's other direction: it hides the direct numbers of calls that socketcall and ipc have too.
static std::optional<uint32_t> number_of(uint32_t token, const std::string& name)
{
    using Numbers = std::map<std::string, uint32_t>;
    static std::map<uint32_t, Numbers> known;
    Numbers& numbers = known[token];
    uint32_t first = token == SCMP_ARCH_X32 ? x32_bit : token == SCMP_ARCH_MIPSEL || token == SCMP_ARCH_MIPS ? 4000 : 0;
    for (uint32_t number = first; numbers.count("read") == 0 || number < first + 600; number++)
        if (char* found = seccomp_syscall_resolve_num_arch(token, static_cast<int>(number))) {
            numbers.emplace(found, number);
            free(found);
        }
    auto entry = numbers.find(name);
    return entry == numbers.end() ? std::nullopt : std::optional(entry->second);
}

// The highest number that the profile names for the architecture.
static std::optional<uint32_t> highest(const spec::Seccomp& profile, uint32_t token)
{
    std::optional<uint32_t> most;
    for (const auto& rule : profile.syscalls)
        for (const auto& name : rule.names)
            if (auto number = number_of(token, name))
                most = std::max(most.value_or(0), *number);
    return most;
}

static bool lets_through(uint32_t action)
{
    action &= SECCOMP_RET_ACTION_FULL;
    return action == SCMP_ACT_ALLOW || action == SCMP_ACT_LOG || action == SCMP_ACT_TRACE(0);
}

// What libseccomp answers on one architecture, and ENOSYS above what the profile names.
class Expectation {
public:
    Expectation(const spec::Seccomp& profile, uint32_t token)
    {
        auto tokens = tokens_of(profile);
        m_listed = std::find(tokens.begin(), tokens.end(), token) != tokens.end();
        if (!m_listed)
            return;
        m_program = reference_program(profile, token);
        if (!lets_through(action_of(profile.default_action, profile.default_errno_return)))
            m_highest = highest(profile, token);
    }

    uint32_t of(const seccomp_data& call) const
    {
        if (!m_listed)
            return SCMP_ACT_KILL_THREAD;
        if (m_highest && static_cast<uint32_t>(call.nr) > *m_highest)
            return SCMP_ACT_ERRNO(ENOSYS);
        return *run_filter(m_program, call);
    }

private:
    bool m_listed = false;
    std::string m_program;
    std::optional<uint32_t> m_highest;
};

static const std::vector<uint64_t> interesting_arguments = {
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    10,
    11,
    12,
    13,
    14,
    15,
    16,
    17,
    18,
    19,
    20,
    21,
    22,
    23,
    24,
    38,
    40,
    44,
    45,
    46,
    0x20000,
    0x20008,
    0x7e020000,
    0x7fffffff,
    0x80000000,
    0xffffffff,
    0x100000000,
    0x100000010,
    0x7e02000000000000,
    0xffffffff00000000,
    ~0ULL,
};

static void compare(const setup::SeccompProgram& program, const Expectation& expected, uint32_t token, uint32_t number,
                    uint64_t argument)
{
    uint32_t audit = token == SCMP_ARCH_X32 ? static_cast<uint32_t>(SCMP_ARCH_X86_64) : token;
    bool has_half = token == SCMP_ARCH_X86 || token == SCMP_ARCH_MIPSEL;
    uint64_t bits = has_half ? 0xffffffff : ~0ULL; // 32-bit processes have no more, and libseccomp does not look
    seccomp_data call = {static_cast<int>(number),
                         audit,
                         0,
                         {argument & bits, (argument ^ 1) & bits, (argument >> 3) & bits, 0, argument & bits, 7}};
    auto found = run_filter(program.instructions, call);
    cr_assert(found.has_value(), "the kernel would refuse the program");
    uint32_t wanted = expected.of(call);
    cr_assert(*found == wanted, "architecture %#x number %#x argument %#llx: %#x instead of %#x", token, number,
              static_cast<unsigned long long>(argument), *found, wanted);
}

// Also with names that only brig knows; what they lead to is checked by tests of their own.
static spec::Seccomp without_new_names(spec::Seccomp profile)
{
    for (auto& rule : profile.syscalls)
        std::erase_if(rule.names,
                      [](const std::string& name) { return seccomp_syscall_resolve_name(name.c_str()) == __NR_SCMP_ERROR; });
    return profile;
}

static void compare_range(const setup::SeccompProgram& program, const spec::Seccomp& profile, uint32_t token, uint32_t first,
                          uint32_t last)
{
    Expectation expected(profile, token);
    for (uint32_t number = first; number <= last; number++)
        for (uint64_t argument : interesting_arguments)
            compare(program, expected, token, number, argument);
}

static void compare_all(const spec::Seccomp& full_profile)
{
    auto profile = without_new_names(full_profile);
    auto program = compile(profile);
    compare_range(program, profile, SCMP_ARCH_X86_64, 0, 600);
    compare_range(program, profile, SCMP_ARCH_X86, 0, 600);
    compare_range(program, profile, SCMP_ARCH_AARCH64, 0, 600);
    compare_range(program, profile, SCMP_ARCH_PPC64LE, 0, 600);
    compare_range(program, profile, SCMP_ARCH_MIPSEL, 3990, 4600);
    compare_range(program, profile, SCMP_ARCH_X32, x32_bit, x32_bit + 600);
    compare_range(program, profile, SCMP_ARCH_X86_64, x32_bit - 2, x32_bit - 1);
    compare_range(program, profile, SCMP_ARCH_X32, 0x7fffffff, 0x80000000);
    compare_range(program, profile, SCMP_ARCH_X32, 0xfffffffd, 0xfffffffe);
}

Test(seccomp, decides_docker_profile_as_libseccomp_does)
{
    auto profile = profile_of(text_of("policies/seccomp/default.json"));
    compare_all(profile);
    profile.architectures.clear();
    compare_all(profile);
    profile.architectures = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_AARCH64", "SCMP_ARCH_PPC64LE", "SCMP_ARCH_MIPSEL"};
    compare_all(profile);
}

Test(seccomp, decides_default_allow_and_kill_as_libseccomp_does)
{
    std::string rules = R"(, "architectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"], "syscalls": [
        {"names": ["mkdir", "socket", "keyctl", "shmget", "read", "stat64"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13},
        {"names": ["personality"], "action": "SCMP_ACT_KILL_PROCESS", "args": [{"index": 0, "value": 8, "op": "SCMP_CMP_GE"}]},
        {"names": ["openat", "ioctl"], "action": "SCMP_ACT_TRAP", "args": [
            {"index": 0, "value": 40, "op": "SCMP_CMP_LE"}, {"index": 1, "value": 4, "op": "SCMP_CMP_NE"}]},
        {"names": ["clone"], "action": "SCMP_ACT_LOG", "args": [
            {"index": 0, "value": 2114060288, "valueTwo": 131072, "op": "SCMP_CMP_MASKED_EQ"}]},
        {"names": ["ptrace"], "action": "SCMP_ACT_TRACE", "errnoRet": 77}
    ]})";
    for (std::string action : {"ALLOW", "KILL", "KILL_PROCESS", "LOG", "TRAP", "TRACE", "ERRNO"})
        compare_all(profile_of(R"({"defaultAction": "SCMP_ACT_)" + action + "\"" + rules));
}

// Two conditions on one argument are alternatives, as in runc.
Test(seccomp, conditions_on_one_argument_are_alternatives)
{
    auto profile = profile_of(R"({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
        {"names": ["read"], "action": "SCMP_ACT_ALLOW"},
        {"names": ["personality", "socket"], "action": "SCMP_ACT_ALLOW", "args": [
            {"index": 0, "value": 3, "op": "SCMP_CMP_EQ"}, {"index": 0, "value": 5, "op": "SCMP_CMP_EQ"},
            {"index": 1, "value": 1, "op": "SCMP_CMP_EQ"}]}]})");
    compare_all(profile);
    auto program = compile(profile);
    constexpr uint32_t personality = 135;
    cr_expect(answer(program, SCMP_ARCH_X86_64, personality, 3) == SCMP_ACT_ALLOW);
    cr_expect(answer(program, SCMP_ARCH_X86_64, personality, 5) == SCMP_ACT_ALLOW);
    cr_expect(answer(program, SCMP_ARCH_X86_64, personality, 4) == SCMP_ACT_ERRNO(EPERM));
}

// ---- the evaluator ------------------------------------------------------------------------------------------------------

static bool holds(const spec::SeccompArgument& test, uint64_t value, bool narrow)
{
    uint64_t bits = narrow ? 0xffffffff : ~0ULL;
    uint64_t wanted = test.value & bits;
    value &= bits;
    if (test.op == "SCMP_CMP_NE")
        return value != wanted;
    if (test.op == "SCMP_CMP_LT")
        return value < wanted;
    if (test.op == "SCMP_CMP_LE")
        return value <= wanted;
    if (test.op == "SCMP_CMP_EQ")
        return value == wanted;
    if (test.op == "SCMP_CMP_GE")
        return value >= wanted;
    if (test.op == "SCMP_CMP_GT")
        return value > wanted;
    return (value & wanted) == (test.value_two & wanted);
}

static bool matches(const spec::SeccompRule& rule, const seccomp_data& call, bool narrow)
{
    std::map<unsigned, int> uses;
    for (const auto& test : rule.args)
        uses[test.index]++;
    auto one = [&](const spec::SeccompArgument& test) { return holds(test, call.args[test.index], narrow); };
    if (std::any_of(uses.begin(), uses.end(), [](auto& use) { return use.second > 1; }))
        return std::any_of(rule.args.begin(), rule.args.end(), one);
    return std::all_of(rule.args.begin(), rule.args.end(), one);
}

// The call that a name means behind i386's socketcall (102) and ipc (117).
static bool is_function(const std::string& name, const seccomp_data& call)
{
    static const std::map<std::string, std::pair<int, uint64_t>> functions = {
        {"socket", {102, 1}}, {"recv", {102, 10}}, {"accept4", {102, 18}}, {"semop", {117, 1}}, {"shmat", {117, 21}}};
    auto function = functions.find(name);
    if (function == functions.end() || function->second.first != call.nr)
        return false;
    return function->second.second == (call.nr == 117 ? call.args[0] & 0xffff : call.args[0]);
}

// The profile on one architecture, its names resolved once.
struct Evaluator {
    Evaluator(const spec::Seccomp& evaluated, uint32_t on_token) : profile(evaluated), token(on_token)
    {
        default_action = action_of(profile.default_action, profile.default_errno_return);
        most = highest(profile, token);
        for (const auto& rule : profile.syscalls)
            for (const auto& name : rule.names)
                entries.push_back({&rule, name, action_of(rule.action, rule.errno_return), number_of(token, name)});
    }

    uint32_t of(const seccomp_data& call) const
    {
        std::optional<uint32_t> unconditional;
        std::vector<uint32_t> matched, unseen;
        for (const auto& entry : entries) {
            bool conditional = !entry.rule->args.empty();
            if (entry.number == static_cast<uint32_t>(call.nr)) {
                if (conditional && matches(*entry.rule, call, token == SCMP_ARCH_X32))
                    matched.push_back(entry.action);
                if (!conditional && !unconditional && entry.action != default_action)
                    unconditional = entry.action;
            }
            if (token == SCMP_ARCH_X86 && is_function(entry.name, call) && !conditional)
                matched.push_back(entry.action);
            else if (token == SCMP_ARCH_X86 && is_function(entry.name, call) && !lets_through(entry.action))
                unseen.push_back(entry.action);
        }
        auto strictness = [](uint32_t action) { return static_cast<int32_t>(action & SECCOMP_RET_ACTION_FULL); };
        if (unconditional)
            std::erase_if(matched, [&](uint32_t action) { return strictness(action) >= strictness(*unconditional); });
        else
            matched.insert(matched.end(), unseen.begin(), unseen.end());
        if (!matched.empty())
            return *std::min_element(matched.begin(), matched.end(),
                                     [&](uint32_t a, uint32_t b) { return strictness(a) < strictness(b); });
        if (!unconditional && most && static_cast<uint32_t>(call.nr) > *most && !lets_through(default_action))
            return SCMP_ACT_ERRNO(ENOSYS);
        return unconditional.value_or(default_action);
    }

    struct Entry {
        const spec::SeccompRule* rule;
        std::string name;
        uint32_t action;
        std::optional<uint32_t> number;
    };
    const spec::Seccomp& profile;
    uint32_t token;
    uint32_t default_action = 0;
    std::optional<uint32_t> most;
    std::vector<Entry> entries;
};

// Any mix of actions, names and conditions, also several rules for a name.
static std::string generated(std::mt19937& random)
{
    static const std::vector<std::string> names = {
        "read", "write", "open",    "socket",  "accept4",    "shmat", "semop", "ipc",         "socketcall", "clone",  "clone3",
        "mmap", "mmap2", "_llseek", "fcntl64", "arch_prctl", "ioctl", "prctl", "futex_waitv", "waitpid",    "execve", "recv",
    };
    static const std::vector<std::string> operators = {"NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"};
    static const std::vector<std::string> actions = {"ALLOW", "TRAP", "KILL_PROCESS", "KILL_THREAD", "LOG", "NOTIFY", "ERRNO"};
    auto pick = [&](size_t limit) { return std::uniform_int_distribution<size_t>(0, limit - 1)(random); };
    std::string rules;
    for (int count = 0; count < 30; count++) {
        std::string args;
        for (unsigned index = 0; index < 3; index++)
            if (pick(3) == 0)
                args += fmt::format(R"({}{{"index": {}, "value": {}, "valueTwo": {}, "op": "SCMP_CMP_{}"}})",
                                    args.empty() ? "" : ", ", pick(8) == 0 ? 0 : index,
                                    interesting_arguments[pick(interesting_arguments.size())],
                                    interesting_arguments[pick(interesting_arguments.size())], operators[pick(7)]);
        rules += fmt::format(R"({}{{"names": ["{}", "{}"], "action": "SCMP_ACT_{}", "args": [{}]}})", rules.empty() ? "" : ", ",
                             names[pick(names.size())], names[pick(names.size())], actions[pick(7)], args);
    }
    const char* defaults[] = {"SCMP_ACT_ERRNO", "SCMP_ACT_LOG", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_ALLOW"};
    return fmt::format(R"({{"defaultAction": "{}", "architectures": ["SCMP_ARCH_X86"{}], "syscalls": [{}]}})", defaults[pick(4)],
                       pick(2) == 0 ? R"(, "SCMP_ARCH_X32")" : "", rules);
}

static void judge(const setup::SeccompProgram& program, const Evaluator& evaluator, uint32_t number, uint64_t argument)
{
    uint32_t token = evaluator.token;
    uint32_t audit = token == SCMP_ARCH_X32 ? static_cast<uint32_t>(SCMP_ARCH_X86_64) : token;
    uint64_t bits = token == SCMP_ARCH_X86 ? 0xffffffff : ~0ULL; // i386 has no more
    seccomp_data call = {static_cast<int>(number), audit, 0, {argument & bits, (argument ^ 1) & bits, (argument >> 3) & bits}};
    uint32_t found = *run_filter(program.instructions, call);
    uint32_t wanted = evaluator.of(call);
    cr_assert(found == wanted, "architecture %#x number %#x argument %#llx: %#x instead of %#x", token, number,
              static_cast<unsigned long long>(argument), found, wanted);
}

Test(seccomp, decides_generated_profiles_as_their_rules_say)
{
    std::mt19937 random(20);
    int judged = 0;
    for (int round = 0; round < 40; round++) {
        auto profile = profile_of(generated(random));
        auto program = setup::compile_seccomp(profile);
        if (!program) // notification for write
            continue;
        judged++;
        for (uint32_t token : tokens_of(profile)) {
            Evaluator evaluator(profile, token);
            for (uint32_t number = 0; number < 460; number++)
                for (size_t pick = number % 4; pick < interesting_arguments.size(); pick += 4)
                    judge(*program, evaluator, token == SCMP_ARCH_X32 ? number | x32_bit : number, interesting_arguments[pick]);
        }
    }
    cr_expect(judged > 20, "%d", judged);
}

// Why the programs are brig's own: where the first name has no number on the architecture, libseccomp 2.5.4 forgets to load
// the number and compares the architecture with it, so that every call gets the default action.
Test(seccomp, profiles_that_libseccomp_gets_wrong)
{
    constexpr uint32_t mkdir = 39;
    constexpr const char* json = R"({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86"], "syscalls": [
        {"names": ["recv"], "action": "SCMP_ACT_ERRNO"},
        {"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]}]})";
    auto wrong = reference_program(profile_of(json), SCMP_ARCH_X86);
    seccomp_data mkdir_one = {mkdir, SCMP_ARCH_X86, 0, {1}};
    cr_expect(*run_filter(wrong, mkdir_one) == SCMP_ACT_ALLOW, "libseccomp has learnt it: tell docs/seccomp.md");
    cr_expect(answer(compile(profile_of(json)), SCMP_ARCH_X86, mkdir, 1) == SCMP_ACT_ERRNO(EPERM));
}

Test(seccomp, strictest_matching_rule_holds)
{
    auto program = compile(profile_of(R"({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
        {"names": ["clone"], "action": "SCMP_ACT_ALLOW"},
        {"names": ["clone"], "action": "SCMP_ACT_KILL_PROCESS", "args": [{"index": 0, "value": 268435456, "valueTwo": 268435456, "op": "SCMP_CMP_MASKED_EQ"}]},
        {"names": ["mount"], "action": "SCMP_ACT_ALLOW"},
        {"names": ["mount"], "action": "SCMP_ACT_KILL_PROCESS"}]})"));
    constexpr uint32_t clone = 56;
    constexpr uint32_t mount = 165;
    cr_expect(answer(program, SCMP_ARCH_X86_64, clone, 0) == SCMP_ACT_ALLOW);
    cr_expect(answer(program, SCMP_ARCH_X86_64, clone, 0x10000000) == SCMP_ACT_KILL_PROCESS);
    // Of unconditional rules the first, as with libseccomp: profiles are merged that way.
    cr_expect(answer(program, SCMP_ARCH_X86_64, mount) == SCMP_ACT_ALLOW);
}

Test(seccomp, multiplexed_calls_of_i386)
{
    constexpr uint32_t socketcall = 102;
    constexpr uint32_t ipc = 117;
    auto deny = compile(profile_of(R"({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86"], "syscalls": [
        {"names": ["socket"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": 38, "op": "SCMP_CMP_EQ"}]},
        {"names": ["shmget"], "action": "SCMP_ACT_ERRNO"}]})"));
    cr_expect(answer(deny, SCMP_ARCH_X86, socketcall, 1) == SCMP_ACT_ERRNO(EPERM));
    cr_expect(answer(deny, SCMP_ARCH_X86, socketcall, 3) == SCMP_ACT_ALLOW);
    // ipc(2) ignores the upper half of its first argument; a filter that does not is passed by.
    cr_expect(answer(deny, SCMP_ARCH_X86, ipc, 23) == SCMP_ACT_ERRNO(EPERM));
    cr_expect(answer(deny, SCMP_ARCH_X86, ipc, 0x10017) == SCMP_ACT_ERRNO(EPERM));
    auto allow = compile(profile_of(R"({"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86"], "syscalls": [
        {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]},
        {"names": ["connect"], "action": "SCMP_ACT_ALLOW"}]})"));
    cr_expect(answer(allow, SCMP_ARCH_X86, socketcall, 1) == SCMP_ACT_ERRNO(EPERM));
    cr_expect(answer(allow, SCMP_ARCH_X86, socketcall, 3) == SCMP_ACT_ALLOW);
    // A profile that names socketcall decides for it: 32-bit programs of Docker's profile would have no network otherwise.
    auto named = compile(profile_of(R"({"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86"], "syscalls": [
        {"names": ["socketcall"], "action": "SCMP_ACT_ALLOW"},
        {"names": ["socket"], "action": "SCMP_ACT_ERRNO", "errnoRet": 22, "args": [{"index": 0, "value": 16, "op": "SCMP_CMP_EQ"}]}]})"));
    cr_expect(answer(named, SCMP_ARCH_X86, socketcall, 1) == SCMP_ACT_ALLOW);
}

// ---- what libseccomp does not do -----------------------------------------------------------------------------------------

static constexpr uint32_t mseal = 462;
static constexpr uint32_t listns = 470;

Test(seccomp, newer_calls_than_libseccomp_can_be_allowed)
{
    auto program = compile(profile_of(R"({"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        "syscalls": [{"names": ["read", "mseal", "uretprobe"], "action": "SCMP_ACT_ALLOW"}]})"));
    cr_expect(answer(program, SCMP_ARCH_X86_64, mseal) == SCMP_ACT_ALLOW);
    cr_expect(answer(program, SCMP_ARCH_X86, mseal) == SCMP_ACT_ALLOW);
    cr_expect(answer(program, SCMP_ARCH_X86_64, x32_bit | mseal) == SCMP_ACT_ALLOW);
    cr_expect(answer(program, SCMP_ARCH_X86_64, 335) == SCMP_ACT_ALLOW);
    cr_expect(answer(program, SCMP_ARCH_X86, 335) == SCMP_ACT_ERRNO(EPERM));
    cr_expect(answer(program, SCMP_ARCH_X86_64, mseal - 1) == SCMP_ACT_ERRNO(EPERM));
    cr_expect(answer(program, SCMP_ARCH_X86_64, mseal + 1) == SCMP_ACT_ERRNO(ENOSYS));
    cr_expect(program.skipped_system_calls.empty());
}

Test(seccomp, newer_calls_than_libseccomp_can_be_denied)
{
    auto program = compile(profile_of(R"({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        "syscalls": [{"names": ["listns"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1},
                     {"names": ["mseal"], "action": "SCMP_ACT_KILL_PROCESS", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]}]})"));
    for (uint32_t call : {listns, x32_bit | listns})
        cr_expect(answer(program, SCMP_ARCH_X86_64, call) == SCMP_ACT_ERRNO(EPERM));
    cr_expect(answer(program, SCMP_ARCH_X86, listns) == SCMP_ACT_ERRNO(EPERM));
    cr_expect(answer(program, SCMP_ARCH_X86_64, listns + 1) == SCMP_ACT_ALLOW);
    cr_expect(answer(program, SCMP_ARCH_X86_64, mseal, 1) == SCMP_ACT_KILL_PROCESS);
    cr_expect(answer(program, SCMP_ARCH_X86, mseal, 2) == SCMP_ACT_ALLOW);
}

Test(seccomp, unknown_names_are_reported)
{
    auto program = compile(profile_of(R"({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
        {"names": ["read", "no_such_call", "mseal", "socketcall", "uretprobe"], "action": "SCMP_ACT_ALLOW"}]})"));
    cr_assert(program.skipped_system_calls.size() == 1);
    cr_expect(program.skipped_system_calls[0] == "no_such_call");
}

Test(seccomp, unlisted_architectures_are_killed)
{
    auto program = compile(profile_of(R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]})"));
    constexpr uint32_t mkdir = 83;
    cr_expect(answer(program, SCMP_ARCH_X86_64, mkdir) == SCMP_ACT_ERRNO(EPERM));
    cr_expect(answer(program, SCMP_ARCH_X86_64, x32_bit | mkdir) == SCMP_ACT_KILL_THREAD);
    cr_expect(answer(program, SCMP_ARCH_X86, 39) == SCMP_ACT_KILL_THREAD);
    // A call that a tracer has skipped is no call of a foreign architecture.
    cr_expect(answer(program, SCMP_ARCH_X86_64, 0xffffffff) == SCMP_ACT_ALLOW);
}

Test(seccomp, enosys_only_above_what_the_profile_names)
{
    constexpr uint32_t openat2 = 437;
    for (const char* action : {"SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_TRAP"}) {
        auto program = compile(profile_of(fmt::format(R"({{"defaultAction": "{}", "syscalls": [
            {{"names": ["openat2"], "action": "SCMP_ACT_ALLOW"}}]}})",
                                                      action)));
        cr_expect(answer(program, SCMP_ARCH_X86_64, openat2 - 1) == answer(program, SCMP_ARCH_X86_64, 1), "%s", action);
        cr_expect(answer(program, SCMP_ARCH_X86_64, openat2 + 1) == SCMP_ACT_ERRNO(ENOSYS), "%s", action);
    }
    auto open = compile(profile_of(R"({"defaultAction": "SCMP_ACT_LOG", "syscalls": [
        {"names": ["openat2"], "action": "SCMP_ACT_ERRNO"}]})"));
    cr_expect(answer(open, SCMP_ARCH_X86_64, openat2 + 1) == SCMP_ACT_LOG);
}

static void expect_refusal(const char* json, const char* part)
{
    auto program = setup::compile_seccomp(profile_of(json));
    cr_assert(!program.has_value(), "%s was compiled", json);
    cr_expect(contains(program.error().message(), part), "%s", program.error().message().c_str());
}

Test(seccomp, refuses_what_cannot_work)
{
    expect_refusal(R"({"defaultAction": "SCMP_ACT_NOTIFY"})", "SCMP_ACT_NOTIFY cannot be used as default action");
    expect_refusal(R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["write"], "action": "SCMP_ACT_NOTIFY"}]})",
                   "SCMP_ACT_NOTIFY cannot be used for the write syscall");
    expect_refusal(R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["sendmsg"], "action": "SCMP_ACT_NOTIFY"}]})",
                   "SCMP_ACT_NOTIFY cannot be used for the sendmsg syscall");
    expect_refusal(R"({"defaultAction": "SCMP_ACT_KILL", "defaultErrnoRet": 5})", "cannot return errno 5");
    expect_refusal(R"({"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_NEW_LISTENER"]})", "flag");
    expect_refusal(R"({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_LOONGARCH64"]})", "unknown to libseccomp");
    expect_refusal(R"({"defaultAction": "SCMP_ACT_FOO"})", "action");
}

Test(seccomp, flags_and_notification)
{
    auto plain = compile(profile_of(R"({"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_LOG",
        "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]})"));
    cr_expect(!plain.notifies);
    cr_expect(plain.flags == (SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW | SECCOMP_FILTER_FLAG_TSYNC));
    auto notifying = compile(profile_of(R"({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/run/agent",
        "flags": ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"],
        "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]})"));
    cr_expect(notifying.notifies);
    cr_expect(notifying.flags
              == (SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH | SECCOMP_FILTER_FLAG_NEW_LISTENER
                  | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV));
    auto unknown = compile(profile_of(R"({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/run/agent",
        "syscalls": [{"names": ["no_such_call"], "action": "SCMP_ACT_NOTIFY"}]})"));
    cr_expect(!unknown.notifies);
}
