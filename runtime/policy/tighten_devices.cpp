#include "policy/changes.hpp"

#include <algorithm>
#include <array>

namespace brig::policy {

namespace {

// What every container has, a minor of -1 meaning all: null, zero, full, random, urandom, tty, console, ptmx and the pseudo-terminals.
constexpr std::array standard = {DeviceNumber{'c', 1, 3}, DeviceNumber{'c', 1, 5}, DeviceNumber{'c', 1, 7},
                                 DeviceNumber{'c', 1, 8}, DeviceNumber{'c', 1, 9}, DeviceNumber{'c', 5, 0},
                                 DeviceNumber{'c', 5, 1}, DeviceNumber{'c', 5, 2}, DeviceNumber{'c', 136, -1}};

char rule_type(const spec::Device& device)
{
    return device.type == 'u' ? 'c' : device.type;
}

bool is_allowed(char type, std::optional<int64_t> major, std::optional<int64_t> minor, const std::vector<DeviceNumber>& allowed)
{
    auto same = [&](const DeviceNumber& device) {
        return device.type == type && major == device.major && (device.minor == -1 || minor == device.minor);
    };
    return std::ranges::any_of(standard, same) || std::ranges::any_of(allowed, same);
}

// Making nodes gives no access to them.
bool only_makes_nodes(const spec::DeviceRule& rule)
{
    return !rule.access.empty() && rule.access.find_first_not_of('m') == std::string::npos;
}

std::string rule_text(const spec::DeviceRule& rule)
{
    auto number = [](const std::optional<int64_t>& value) { return value ? std::to_string(*value) : std::string("*"); };
    return fmt::format("allow {} {}:{} {}", rule.type, number(rule.major), number(rule.minor), rule.access);
}

} // namespace

Result<> tighten_devices(spec::Linux& linux, const Policy& policy, Changes& changes)
{
    if (!policy.privileges.devices)
        return {};
    const auto& allowed = *policy.privileges.devices;
    constexpr std::string_view why = "does not name it in privileges.devices";
    auto forbidden_node = [&](const spec::Device& device) {
        return device.type != 'p' && !is_allowed(rule_type(device), device.major, device.minor, allowed);
    };
    for (const auto& device : linux.devices)
        if (forbidden_node(device))
            changes.add(fmt::format("linux.devices {}", device.path),
                        fmt::format("{} {}:{}", device.type, device.major, device.minor), "not made", why);
    std::erase_if(linux.devices, forbidden_node);
    if (!linux.resources)
        return {};
    auto forbidden_rule = [&](const spec::DeviceRule& rule) {
        return rule.allow && !only_makes_nodes(rule) && !is_allowed(rule.type, rule.major, rule.minor, allowed);
    };
    auto& rules = linux.resources->devices;
    for (const auto& rule : rules)
        if (forbidden_rule(rule))
            changes.add("linux.resources.devices", rule_text(rule), "no such rule", why);
    std::erase_if(rules, forbidden_rule);
    return {};
}

} // namespace brig::policy
