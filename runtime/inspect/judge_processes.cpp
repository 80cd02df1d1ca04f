// What its processes may do: system calls, capabilities, users.
#include "base/text.hpp"
#include "inspect/topic_findings.hpp"
#include "spec/vocabulary.hpp"

#include <algorithm>
#include <map>

namespace brig::inspect {

namespace {

struct CapabilityRisk {
    std::string_view name;
    Severity severity;
};

// Outside of a user namespace. Those that are not here are low.
constexpr std::array capability_risks = {
    CapabilityRisk{"CAP_SYS_ADMIN", Severity::critical},    CapabilityRisk{"CAP_SYS_MODULE", Severity::critical},
    CapabilityRisk{"CAP_SYS_RAWIO", Severity::critical},    CapabilityRisk{"CAP_SYS_BOOT", Severity::critical},
    CapabilityRisk{"CAP_BPF", Severity::critical},          CapabilityRisk{"CAP_DAC_READ_SEARCH", Severity::critical},
    CapabilityRisk{"CAP_MAC_ADMIN", Severity::high},        CapabilityRisk{"CAP_MAC_OVERRIDE", Severity::high},
    CapabilityRisk{"CAP_NET_ADMIN", Severity::high},        CapabilityRisk{"CAP_PERFMON", Severity::high},
    CapabilityRisk{"CAP_SYS_PTRACE", Severity::high},       CapabilityRisk{"CAP_SYSLOG", Severity::high},
    CapabilityRisk{"CAP_SYS_TIME", Severity::high},         CapabilityRisk{"CAP_CHECKPOINT_RESTORE", Severity::high},
    CapabilityRisk{"CAP_AUDIT_CONTROL", Severity::high},    CapabilityRisk{"CAP_LINUX_IMMUTABLE", Severity::medium},
    CapabilityRisk{"CAP_SYS_RESOURCE", Severity::medium},   CapabilityRisk{"CAP_SYS_NICE", Severity::medium},
    CapabilityRisk{"CAP_IPC_OWNER", Severity::medium},      CapabilityRisk{"CAP_MKNOD", Severity::medium},
    CapabilityRisk{"CAP_NET_RAW", Severity::medium},        CapabilityRisk{"CAP_DAC_OVERRIDE", Severity::medium},
    CapabilityRisk{"CAP_SYS_TTY_CONFIG", Severity::medium}, CapabilityRisk{"CAP_WAKE_ALARM", Severity::medium},
    CapabilityRisk{"CAP_BLOCK_SUSPEND", Severity::medium},  CapabilityRisk{"CAP_AUDIT_READ", Severity::medium},
};

Severity risk_of(std::string_view capability)
{
    auto found = std::ranges::find(capability_risks, capability, &CapabilityRisk::name);
    return found == capability_risks.end() ? Severity::low : found->severity;
}

// In a user namespace they reach what it owns and the kernel's code behind that, but nothing of the host's.
Severity risk_in_user_namespace(Severity severity)
{
    return severity >= Severity::high ? Severity::medium : Severity::low;
}

std::vector<std::string> missing_filter(const Confinement& confinement)
{
    std::vector<std::string> names;
    for (const auto* process : programs_of(confinement))
        if (process->seccomp == SeccompMode::none)
            names.push_back(process_name(*process));
    return names;
}

constexpr const char* filter_remedy =
    "give linux.seccomp, or brig --policy strict; with Docker leave out --privileged and seccomp=unconfined";

} // namespace

void judge_system_calls(const Confinement& confinement, TopicFindings& topic)
{
    auto bare = missing_filter(confinement);
    if (!bare.empty())
        topic.found(Severity::high, "no filter: " + some_of(bare), filter_remedy);
    if (programs_of(confinement).empty() && !confinement.has_filters)
        topic.found(Severity::high, "no filter will be loaded when a program starts", filter_remedy);
    if (programs_of(confinement).empty())
        topic.otherwise("filters are loaded when a program starts");
    topic.otherwise("every process is filtered; behind the filter is the host's own kernel");
}

void judge_capabilities(const Confinement& confinement, TopicFindings& topic)
{
    std::map<Severity, std::map<std::string, std::vector<std::string>>> found; // capability -> who has it
    for (const auto* process : programs_of(confinement)) {
        uint64_t reachable = process->capabilities.reachable(process->no_new_privileges);
        for (const auto& word : spec::capabilities()) {
            if ((reachable >> word.value & 1) == 0)
                continue;
            Severity risk = risk_of(word.name);
            found[process->own_user_namespace ? risk_in_user_namespace(risk) : risk][std::string(word.name)].push_back(
                process_name(*process));
        }
    }
    for (const auto& [severity, capabilities] : found) {
        std::vector<std::string> names;
        for (const auto& [name, holders] : capabilities)
            names.push_back(name);
        const auto& holders = capabilities.begin()->second;
        topic.found(
            severity, fmt::format("{}: has or can get {}", some_of(holders), join(names, ", ")),
            "drop them: process.capabilities, docker run --cap-drop=ALL; no_new_privs keeps root's programs from giving them");
    }
    topic.otherwise("none, and none can be got");
}

void judge_user(const Confinement& confinement, TopicFindings& topic)
{
    bool own = confinement.has_own("user");
    if (own && id_inside(confinement.uids, 0))
        topic.found(Severity::high,
                    fmt::format("its user namespace maps the caller's user 0 to {}", *id_inside(confinement.uids, 0)),
                    "map a range without the host's own users: linux.uidMappings, docker's userns-remap");
    std::vector<std::string> roots;
    std::vector<std::string> unbound;
    for (const auto* process : programs_of(confinement)) {
        if (process->uid == 0 && !process->own_user_namespace)
            roots.push_back(process_name(*process));
        if (!process->no_new_privileges)
            unbound.push_back(process_name(*process));
    }
    if (!roots.empty())
        topic.found(Severity::high, "the host's user 0: " + some_of(roots),
                    "run as another user (process.user, docker run --user), or in a user namespace");
    if (!unbound.empty())
        topic.found(Severity::medium, "setuid programs work: no_new_privs is off for " + some_of(unbound),
                    "process.noNewPrivileges, docker run --security-opt=no-new-privileges");
    const ProcessStatus& first = confinement.processes.front();
    auto inside = id_inside(confinement.uids, first.uid);
    topic.otherwise(
        fmt::format("user {} inside is {} on the host, with no_new_privs", inside ? std::to_string(*inside) : "?", first.uid));
}

void judge_seccomp_profile(const Confinement& confinement, TopicFindings& topic)
{
    // Docker's default lets some 350 through.
    constexpr size_t few = 100;
    constexpr size_t many = 400;
    if (!confinement.has_filters) {
        auto bare = missing_filter(confinement);
        if (!bare.empty() || programs_of(confinement).empty())
            topic.found(Severity::high, "no filter, every call is let through", filter_remedy);
        else
            topic.found(Severity::unknown, "filters are loaded, but the kernel shows what they say to tracers alone",
                        "inspect it by its id, or see the profile that its engine gave");
        return;
    }
    const FilterReach& reach = confinement.reach;
    std::string count = fmt::format("{} calls are let through, {} of them for some arguments only", reach.allowed.size(),
                                    reach.by_argument.size());
    auto dangerous = dangerous_calls(reach);
    if (!dangerous.empty())
        topic.found(Severity::medium, "lets through " + join(dangerous, ", "),
                    "deny them in the profile, or take brig --policy strict");
    if (!reach.foreign_interfaces.empty())
        topic.found(Severity::low, fmt::format("takes calls of {} as well", join(reach.foreign_interfaces, " and ")),
                    "leave them out of linux.seccomp.architectures");
    if (reach.allowed.size() >= few)
        topic.found(reach.allowed.size() >= many ? Severity::medium : Severity::low, count,
                    "policies/seccomp/ has profiles of less than 100 calls: brig policy show");
    topic.otherwise(count);
}

} // namespace brig::inspect
