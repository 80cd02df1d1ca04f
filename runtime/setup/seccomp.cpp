#include "setup/seccomp.hpp"

#include "base/text.hpp"
#include "kernel/seccomp.hpp"
#include "kernel/sockets.hpp"
#include "kernel/system_call_names.hpp"
#include "spec/vocabulary.hpp"

#include <algorithm>
#include <cerrno>
#include <linux/seccomp.h>
#include <map>
#include <seccomp.h>

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
            return failure(Error(ErrorKind::not_supported, fmt::format("seccomp architecture {} is unknown to libseccomp {}.{}.{}",
                                                                       name, SCMP_VER_MAJOR, SCMP_VER_MINOR, SCMP_VER_MICRO))
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

struct CallRules {
    std::optional<uint32_t> unconditional;
    std::vector<kernel::ArgumentRule> conditional;
    std::vector<kernel::ArgumentRule> unseen; // refusals of a multiplexed call whose own arguments are out of sight
};

struct NumberedRules {
    std::map<uint32_t, CallRules> calls;
    std::optional<uint32_t> highest; // of all names in the profile
};

void add_rule(NumberedRules& numbered, uint32_t number, const Rule& rule, uint32_t default_action)
{
    CallRules& call = numbered.calls[number];
    for (const auto& tests : rule.alternatives)
        call.conditional.push_back({rule.action, tests});
    if (rule.alternatives.empty() && !call.unconditional && rule.action != default_action)
        call.unconditional = rule.action;
}

// The rule for a call that can also be reached through socketcall(2) or ipc(2).
void add_multiplexed_rule(NumberedRules& numbered, const kernel::MultiplexedCall& path, const Rule& rule)
{
    CallRules& call = numbered.calls[path.number];
    kernel::ArgumentRule any_arguments = {rule.action, {{0, SCMP_CMP_MASKED_EQ, path.function_mask, path.function}}};
    if (rule.alternatives.empty())
        call.conditional.push_back(std::move(any_arguments));
    else if (!lets_through(rule.action))
        call.unseen.push_back(std::move(any_arguments));
}

NumberedRules number_rules(uint32_t architecture, const Profile& profile)
{
    NumberedRules numbered;
    for (const auto& rule : profile.rules)
        for (const auto& name : *rule.names) {
            if (auto number = kernel::system_call_number(architecture, name)) {
                numbered.highest = std::max(numbered.highest.value_or(0), *number);
                add_rule(numbered, *number, rule, profile.default_action);
            }
            if (auto path = kernel::multiplexed_call(architecture, name))
                add_multiplexed_rule(numbered, *path, rule);
        }
    // s390 puts numbers that it does not know into setup(2), which nothing has called for decades.
    bool has_setup = architecture == SCMP_ARCH_S390 || architecture == SCMP_ARCH_S390X;
    if (has_setup && !lets_through(profile.default_action))
        numbered.calls[0] = {SCMP_ACT_ERRNO(ENOSYS), {}};
    return numbered;
}

// ---- the program ------------------------------------------------------------------------------------------------------

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
    kernel::FilterDecision otherwise() const { return {std::nullopt, m_profile.default_action}; }

    kernel::FilterDecision decide_call(CallRules rules, kernel::ArgumentWidth width)
    {
        uint32_t base = rules.unconditional.value_or(m_profile.default_action);
        if (rules.unconditional)
            std::erase_if(rules.conditional, [&](const auto& rule) { return !is_stricter(rule.action, base); });
        else
            rules.conditional.insert(rules.conditional.end(), rules.unseen.begin(), rules.unseen.end());
        std::ranges::stable_sort(rules.conditional, is_stricter, &kernel::ArgumentRule::action);
        m_notifies |= base == SCMP_ACT_NOTIFY
            || std::ranges::count(rules.conditional, SCMP_ACT_NOTIFY, &kernel::ArgumentRule::action) > 0;
        if (rules.conditional.empty())
            return {std::nullopt, base};
        m_programs.push_back(kernel::test_arguments(rules.conditional, base, width));
        return {m_programs.size() - 1};
    }

    // Enters the calls of one architecture, whose numbers end before `end`.
    void decide_calls(kernel::ArchitectureFilter& filter, uint32_t architecture, uint64_t end)
    {
        auto numbered = number_rules(architecture, m_profile);
        auto width = kernel::has_narrow_arguments(architecture) ? kernel::ArgumentWidth::low_half : kernel::ArgumentWidth::all;
        auto& decisions = filter.decisions_from;
        for (auto& [number, rules] : numbered.calls) {
            decisions[number] = decide_call(std::move(rules), width);
            if (uint64_t next = uint64_t{number} + 1; next < end)
                decisions.try_emplace(static_cast<uint32_t>(next), otherwise());
        }
        if (numbered.highest && !lets_through(m_profile.default_action) && uint64_t{*numbered.highest} + 1 < end)
            decisions[*numbered.highest + 1] = {std::nullopt, SCMP_ACT_ERRNO(ENOSYS)};
    }

    kernel::ArchitectureFilter decide_architecture(uint32_t architecture)
    {
        kernel::ArchitectureFilter filter = {architecture, {{0, otherwise()}}};
        if (architecture != SCMP_ARCH_X86_64) {
            decide_calls(filter, architecture, all_numbers);
            return filter;
        }
        // To the filter x32 is a part of x86_64, told apart by a bit of the number.
        decide_calls(filter, architecture, x32_bit);
        if (m_profile.has(SCMP_ARCH_X32)) {
            filter.decisions_from[x32_bit] = otherwise();
            decide_calls(filter, SCMP_ARCH_X32, all_numbers);
        } else {
            filter.decisions_from[x32_bit] = {std::nullopt, SECCOMP_RET_KILL_THREAD};
            filter.decisions_from[no_system_call] = otherwise();
        }
        return filter;
    }

    const Profile& m_profile;
    std::vector<kernel::FilterCode> m_programs;
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
