#include "plan/device_rules.hpp"

#include "plan/cgroup_write_list.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace brig::plan {

namespace {

const char* const property = "linux.resources.devices";

struct DefaultDevice {
    char type;
    int64_t major; // -1: all
    int64_t minor;
    std::string_view access;
};

constexpr std::array default_devices = {
    DefaultDevice{'c', -1, -1, "m"},                                     // a node is of no use without the right to open it
    DefaultDevice{'b', -1, -1, "m"},    DefaultDevice{'c', 1, 3, "rwm"}, // null
    DefaultDevice{'c', 1, 8, "rwm"},                                     // random
    DefaultDevice{'c', 1, 7, "rwm"},                                     // full
    DefaultDevice{'c', 5, 0, "rwm"},                                     // tty
    DefaultDevice{'c', 1, 5, "rwm"},                                     // zero
    DefaultDevice{'c', 1, 9, "rwm"},                                     // urandom
    DefaultDevice{'c', 136, -1, "rwm"},                                  // pts
    DefaultDevice{'c', 5, 2, "rwm"},                                     // ptmx
    DefaultDevice{'c', 10, 200, "rwm"}, // net/tun: runc took it out in 1.2.0 and back in with 1.2.4, as users need it
};

spec::DeviceRule to_rule(const DefaultDevice& device)
{
    spec::DeviceRule rule;
    rule.allow = true;
    rule.type = device.type;
    if (device.major >= 0)
        rule.major = device.major;
    if (device.minor >= 0)
        rule.minor = device.minor;
    rule.access = device.access;
    return rule;
}

std::string number_text(const std::optional<int64_t>& number)
{
    return number ? std::to_string(*number) : "*";
}

std::string device_text(const spec::DeviceRule& rule)
{
    return fmt::format("{} {}:{}", rule.type, number_text(rule.major), number_text(rule.minor));
}

std::string rule_text(const spec::DeviceRule& rule)
{
    return fmt::format("{} {} {}", rule.allow ? "allow" : "deny", device_text(rule), device_access_text(device_access(rule)));
}

Result<> check_number(const std::optional<int64_t>& number, std::string_view name)
{
    if (number && (*number < 0 || *number > std::numeric_limits<int32_t>::max()))
        return failure(Error(ErrorKind::invalid, fmt::format("{}.{} is {}", property, name, *number))
                           .with_hint("leave it out to mean all devices"));
    return {};
}

Result<> check_rule(const spec::DeviceRule& rule)
{
    // The specification lets it out without saying what that means; "all" would be an open door by mistake.
    if (rule.access.empty())
        return failure(
            Error(ErrorKind::invalid, fmt::format("{}.access is empty", property)).with_hint("say which of r, w and m is meant"));
    if (rule.type != 'a' && rule.type != 'c' && rule.type != 'b')
        return failure(Error(ErrorKind::invalid, fmt::format("{}.type is {}", property, quoted(std::string_view(&rule.type, 1))))
                           .with_hint("use a, c or b"));
    if (rule.access.find_first_not_of("rwm") != std::string::npos)
        return failure(Error(ErrorKind::invalid, fmt::format("{}.access is {}", property, quoted(rule.access)))
                           .with_hint("compose it of r, w and m"));
    TRY(check_number(rule.major, "major"));
    return check_number(rule.minor, "minor");
}

// -1 is what older callers write for "all".
spec::DeviceRule normalized(spec::DeviceRule rule)
{
    if (rule.major == -1)
        rule.major.reset();
    if (rule.minor == -1)
        rule.minor.reset();
    return rule;
}

bool same_device(const spec::DeviceRule& one, const spec::DeviceRule& other)
{
    return one.type == other.type && one.major == other.major && one.minor == other.minor;
}

} // namespace

unsigned device_access(const spec::DeviceRule& rule)
{
    unsigned access = 0;
    for (char letter : rule.access)
        access |= letter == 'r' ? access_read : letter == 'w' ? access_write : access_mknod;
    return access;
}

