// Private to the tighten_*.cpp files: the list of changes as it grows, and the parts that tighten() runs.
#pragma once

#include "base/result.hpp"
#include "base/text.hpp"
#include "policy/tighten.hpp"

namespace brig::policy {

class Changes {
public:
    explicit Changes(const Policy& policy) : m_policy(policy) {}

    void add(std::string property, std::string before, std::string after, std::string_view why)
    {
        m_list.push_back(
            {std::move(property), std::move(before), std::move(after), fmt::format("the policy {} {}", m_policy.name, why)});
    }

    // "PROPERTY is BEFORE, but the policy NAME WHY"
    tl::unexpected<Error> refuse(std::string_view property, std::string_view before, std::string_view why,
                                 std::string_view hint) const
    {
        return failure(
            Error(ErrorKind::refused, fmt::format("{} is {}, but the policy {} {}", property, before, m_policy.name, why))
                .with_hint(std::string(hint)));
    }

    std::vector<Change> take() { return std::move(m_list); }

private:
    const Policy& m_policy;
    std::vector<Change> m_list;
};

Result<> tighten_isolation(spec::Spec& spec, const Policy& policy, Changes& changes);
Result<> tighten_devices(spec::Linux& linux, const Policy& policy, Changes& changes);
Result<> tighten_filesystem(spec::Spec& spec, const Policy& policy, const HostLimits& host, Changes& changes);
Result<> tighten_resources(spec::Resources& resources, const Policy& policy, const HostLimits& host, Changes& changes);
Result<> tighten_process_with(spec::Process& process, const Policy& policy, const HostLimits& host, Changes& changes);

// path is directory or below it; both absolute and clean.
inline bool covers(std::string_view directory, std::string_view path)
{
    return directory == "/" || path == directory
           || (path.size() > directory.size() && path.starts_with(directory) && path[directory.size()] == '/');
}

} // namespace brig::policy
