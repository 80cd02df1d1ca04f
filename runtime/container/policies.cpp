#include "container/policies.hpp"

#include "base/text.hpp"
#include "kernel/host_facts.hpp"
#include "kernel/process.hpp"
#include "launch/process_start.hpp"
#include "policy/read_policy.hpp"
#include "setup/landlock.hpp"
#include "spec/vocabulary.hpp"

#include <algorithm>

namespace brig::container {

namespace {

constexpr const char* documents_name = "policy.json";
constexpr const char* filters_name = "policy.bpf";

std::string text_of(const policy::Change& change)
{
    return fmt::format("{}: {} -> {}: {}", change.property, one_line(change.before), one_line(change.after), change.reason);
}

} // namespace

std::vector<policy::Policy> ChosenPolicies::policies() const
{
    std::vector<policy::Policy> list;
    for (const auto& file : files)
        list.push_back(file.policy);
    return list;
}

std::vector<spec::Seccomp> ChosenPolicies::filters() const
{
    std::vector<spec::Seccomp> list;
    for (const auto& file : files)
        if (file.filter)
            list.push_back(*file.filter);
    return list;
}

namespace {

Result<ChosenPolicies> find_policies(const Context& context, const std::map<std::string, std::string>& annotations)
{
    ChosenPolicies chosen;
    auto settings = TRY(read_host_settings(context.host_settings_file));
    std::string first = context.policy.empty() ? settings.default_policy : context.policy;
    if (!first.empty())
        chosen.files.push_back(TRY(PolicyFiles(context.policy_folders()).find(first)));
    auto annotation = annotations.find(std::string(policy_annotation));
    if (annotation == annotations.end())
        return chosen;
    // Who writes a bundle may be who runs in it: what he names can only tighten further, but also disturb.
    if (!settings.allow_annotations) {
        chosen.warnings.push_back(fmt::format("annotation {} is not followed: {} does not say \"allowAnnotations\": true",
                                              quoted(policy_annotation), context.host_settings_file));
        return chosen;
    }
    if (annotation->second != first)
        chosen.files.push_back(TRY_DURING(fmt::format("annotation {}", policy_annotation),
                                          PolicyFiles(context.policy_folders()).find(annotation->second)));
    return chosen;
}

} // namespace

Result<ChosenPolicies> choose_policies(const Context& context, const std::map<std::string, std::string>& annotations)
{
    auto chosen = TRY(find_policies(context, annotations));
    for (auto& file : chosen.files)
        for (auto limit : context.unkept_limits)
            (file.policy.resources.*limit).reset();
    return chosen;
}

std::vector<policy::Landlock> landlock_rules(const std::vector<policy::Policy>& policies)
{
    std::vector<policy::Landlock> rules;
    for (const auto& policy : policies)
        if (policy.filesystem.landlock)
            rules.push_back(*policy.filesystem.landlock);
    return rules;
}

Result<policy::HostLimits> read_host_limits(const std::vector<policy::Policy>& policies)
{
    policy::HostLimits host;
    host.memory_bytes = TRY(kernel::machine_memory());
    if (std::ranges::any_of(policies, [](const policy::Policy& policy) { return !policy.resources.io.empty(); }))
        for (const auto& disk : TRY(kernel::whole_disks()))
            host.block_devices.push_back({disk.major, disk.minor});
    for (const char* type : {"RLIMIT_NOFILE", "RLIMIT_FSIZE", "RLIMIT_CORE"}) {
        auto limit = TRY(kernel::resource_limit(0, static_cast<int>(*spec::find_word(spec::rlimits(), type))));
        host.callers_limits.push_back({type, limit.rlim_max, limit.rlim_cur});
    }
    return host;
}

Result<> apply_policies(const Context& context, const std::vector<policy::Policy>& policies, spec::Spec& spec)
{
    if (policies.empty())
        return {};
    if (std::ranges::any_of(policies, [](const policy::Policy& policy) { return policy.filesystem.landlock.has_value(); }))
        TRY(setup::check_landlock());
    auto tightened = TRY(policy::tighten_all(std::move(spec), policies, TRY(read_host_limits(policies))));
    spec = std::move(tightened.spec);
    for (const auto& change : tightened.changes)
        context.log.debug(text_of(change));
    return {};
}

Result<std::vector<policy::Change>> explain_policy(const policy::Policy& policy, spec::Spec spec)
{
    return TRY(policy::tighten(std::move(spec), policy, TRY(read_host_limits({policy})))).changes;
}

Result<> keep_policies(const StateDirectory& directory, const ChosenPolicies& chosen)
{
    if (chosen.files.empty())
        return {};
    Json documents = Json::array();
    for (const auto& file : chosen.files)
        documents.append(Json::copy_of(file.document.view()));
    return directory.write_file(documents_name, documents.to_text());
}

Result<std::vector<policy::Policy>> kept_policies(const StateDirectory& directory, const Record& record)
{
    std::vector<policy::Policy> policies;
    if (record.policies.empty())
        return policies;
    Json documents = TRY(Json::parse(TRY(directory.read_file(documents_name))));
    for (size_t index = 0; index < documents.view().size(); index++)
        policies.push_back(TRY_DURING(documents_name, policy::read_policy(documents.view().at(index))));
    if (policies.size() != record.policies.size())
        return failure(ErrorKind::internal, fmt::format("{} and the record of the container differ", documents_name));
    return policies;
}

Result<> apply_kept_policies(const std::vector<policy::Policy>& policies, spec::Process& process)
{
    if (policies.empty())
        return {};
    auto host = TRY(read_host_limits(policies));
    for (const auto& policy : policies)
        (void)TRY(policy::tighten_process(process, policy, host));
    return {};
}

Result<> keep_policy_filters(const StateDirectory& directory, const std::vector<setup::SeccompProgram>& filters)
{
    return directory.write_file(filters_name, launch::encode_programs(filters));
}

Result<std::vector<setup::SeccompProgram>> kept_policy_filters(const StateDirectory& directory,
                                                               const std::vector<policy::Policy>& policies)
{
    if (std::ranges::none_of(policies, [](const policy::Policy& policy) { return !policy.seccomp.profile.empty(); }))
        return std::vector<setup::SeccompProgram>();
    return launch::decode_programs(TRY(directory.read_file(filters_name)));
}

} // namespace brig::container
