#include "setup/seccomp.hpp"

#include "base/text.hpp"
#include "kernel/seccomp.hpp"
#include "kernel/sockets.hpp"
#include "kernel/system_call_names.hpp"
#include "spec/vocabulary.hpp"

#include <algorithm>
#include <cerrno>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <span>

namespace brig::setup {

namespace {

constexpr uint32_t x32_bit = 0x40000000;
constexpr uint32_t no_system_call = 0xffffffff; // what a tracer leaves that has skipped the call
constexpr uint64_t all_numbers = uint64_t{1} << 32;

// ---- the profile in the kernel's terms ---------------------------------------------------------------------------------

struct Rule {
    const std::vector<std::string>* names = nullptr;
    uint32_t action = 0;
    std::vector<std::vector<scmp_arg_cmp>> alternatives; // one holds when all its tests do; none: unconditional
};

struct Profile {
    uint32_t default_action = 0;
    std::vector<uint32_t> architectures; // libseccomp's tokens, the native one first
    std::vector<Rule> rules;

    bool has(uint32_t architecture) const { return std::ranges::find(architectures, architecture) != architectures.end(); }
};

Result<uint64_t> value_of(spec::Words words, const std::string& name, std::string_view what)
{
    auto value = spec::find_word(words, name);
    if (!value)
        return failure(Error(ErrorKind::invalid, fmt::format("seccomp {} {} is unknown", what, quoted(name)))
                           .with_hint("known are " + spec::alternatives(spec::names_of(words))));
    return *value;
}

Result<uint32_t> action_of(const std::string& name, const std::optional<uint32_t>& errno_return)
{
    auto action = static_cast<uint32_t>(TRY(value_of(spec::seccomp_actions(), name, "action")));
    if (action == SCMP_ACT_ERRNO(0) || action == SCMP_ACT_TRACE(0))
        return action | (errno_return.value_or(EPERM) & SECCOMP_RET_DATA);
    if (errno_return)
        return failure(ErrorKind::invalid, fmt::format("seccomp action {} cannot return errno {}", name, *errno_return));
    return action;
}

Result<std::vector<std::vector<scmp_arg_cmp>>> alternatives_of(const spec::SeccompRule& rule)
{
    constexpr uint32_t last_argument = 5;
    std::vector<scmp_arg_cmp> tests;
    for (const auto& argument : rule.args) {
        auto operation = TRY(value_of(spec::seccomp_operators(), argument.op, "operator"));
        if (argument.index > last_argument)
            return failure(ErrorKind::invalid, fmt::format("seccomp argument index {} is above 5", argument.index));
        tests.push_back({argument.index, static_cast<scmp_compare>(operation), argument.value, argument.value_two});
    }
    auto repeated = [&](const scmp_arg_cmp& test) { return std::ranges::count(tests, test.arg, &scmp_arg_cmp::arg) > 1; };
    std::vector<std::vector<scmp_arg_cmp>> alternatives;
    if (std::ranges::none_of(tests, repeated)) {
        if (!tests.empty())
            alternatives.push_back(std::move(tests));
        return alternatives;
    }
    // As runc does: then every condition of the rule is an alternative.
    for (const auto& test : tests)
        alternatives.push_back({test});
    return alternatives;
}

// The listener travels from the init to the launcher by sendmsg, before anybody could answer a notification for it.
Result<> check_notify(const spec::SeccompRule& rule)
{
    for (const auto& name : rule.names)
        if (name == "write" || name == "sendmsg")
            return failure(Error(ErrorKind::invalid, fmt::format("SCMP_ACT_NOTIFY cannot be used for the {} syscall", name))
                               .with_hint("the listener itself is handed over with it"));
    return {};
}

Result<std::vector<uint32_t>> architectures_of(const spec::Seccomp& seccomp)
{
    std::vector<uint32_t> architectures = {seccomp_arch_native()};
    for (const auto& name : seccomp.architectures) {
        auto token = static_cast<uint32_t>(TRY(value_of(spec::seccomp_architectures(), name, "architecture")));
        if (!kernel::is_known_architecture(token))
            return failure(
                Error(ErrorKind::not_supported, fmt::format("seccomp architecture {} is unknown to libseccomp {}.{}.{}", name,
                                                            SCMP_VER_MAJOR, SCMP_VER_MINOR, SCMP_VER_MICRO))
                    .with_hint("remove it from linux.seccomp.architectures"));
        if (std::ranges::find(architectures, token) == architectures.end())
            architectures.push_back(token);
    }
    return architectures;
}

Result<Profile> resolve(const spec::Seccomp& seccomp)
{
    Profile profile;
    profile.default_action = TRY(action_of(seccomp.default_action, seccomp.default_errno_return));
    if (profile.default_action == SCMP_ACT_NOTIFY)
        return failure(ErrorKind::invalid, "SCMP_ACT_NOTIFY cannot be used as default action");
    profile.architectures = TRY(architectures_of(seccomp));
    for (const auto& source : seccomp.syscalls) {
        Rule rule = {&source.names, TRY(action_of(source.action, source.errno_return)), TRY(alternatives_of(source))};
        if (rule.action == SCMP_ACT_NOTIFY)
            TRY(check_notify(source));
        profile.rules.push_back(std::move(rule));
    }
    return profile;
}

// ---- rules by number --------------------------------------------------------------------------------------------------

// Trace lets through too: a tracer answers for calls that it does not know.
bool lets_through(uint32_t action)
{
    action &= SECCOMP_RET_ACTION_FULL;
    return action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG || action == SECCOMP_RET_TRACE;
}

// The kernel's order: the smaller the signed value, the less is permitted.
bool is_stricter(uint32_t action, uint32_t other)
{
    return static_cast<int32_t>(action & SECCOMP_RET_ACTION_FULL) < static_cast<int32_t>(other & SECCOMP_RET_ACTION_FULL);
}

// A rule that a call can meet, by the number under which it meets it.
struct NumberedRule {
    uint32_t number = 0;
    const Rule* rule = nullptr;
    std::optional<scmp_arg_cmp> function; // the call is one of those of socketcall(2) or ipc(2)
};

struct NumberedRules {
    std::vector<NumberedRule> rules; // by number, then as in the profile
    std::optional<uint32_t> highest; // of all names in the profile
};

NumberedRules number_rules(uint32_t architecture, const Profile& profile)
{
    NumberedRules numbered;
    bool multiplexes = kernel::multiplexes_calls(architecture);
    for (const auto& rule : profile.rules)
        for (const auto& name : *rule.names) {
            if (auto number = kernel::system_call_number(architecture, name)) {
                numbered.highest = std::max(numbered.highest.value_or(0), *number);
                numbered.rules.push_back({*number, &rule, std::nullopt});
            }
            if (auto path = multiplexes ? kernel::multiplexed_call(architecture, name) : std::nullopt)
                numbered.rules.push_back({path->number, &rule, {{0, SCMP_CMP_MASKED_EQ, path->function_mask, path->function}}});
        }
    std::ranges::stable_sort(numbered.rules, {}, &NumberedRule::number);
    return numbered;
}

// ---- the program ------------------------------------------------------------------------------------------------------

struct CallRules {
    std::optional<uint32_t> unconditional;
    std::vector<kernel::ArgumentRule> conditional;
    std::vector<kernel::ArgumentRule> unseen; // refusals of a multiplexed call whose own arguments are out of sight
};

CallRules collect(std::span<const NumberedRule> rules, uint32_t default_action)
{
    CallRules call;
    for (const auto& [number, rule, function] : rules) {
        bool conditional = !rule->alternatives.empty();
        if (function && !conditional)
            call.conditional.push_back({rule->action, {*function}});
        else if (function && !lets_through(rule->action))
            call.unseen.push_back({rule->action, {*function}});
        else if (!function && !conditional && !call.unconditional && rule->action != default_action)
            call.unconditional = rule->action;
        if (!function)
            for (const auto& tests : rule->alternatives)
                call.conditional.push_back({rule->action, tests});
    }
    if (call.unconditional)
        std::erase_if(call.conditional, [&](const auto& rule) { return !is_stricter(rule.action, *call.unconditional); });
    else
        call.conditional.insert(call.conditional.end(), call.unseen.begin(), call.unseen.end());
    std::ranges::stable_sort(call.conditional, is_stricter, &kernel::ArgumentRule::action);
    return call;
}

class Compiler {
public:
    explicit Compiler(const Profile& profile) : m_profile(profile) {}

