#include "spec/check_spec.hpp"
#include "spec/checks.hpp"

#include <algorithm>

namespace brig::spec {

namespace {

constexpr std::string_view notify = "SCMP_ACT_NOTIFY";

Result<> check_action(std::string_view property, std::string_view action, std::string_view errno_property,
                      const std::optional<uint32_t>& errno_return)
{
    constexpr uint32_t largest_errno = 4095;          // MAX_ERRNO: the kernel cuts down what is above
    constexpr uint32_t largest_trace_message = 65535; // SECCOMP_RET_DATA
    TRY(check_word(property, action, seccomp_actions()));
    if (!errno_return)
        return {};
    if (action != "SCMP_ACT_ERRNO" && action != "SCMP_ACT_TRACE")
        return refused(fmt::format("{} {} with {}", errno_property, *errno_return, action),
                       "only SCMP_ACT_ERRNO and SCMP_ACT_TRACE carry a number");
    uint32_t largest = action == "SCMP_ACT_ERRNO" ? largest_errno : largest_trace_message;
    if (*errno_return > largest)
        return refused(fmt::format("{} must be at most {}, not {}", errno_property, largest, *errno_return));
    return {};
}

Result<> check_arguments(std::string_view property, const SeccompRule& rule)
{
    constexpr uint32_t last_argument = 5;
    for (size_t i = 0; i < rule.args.size(); i++) {
        const auto& argument = rule.args[i];
        TRY(check_word(fmt::format("{}.args[{}].op", property, i), argument.op, seccomp_operators()));
        if (argument.index > last_argument)
            return refused(fmt::format("{}.args[{}].index must be from 0 to 5, not {}", property, i, argument.index));
    }
    return {};
}

Result<> check_rule(std::string_view property, const SeccompRule& rule, const Seccomp& seccomp)
{
    if (rule.names.empty())
        return refused(fmt::format("{}.names is empty", property), "name the system calls");
    for (const auto& name : rule.names)
        if (name.empty())
            return refused(fmt::format("{}.names has an empty name", property));
    TRY(check_action(fmt::format("{}.action", property), rule.action, fmt::format("{}.errnoRet", property), rule.errno_return));
    if (rule.action == notify && seccomp.listener_path.empty())
        return refused(fmt::format("{}.action is {} but nobody listens", property, notify), "set linux.seccomp.listenerPath");
    // The filter is loaded before its descriptor is handed on, and handing it on takes a write.
    if (rule.action == notify && std::ranges::find(rule.names, "write") != rule.names.end())
        return refused(fmt::format("{} has {} for write", property, notify), "the container could not be started with it");
    return check_arguments(property, rule);
}

} // namespace

Result<> check_seccomp(const Linux& section)
{
    return section.seccomp ? check_seccomp(*section.seccomp) : Result<>();
}

Result<> check_seccomp(const Seccomp& seccomp)
{
    TRY(check_action("linux.seccomp.defaultAction", seccomp.default_action, "linux.seccomp.defaultErrnoRet",
                     seccomp.default_errno_return));
    if (seccomp.default_action == notify)
        return refused(fmt::format("linux.seccomp.defaultAction is {}", notify),
                       "the container could not be started with it: name the system calls in linux.seccomp.syscalls");
    TRY(check_words("linux.seccomp.architectures", seccomp.architectures, seccomp_architectures()));
    TRY(check_words("linux.seccomp.flags", seccomp.flags, seccomp_flags()));
    if (!seccomp.listener_path.empty())
        TRY(check_absolute("linux.seccomp.listenerPath", seccomp.listener_path));
    if (!seccomp.listener_metadata.empty() && seccomp.listener_path.empty())
        return refused("linux.seccomp.listenerMetadata without listenerPath", "set both or none");
    for (size_t i = 0; i < seccomp.syscalls.size(); i++)
        TRY(check_rule(fmt::format("linux.seccomp.syscalls[{}]", i), seccomp.syscalls[i], seccomp));
    return {};
}

} // namespace brig::spec
