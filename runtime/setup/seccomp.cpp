#include "setup/seccomp.hpp"

#include "base/text.hpp"
#include "kernel/files.hpp"
#include "kernel/seccomp.hpp"
#include "kernel/sockets.hpp"
#include "kernel/system_call_names.hpp"
#include "spec/vocabulary.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <linux/seccomp.h>
#include <map>
#include <memory>
#include <seccomp.h>

namespace brig::setup {

namespace {

constexpr uint32_t x32_bit = 0x40000000;
constexpr uint32_t no_system_call = 0xffffffff; // what a tracer leaves that has skipped the call

// One property of the profile in the kernel's terms.
struct Rule {
    const spec::SeccompRule* source = nullptr;
    uint32_t action = 0;
    std::vector<scmp_arg_cmp> conditions;
};

struct Profile {
    uint32_t default_action = 0;
    std::vector<uint32_t> architectures; // libseccomp's tokens, the native one first
    std::vector<Rule> rules;

    bool has(uint32_t architecture) const { return std::ranges::find(architectures, architecture) != architectures.end(); }
};

// One name with all rules for it, without those that do what the default does.
struct Call {
    std::vector<const Rule*> rules;
    bool multiplexed = false;       // on some architectures
    bool known_to_library = false;
    std::optional<uint32_t> action; // where the number alone decides
};

using Calls = std::map<std::string, Call>;

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

Result<std::vector<scmp_arg_cmp>> conditions_of(const spec::SeccompRule& rule)
{
    std::vector<scmp_arg_cmp> conditions;
    for (const auto& argument : rule.args) {
        auto operation = TRY(value_of(spec::seccomp_operators(), argument.op, "operator"));
        conditions.push_back({argument.index, static_cast<scmp_compare>(operation), argument.value, argument.value_two});
    }
    return conditions;
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
        Rule rule = {&source, TRY(action_of(source.action, source.errno_return)), TRY(conditions_of(source))};
        if (rule.action == SCMP_ACT_NOTIFY)
            TRY(check_notify(source));
        profile.rules.push_back(std::move(rule));
    }
    return profile;
}

// ---- which rules need libseccomp --------------------------------------------------------------------------------------

// On some architectures these are functions of socketcall(2) or ipc(2), told apart by an argument.
constexpr auto multiplexed_calls = std::to_array<std::string_view>({
    "accept",     "accept4",  "bind",        "connect",    "getpeername", "getsockname", "getsockopt", "ipc",
    "listen",     "msgctl",   "msgget",      "msgrcv",     "msgsnd",      "recv",        "recvfrom",   "recvmmsg",
    "recvmsg",    "semctl",   "semget",      "semop",      "semtimedop",  "send",        "sendmmsg",   "sendmsg",
    "sendto",     "setsockopt", "shmat",     "shmctl",     "shmdt",       "shmget",      "shutdown",   "socket",
    "socketcall", "socketpair",
});
static_assert(std::ranges::is_sorted(multiplexed_calls));

bool has_own_numbers_for_all(uint32_t architecture)
{
    switch (architecture) {
    case SCMP_ARCH_X86_64:
    case SCMP_ARCH_X32:
    case SCMP_ARCH_AARCH64:
    case SCMP_ARCH_RISCV64: return true;
    default: return false;
    }
}

// Trace lets through too: a tracer answers for calls that it does not know.
bool lets_through(uint32_t action)
{
    action &= SECCOMP_RET_ACTION_FULL;
    return action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG || action == SECCOMP_RET_TRACE;
}

bool is_unconditional(const Call& call)
{
    return std::ranges::all_of(call.rules, [&](const Rule* rule) {
        return rule->conditions.empty() && rule->action == call.rules.front()->action;
    });
}

// libseccomp cannot compare arguments of a call that it has no name for. Where the default action refuses, such rules are
// left out; where the default lets through, the call is refused whatever its arguments are.
std::optional<uint32_t> closest_without_arguments(const Call& call, uint32_t default_action)
{
    for (const Rule* rule : call.rules)
        if (lets_through(default_action) && !lets_through(rule->action))
            return rule->action;
    return std::nullopt;
}

Calls group_by_name(const Profile& profile)
{
    Calls calls;
    for (const auto& rule : profile.rules)
        for (const auto& name : rule.source->names) {
            Call& call = calls[name];
            if (rule.action != profile.default_action)
                call.rules.push_back(&rule);
        }
    for (auto& [name, call] : calls) {
        call.multiplexed = std::ranges::binary_search(multiplexed_calls, std::string_view(name));
        call.known_to_library = kernel::is_known_to_libseccomp(name);
        if (call.rules.empty())
            continue;
        if (is_unconditional(call))
            call.action = call.rules.front()->action;
        else if (!call.known_to_library)
            call.action = closest_without_arguments(call, profile.default_action);
    }
    return calls;
}

// ---- by number ------------------------------------------------------------------------------------------------------

uint32_t audit_architecture_of(uint32_t token)
{
    return token == SCMP_ARCH_X32 ? SCMP_ARCH_X86_64 : token; // told apart by a bit of the number
}

struct NumberedCalls {
    std::map<uint32_t, uint32_t> actions;
    std::optional<uint32_t> highest; // of all names in the profile
};

NumberedCalls number_calls(uint32_t architecture, const Profile& profile, const Calls& calls)
{
    NumberedCalls numbered;
    bool plain = has_own_numbers_for_all(architecture);
    for (const auto& [name, call] : calls) {
        auto number = kernel::system_call_number(architecture, name);
        if (!number)
            continue;
        numbered.highest = std::max(numbered.highest.value_or(0), *number);
        if (call.action && (plain || !call.multiplexed))
            numbered.actions[*number] = *call.action;
    }
    // s390 puts numbers that it does not know into setup(2), which nothing has called for decades.
    bool has_setup = architecture == SCMP_ARCH_S390 || architecture == SCMP_ARCH_S390X;
    if (has_setup && !lets_through(profile.default_action))
        numbered.actions[0] = SCMP_ACT_ERRNO(ENOSYS);
    return numbered;
}

void decide(kernel::ArchitectureFilter& filter, const NumberedCalls& numbered, const Profile& profile, uint64_t end)
{
    auto& decisions = filter.decisions_from;
    for (const auto& [number, action] : numbered.actions) {
        decisions[number] = {false, action};
        if (uint64_t next = uint64_t{number} + 1; next < end)
            decisions.try_emplace(static_cast<uint32_t>(next));
    }
    if (numbered.highest && !lets_through(profile.default_action) && uint64_t{*numbered.highest} + 1 < end)
        decisions[*numbered.highest + 1] = {false, SCMP_ACT_ERRNO(ENOSYS)};
}

// x86_64 and x32 are one architecture to the filter; all others stand for themselves.
kernel::ArchitectureFilter decide_by_number(uint32_t architecture, const Profile& profile, const Calls& calls)
{
    constexpr uint64_t all_numbers = uint64_t{1} << 32;
    kernel::ArchitectureFilter filter = {audit_architecture_of(architecture), {}};
    if (architecture != SCMP_ARCH_X86_64) {
        decide(filter, number_calls(architecture, profile, calls), profile, all_numbers);
        return filter;
    }
    decide(filter, number_calls(SCMP_ARCH_X86_64, profile, calls), profile, x32_bit);
    if (profile.has(SCMP_ARCH_X32)) {
        filter.decisions_from[x32_bit] = {};
        decide(filter, number_calls(SCMP_ARCH_X32, profile, calls), profile, all_numbers);
    } else {
        filter.decisions_from[x32_bit] = {false, SECCOMP_RET_KILL_THREAD};
        filter.decisions_from[no_system_call] = {false, profile.default_action};
    }
    return filter;
}

// ---- by arguments, by libseccomp --------------------------------------------------------------------------------------

struct ReleaseFilter {
    void operator()(void* context) const { seccomp_release(context); }
};
using LibraryFilter = std::unique_ptr<void, ReleaseFilter>;

Result<> add_conditions(const LibraryFilter& filter, const std::string& name, uint32_t action,
                        const std::vector<scmp_arg_cmp>& conditions)
{
    int number = seccomp_syscall_resolve_name(name.c_str());
    int outcome = seccomp_rule_add_array(filter.get(), action, number, static_cast<unsigned>(conditions.size()), conditions.data());
    // The same rule twice is one rule.
    if (outcome < 0 && outcome != -EEXIST)
        return failure(Error::system_call(-outcome, fmt::format("seccomp_rule_add {} action {:#x}", name, action))
                           .with_hint("another rule of linux.seccomp contradicts this one"));
    return {};
}

Result<> add_rule(const LibraryFilter& filter, const std::string& name, const Rule& rule)
{
    auto twice = [&](const scmp_arg_cmp& one) {
        return std::ranges::count(rule.conditions, one.arg, &scmp_arg_cmp::arg) > 1;
    };
    if (std::ranges::none_of(rule.conditions, twice))
        return add_conditions(filter, name, rule.action, rule.conditions);
    // libseccomp takes an argument once in a rule; as with runc, each condition then is a rule, and one is enough.
    for (const auto& condition : rule.conditions)
        TRY(add_conditions(filter, name, rule.action, {condition}));
    return {};
}

Result<LibraryFilter> new_library_filter(const Profile& profile)
{
    LibraryFilter filter(seccomp_init(profile.default_action));
    if (!filter)
        return failure(ErrorKind::not_supported, fmt::format("libseccomp refuses default action {:#x}", profile.default_action));
    for (uint32_t architecture : profile.architectures) {
        int outcome = seccomp_arch_add(filter.get(), architecture);
        if (outcome < 0 && outcome != -EEXIST)
            return failure(Error::system_call(-outcome, fmt::format("seccomp_arch_add {:#x}", architecture)));
    }
    return filter;
}

Result<kernel::FilterCode> export_filter(const LibraryFilter& filter)
{
    Fd file = TRY(kernel::memory_file("seccomp", 0));
    int outcome = seccomp_export_bpf(filter.get(), file.get());
    if (outcome < 0)
        return failure(Error::system_call(-outcome, "seccomp_export_bpf"));
    return kernel::read_filter(file);
}

// What the numbers alone do not decide.
Result<kernel::FilterCode> decide_rest(const Profile& profile, const Calls& calls)
{
    bool plain = std::ranges::all_of(profile.architectures, has_own_numbers_for_all);
    LibraryFilter filter;
    for (const auto& [name, call] : calls) {
        bool decided = call.action && (plain || !call.multiplexed);
        if (decided || !call.known_to_library || call.rules.empty())
            continue;
        if (!filter)
            filter = TRY(new_library_filter(profile));
        for (const Rule* rule : call.rules)
            TRY(add_rule(filter, name, *rule));
    }
    if (!filter)
        return kernel::FilterCode{{BPF_RET | BPF_K, 0, 0, profile.default_action}};
    return export_filter(filter);
}

// ---- the program ----------------------------------------------------------------------------------------------------

bool exists_anywhere(const std::string& name, const Profile& profile)
{
    return std::ranges::any_of(profile.architectures, [&](uint32_t architecture) {
        return kernel::system_call_number(architecture, name).has_value();
    });
}

std::vector<std::string> skipped_names(const Profile& profile, const Calls& calls)
{
    std::vector<std::string> skipped;
    for (const auto& [name, call] : calls) {
        bool without_effect = !call.rules.empty() && !call.action;
        if (!call.known_to_library && (without_effect || !exists_anywhere(name, profile)))
            skipped.push_back(name);
    }
    return skipped;
}

bool has_notifications(const Calls& calls)
{
    return std::ranges::any_of(calls, [](const auto& entry) {
        const Call& call = entry.second;
        return (call.known_to_library || call.action)
            && std::ranges::any_of(call.rules, [](const Rule* rule) { return rule->action == SCMP_ACT_NOTIFY; });
    });
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
    Calls calls = group_by_name(profile);
    std::vector<kernel::ArchitectureFilter> filters;
    for (uint32_t architecture : profile.architectures)
        if (architecture != SCMP_ARCH_X32) // decided together with x86_64
            filters.push_back(decide_by_number(architecture, profile, calls));
    auto code = kernel::assemble_filter(filters, TRY(decide_rest(profile, calls)));
    if (code.size() > BPF_MAXINSNS)
        return failure(Error(ErrorKind::invalid, fmt::format("linux.seccomp compiles to {} instructions", code.size()))
                           .with_hint(fmt::format("the kernel takes {}: use fewer rules with arguments", BPF_MAXINSNS)));
    SeccompProgram program;
    program.instructions.assign(reinterpret_cast<const char*>(code.data()), code.size() * sizeof(sock_filter));
    program.notifies = has_notifications(calls);
    program.flags = TRY(flags_of(seccomp, program.notifies));
    program.skipped_system_calls = skipped_names(profile, calls);
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