    kernel::FilterCode compile()
    {
        std::vector<kernel::ArchitectureFilter> filters;
        for (uint32_t architecture : m_profile.architectures)
            if (architecture != SCMP_ARCH_X32)
                filters.push_back(decide_architecture(architecture));
        return kernel::assemble_filter(filters, m_programs);
    }

    bool notifies() const { return m_notifies; }

private:
    kernel::FilterStep decide_call(std::span<const NumberedRule> rules, kernel::ArgumentWidth width)
    {
        CallRules call = collect(rules, m_profile.default_action);
        uint32_t base = call.unconditional.value_or(m_profile.default_action);
        m_notifies |=
            base == SCMP_ACT_NOTIFY || std::ranges::count(call.conditional, SCMP_ACT_NOTIFY, &kernel::ArgumentRule::action) > 0;
        if (call.conditional.empty())
            return {rules.front().number, base, std::nullopt};
        m_programs.push_back({std::move(call.conditional), base, width});
        return {rules.front().number, base, m_programs.size() - 1};
    }

    // Enters the calls of one architecture, whose numbers are from `first` on and before `end`.
    void decide_calls(std::vector<kernel::FilterStep>& steps, uint32_t architecture, uint32_t first, uint64_t end)
    {
        auto numbered = number_rules(architecture, m_profile);
        auto width = kernel::has_narrow_arguments(architecture) ? kernel::ArgumentWidth::low_half : kernel::ArgumentWidth::all;
        steps.push_back({first, m_profile.default_action, std::nullopt});
        for (auto begin = numbered.rules.begin(); begin != numbered.rules.end();) {
            auto behind =
                std::find_if(begin, numbered.rules.end(), [&](const auto& rule) { return rule.number != begin->number; });
            enter(steps, decide_call({begin, behind}, width));
            if (uint64_t{begin->number} + 1 < end)
                steps.push_back({begin->number + 1, m_profile.default_action, std::nullopt});
            begin = behind;
        }
        if (lets_through(m_profile.default_action))
            return;
        if (numbered.highest && uint64_t{*numbered.highest} + 1 < end)
            enter(steps, {*numbered.highest + 1, SCMP_ACT_ERRNO(ENOSYS), std::nullopt});
        // s390 puts numbers that it does not know into setup(2), which nothing has called for decades.
        if (architecture == SCMP_ARCH_S390 || architecture == SCMP_ARCH_S390X)
            steps.front() = {0, SCMP_ACT_ERRNO(ENOSYS), std::nullopt};
    }

