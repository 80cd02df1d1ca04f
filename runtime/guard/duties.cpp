#include "guard/duties.hpp"

#include "base/text.hpp"

#include <algorithm>

namespace brig::guard {

namespace {

bool covers_name(const policy::Destination& destination, const egress::Rule& rule)
{
    if (!destination.subdomains)
        return !rule.is_suffix && rule.name == destination.host;
    return rule.name.ends_with("." + destination.host) || (rule.is_suffix && rule.name == destination.host);
}

// 0 is no limit.
template<typename Number> void lower(Number& limit, const std::optional<uint64_t>& value)
{
    if (value && *value > 0 && (limit == 0 || *value < limit))
        limit = static_cast<Number>(*value);
}

void take_time(Duties& duties, const policy::Policy& policy)
{
    auto take = [&](const std::optional<uint64_t>& value, const char* property) {
        if (!value || *value == 0 || (duties.time && duties.time->milliseconds <= *value))
            return;
        duties.time = TimeLimit{.milliseconds = *value,
                                .grace_ms = policy.limits.grace_ms.value_or(usual_grace_ms),
                                .policy = policy.name,
                                .property = property};
    };
    take(policy.limits.timeout_ms, "limits.timeout");
    take(policy.limits.lifetime_ms, "limits.maxLifetime");
}

Result<> narrow(std::vector<std::string>& allowed, const std::vector<policy::Destination>& destinations)
{
    std::vector<std::string> left;
    for (const auto& text : allowed) {
        auto rule = TRY(egress::Rule::parse(text));
        if (std::ranges::any_of(destinations, [&](const auto& destination) { return covers(destination, rule); }))
            left.push_back(text);
    }
    allowed = std::move(left);
    return {};
}

std::vector<std::string> texts_of(const std::vector<policy::Destination>& destinations)
{
    std::vector<std::string> texts;
    for (const auto& destination : destinations)
        texts.push_back(destination.text());
    return texts;
}

Result<> take_network(Duties& duties, const policy::Network& network, bool& first)
{
    if (network.mode == policy::NetworkMode::host)
        return {};
    if (first)
        duties.rules.allow = texts_of(network.allow);
    else
        TRY(narrow(duties.rules.allow, network.allow));
    first = false;
    if (network.mode == policy::NetworkMode::none)
        duties.rules.allow.clear();
    for (auto& text : texts_of(network.deny))
        duties.rules.deny.push_back(std::move(text));
    lower(duties.network.connections, network.connections);
    lower(duties.network.bytes, network.bytes);
    lower(duties.network.bytes_per_second, network.bytes_per_second);
    return {};
}

} // namespace

std::string TimeLimit::reason() const
{
    return fmt::format("the policy {} ends this container: it ran for {} ({})", policy, duration_text(milliseconds), property);
}

Result<Duties> duties_of(const std::vector<policy::Policy>& policies)
{
    Duties duties;
    bool first = true;
    for (const auto& policy : policies) {
        take_time(duties, policy);
        TRY(take_network(duties, policy.network, first));
    }
    return duties;
}

bool covers(const policy::Destination& destination, const egress::Rule& rule)
{
    if (!covers_name(destination, rule) || rule.any_protocol)
        return false;
    if (destination.port)
        return rule.port == destination.port;
    return !rule.port || *rule.port == 443 || *rule.port == 80;
}

Result<std::vector<policy::Change>> kept_beside(const policy::Policy& policy)
{
    auto duties = TRY(duties_of({policy}));
    std::vector<policy::Change> kept;
    if (duties.time)
        kept.push_back({.property = duties.time->property,
                        .before = "none",
                        .after = duration_text(duties.time->milliseconds),
                        .reason = fmt::format("kept by the guard beside the container: TERM, and KILL after {}",
                                              duration_text(duties.time->grace_ms))});
    if (duties.has_names())
        kept.push_back({.property = "network.allow",
                        .before = "none",
                        .after = join(duties.rules.allow, ", "),
                        .reason = "the egress broker beside the container connects to these names and nothing else"});
    return kept;
}

std::vector<std::string> kept_in_sandboxes_only(const policy::Policy& policy)
{
    const auto& limits = policy.limits;
    const auto& artifacts = policy.artifacts;
    std::vector<std::string> names;
    auto add = [&](bool given, const char* name) {
        if (given)
            names.push_back(name);
    };
    add(limits.idle_ms.has_value(), "limits.idleTimeout");
    add(limits.output_bytes.has_value(), "limits.output");
    add(limits.log_bytes.has_value(), "limits.log");
    add(limits.programs.has_value(), "limits.programs");
    add(limits.sandboxes.has_value(), "limits.sandboxes");
    add(artifacts.count || artifacts.bytes || artifacts.extensions || artifacts.mime_types, "artifacts");
    add(policy.approval.has_value(), "approval");
    return names;
}

std::string duration_text(uint64_t milliseconds)
{
    if (milliseconds > 0 && milliseconds % 60'000 == 0)
        return fmt::format("{} min", milliseconds / 60'000);
    if (milliseconds % 1000 == 0)
        return fmt::format("{} s", milliseconds / 1000);
    return fmt::format("{} ms", milliseconds);
}

} // namespace brig::guard