std::string device_access_text(unsigned access)
{
    std::string text;
    if (access & access_read)
        text += 'r';
    if (access & access_write)
        text += 'w';
    if (access & access_mknod)
        text += 'm';
    return text;
}

bool is_reset_rule(const spec::DeviceRule& rule)
{
    return rule.type == 'a' && !rule.major && !rule.minor && device_access(rule) == access_all;
}

Result<std::vector<spec::DeviceRule>> effective_device_rules(const std::vector<spec::DeviceRule>& rules)
{
    std::vector<spec::DeviceRule> effective;
    spec::DeviceRule deny_all;
    deny_all.access = "rwm";
    effective.push_back(deny_all);
    for (const auto& given : rules) {
        auto rule = normalized(given);
        TRY(check_rule(rule));
        if (is_reset_rule(rule))
            effective.clear();
        effective.push_back(rule);
    }
    // Where everything is allowed at first, the defaults could only take back what the specification denies.
    if (effective.front().allow)
        return effective;
    for (const auto& device : default_devices) {
        auto rule = to_rule(device);
        auto denied = [&](const spec::DeviceRule& other) { return !other.allow && same_device(rule, other); };
        if (std::none_of(effective.begin(), effective.end(), denied))
            effective.push_back(rule);
    }
    return effective;
}

namespace {

// cgroup v1's model: a default, and exceptions to it that are matched one by one.
class ExceptionList {
public:
    Result<> apply(const spec::DeviceRule& rule)
    {
        if (is_reset_rule(rule)) {
            m_allow_by_default = rule.allow;
            m_exceptions.clear();
            return {};
        }
        if (rule.type == 'a') {
            auto part = rule;
            part.type = 'c';
            TRY(apply(part));
            part.type = 'b';
            return apply(part);
        }
        if (rule.allow == m_allow_by_default)
            return remove(rule);
        add(rule);
        return {};
    }

    std::vector<CgroupWrite> writes() const
    {
        CgroupWriteList list(property);
        list.add("", m_allow_by_default ? "devices.allow" : "devices.deny", "a");
        for (const auto& exception : m_exceptions)
            list.add("", m_allow_by_default ? "devices.deny" : "devices.allow",
                     fmt::format("{} {}", device_text(exception), device_access_text(device_access(exception))));
        return list.take();
    }

private:
    void add(const spec::DeviceRule& rule)
    {
        for (auto& exception : m_exceptions)
            if (same_device(exception, rule)) {
                exception.access = device_access_text(device_access(exception) | device_access(rule));
                return;
            }
        m_exceptions.push_back(rule);
    }

    static bool covers(const std::optional<int64_t>& wide, const std::optional<int64_t>& narrow)
    {
        return !wide || wide == narrow;
    }

    static bool overlap(const std::optional<int64_t>& one, const std::optional<int64_t>& other)
    {
        return !one || !other || one == other;
    }

    Result<> remove(const spec::DeviceRule& rule)
    {
        for (auto& exception : m_exceptions) {
            unsigned common = device_access(exception) & device_access(rule);
            if (common == 0 || exception.type != rule.type || !overlap(exception.major, rule.major)
                || !overlap(exception.minor, rule.minor))
                continue;
            if (!covers(rule.major, exception.major) || !covers(rule.minor, exception.minor))
                return failure(Error(ErrorKind::not_supported,
                                     fmt::format("{}: cgroup v1 cannot apply the rule {} inside the earlier rule {}", property,
                                                 rule_text(rule), rule_text(exception)))
                                   .with_hint("name the allowed devices one by one, or use a host with cgroup v2"));
            exception.access = device_access_text(device_access(exception) & ~common);
        }
        std::erase_if(m_exceptions, [](const spec::DeviceRule& exception) { return exception.access.empty(); });
        return {};
    }

    bool m_allow_by_default = false;
    std::vector<spec::DeviceRule> m_exceptions;
};

} // namespace

Result<std::vector<CgroupWrite>> device_v1_writes(const std::vector<spec::DeviceRule>& effective_rules)
{
    ExceptionList list;
    for (const auto& rule : effective_rules)
        TRY(list.apply(rule));
    return list.writes();
}

} // namespace brig::plan