    // The step behind a call is that of the next call, when there is no gap.
    static void enter(std::vector<kernel::FilterStep>& steps, const kernel::FilterStep& step)
    {
        if (steps.back().first == step.first)
            steps.back() = step;
        else
            steps.push_back(step);
    }

    kernel::ArchitectureFilter decide_architecture(uint32_t architecture)
    {
        kernel::ArchitectureFilter filter = {architecture, {}};
        if (architecture != SCMP_ARCH_X86_64) {
            decide_calls(filter.steps, architecture, 0, all_numbers);
            return filter;
        }
        // To the filter x32 is a part of x86_64, told apart by a bit of the number.
        decide_calls(filter.steps, architecture, 0, x32_bit);
        if (m_profile.has(SCMP_ARCH_X32)) {
            decide_calls(filter.steps, SCMP_ARCH_X32, x32_bit, all_numbers);
        } else {
            filter.steps.push_back({x32_bit, SECCOMP_RET_KILL_THREAD, std::nullopt});
            filter.steps.push_back({no_system_call, m_profile.default_action, std::nullopt});
        }
        return filter;
    }

    const Profile& m_profile;
    std::vector<kernel::ArgumentProgram> m_programs;
    bool m_notifies = false;
};

std::vector<std::string> unknown_names(const Profile& profile)
{
    auto known = [&](const std::string& name) {
        return kernel::is_known_to_libseccomp(name) || std::ranges::any_of(profile.architectures, [&](uint32_t architecture) {
                   return kernel::system_call_number(architecture, name).has_value();
               });
    };
    std::vector<std::string> unknown;
    for (const auto& rule : profile.rules)
        for (const auto& name : *rule.names)
            if (!known(name))
                unknown.push_back(name);
    return unknown;
}

Result<unsigned> flags_of(const spec::Seccomp& seccomp, bool notifies)
{
    unsigned flags = 0;
    for (const auto& name : seccomp.flags)
        flags |= static_cast<unsigned>(TRY(value_of(spec::seccomp_flags(), name, "flag")));
    if (!notifies)
        // Without a listener there is nothing to wait for, and the kernel refuses the flag.
        return flags & ~static_cast<unsigned>(SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
    flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
    // Both want the return value for themselves unless thread trouble is reported by errno.
    if ((flags & SECCOMP_FILTER_FLAG_TSYNC) != 0)
        flags |= SECCOMP_FILTER_FLAG_TSYNC_ESRCH;
    return flags;
}

} // namespace

Result<SeccompProgram> compile_seccomp(const spec::Seccomp& seccomp)
{
    Profile profile = TRY(resolve(seccomp));
    Compiler compiler(profile);
    auto code = compiler.compile();
    if (code.size() > BPF_MAXINSNS)
        return failure(Error(ErrorKind::invalid, fmt::format("linux.seccomp compiles to {} instructions", code.size()))
                           .with_hint(fmt::format("the kernel takes {}: use fewer rules with arguments", BPF_MAXINSNS)));
    SeccompProgram program;
    program.instructions.assign(reinterpret_cast<const char*>(code.data()), code.size() * sizeof(sock_filter));
    program.notifies = compiler.notifies();
    program.flags = TRY(flags_of(seccomp, program.notifies));
    program.skipped_system_calls = unknown_names(profile);
    return program;
}

Result<std::optional<Fd>> load_seccomp(const SeccompProgram& program)
{
    return kernel::load_seccomp_filter(program.instructions, program.flags);
}

Result<> send_seccomp_listener(const spec::Seccomp& seccomp, FdRef listener, const std::string& process_state)
{
    Fd socket = TRY_DURING(fmt::format("connect to linux.seccomp.listenerPath {}", quoted(seccomp.listener_path)),
                           kernel::connect_stream(seccomp.listener_path));
    return kernel::send_message(socket, process_state, {listener.get()});
}

} // namespace brig::setup
