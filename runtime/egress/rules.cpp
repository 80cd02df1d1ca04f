#include "egress/rules.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <array>

namespace brig::egress {

namespace {

constexpr size_t longest_name = 253;
constexpr size_t longest_label = 63;
constexpr size_t most_rules = 1024;
constexpr size_t most_ports = 64;
constexpr std::array<uint16_t, 2> default_ports = {443, 80};

char lower(char letter)
{
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

bool is_digit(char letter)
{
    return letter >= '0' && letter <= '9';
}

// Underscores are no part of host names, but names with them are in use (buckets, customers' subdomains).
bool may_be_in_label(char letter)
{
    return (letter >= 'a' && letter <= 'z') || is_digit(letter) || letter == '-' || letter == '_';
}

// "0x7f.1", "127.1", "2130706433": libraries read a name whose last label is a number as an IPv4 address.
bool is_number(std::string_view label)
{
    if (label.starts_with("0x"))
        return std::all_of(label.begin() + 2, label.end(),
                           [](char letter) { return is_digit(letter) || (letter >= 'a' && letter <= 'f'); });
    return std::all_of(label.begin(), label.end(), is_digit);
}

tl::unexpected<Error> no_name(std::string_view name, std::string_view why, std::string hint = {})
{
    return failure(
        Error(ErrorKind::invalid, fmt::format("{} is not a host name: {}", quoted(name), why)).with_hint(std::move(hint)));
}

Result<> check_label(std::string_view name, std::string_view label)
{
    if (label.empty())
        return no_name(name, "it has an empty label");
    if (label.size() > longest_label)
        return no_name(name, fmt::format("a label has more than {} characters", longest_label));
    if (label.front() == '-' || label.back() == '-')
        return no_name(name, "a label begins or ends with a hyphen");
    for (char letter : label) {
        if (static_cast<unsigned char>(letter) >= 0x80)
            return no_name(name, "it is not ASCII", "write the A-label form of an international name: xn--...");
        if (!may_be_in_label(letter))
            return no_name(name, "only letters, digits, hyphens and underscores can be in a label");
    }
    return {};
}

} // namespace

Result<std::string> normal_name(std::string_view name)
{
    std::string normal(name);
    std::transform(normal.begin(), normal.end(), normal.begin(), lower);
    if (normal.ends_with('.'))
        normal.pop_back();
    if (normal.empty() || normal.size() > longest_name)
        return no_name(name.substr(0, longest_name),
                       fmt::format("it has {} characters, not 1 to {}", normal.size(), longest_name));
    auto labels = split(normal, '.');
    for (std::string_view label : labels)
        TRY(check_label(name, label));
    if (is_number(labels.back()))
        return no_name(name, "it is an IP address, or is read as one",
                       "rules are about names; addresses are only reached by name");
    return normal;
}

namespace {

struct RuleParts {
    std::string_view name;
    std::optional<uint16_t> port;
    bool any_protocol = false;
};

Result<uint16_t> parse_port(std::string_view rule, std::string_view text)
{
    auto port = parse_unsigned(text);
    if (!port || *port == 0 || *port > UINT16_MAX)
        return failure(ErrorKind::invalid,
                       fmt::format("domain rule {}: {} is not a port (1 to 65535)", quoted(rule), quoted(text)));
    return static_cast<uint16_t>(*port);
}

Result<RuleParts> split_rule(std::string_view text)
{
    RuleParts parts;
    std::string_view rest = text;
    if (contains(rest, "://"))
        return failure(Error(ErrorKind::invalid, fmt::format("domain rule {} is a URL", quoted(text)))
                           .with_hint("write NAME or NAME:PORT: what is asked of a server cannot be seen inside TLS"));
    if (auto slash = rest.find('/'); slash != std::string_view::npos) {
        if (rest.substr(slash) != "/tcp")
            return failure(Error(ErrorKind::invalid, fmt::format("domain rule {} has a path", quoted(text)))
                               .with_hint("a rule is NAME[:PORT][/tcp]"));
        parts.any_protocol = true;
        rest = rest.substr(0, slash);
    }
    if (auto colon = rest.rfind(':'); colon != std::string_view::npos && !rest.starts_with('[')) {
        parts.port = TRY(parse_port(text, rest.substr(colon + 1)));
        rest = rest.substr(0, colon);
    }
    if (parts.any_protocol && !parts.port)
        return failure(Error(ErrorKind::invalid, fmt::format("domain rule {}: /tcp needs a port", quoted(text)))
                           .with_hint("write NAME:PORT/tcp"));
    parts.name = rest;
    return parts;
}

} // namespace

Result<Rule> Rule::parse(std::string_view text)
{
    RuleParts parts = TRY(split_rule(text));
    Rule rule;
    rule.text = std::string(text);
    rule.port = parts.port;
    rule.any_protocol = parts.any_protocol;
    std::string_view name = parts.name;
    if (name == "*")
        return failure(Error(ErrorKind::invalid, fmt::format("domain rule {} matches everything", quoted(text)))
                           .with_hint("name the domains; a sandbox that may reach all of them has network mode \"host\""));
    if (name.starts_with("*.")) {
        rule.is_suffix = true;
        name.remove_prefix(2);
    }
    if (contains(name, "*"))
        return failure(Error(ErrorKind::invalid, fmt::format("domain rule {} has a * that is not the first label", quoted(text)))
                           .with_hint("write *.NAME for all names below NAME"));
    rule.name = TRY_DURING(fmt::format("domain rule {}", quoted(text)), normal_name(name));
    return rule;
}

bool Rule::matches_name(std::string_view normal) const
{
    if (!is_suffix)
        return normal == name;
    return normal.size() > name.size() + 1 && normal.ends_with(name) && normal[normal.size() - name.size() - 1] == '.';
}

namespace {

Result<std::vector<Rule>> parse_rules(const std::vector<std::string>& texts)
{
    if (texts.size() > most_rules)
        return failure(ErrorKind::invalid, fmt::format("{} domain rules are more than {}", texts.size(), most_rules));
    std::vector<Rule> rules;
    for (const auto& text : texts)
        rules.push_back(TRY(Rule::parse(text)));
    return rules;
}

bool allows_port(const Rule& rule, uint16_t port)
{
    if (rule.port)
        return *rule.port == port;
    return std::find(default_ports.begin(), default_ports.end(), port) != default_ports.end();
}

} // namespace

Result<Rules> Rules::parse(const RuleTexts& texts)
{
    Rules rules;
    rules.m_allow = TRY(parse_rules(texts.allow));
    rules.m_deny = TRY(parse_rules(texts.deny));
    for (const Rule& rule : rules.m_deny)
        if (rule.any_protocol)
            return failure(
                Error(ErrorKind::invalid, fmt::format("domain rule {}: a denied port is denied to all", quoted(rule.text)))
                    .with_hint("leave /tcp out"));
    for (const auto& text : texts.allow_addresses)
        rules.m_addresses.push_back(TRY_DURING("allow_addresses", IpPrefix::parse(text)));
    if (size_t count = rules.ports().size(); count > most_ports)
        return failure(ErrorKind::invalid,
                       fmt::format("the domain rules name {} different ports, more than {}", count, most_ports));
    return rules;
}

const Rule* Rules::denying(std::string_view name, uint16_t port) const
{
    for (const Rule& rule : m_deny)
        if (rule.matches_name(name) && (!rule.port || *rule.port == port))
            return &rule;
    return nullptr;
}

Verdict Rules::decide(std::string_view name, uint16_t port) const
{
    if (const Rule* rule = denying(name, port))
        return {Match::denied, false, rule};
    Verdict verdict;
    for (const Rule& rule : m_allow) {
        if (!rule.matches_name(name))
            continue;
        if (!allows_port(rule, port)) {
            if (!verdict.allowed())
                verdict.match = Match::port_not_listed;
            continue;
        }
        if (!verdict.allowed() || rule.any_protocol)
            verdict = {Match::allowed, rule.any_protocol, &rule};
        if (rule.any_protocol)
            break;
    }
    return verdict;
}

Verdict Rules::decide_lookup(std::string_view name) const
{
    Verdict denied;
    for (const Rule& rule : m_allow) {
        if (!rule.matches_name(name))
            continue;
        std::vector<uint16_t> ports(default_ports.begin(), default_ports.end());
        if (rule.port)
            ports = {*rule.port};
        for (uint16_t port : ports) {
            const Rule* denies = denying(name, port);
            if (denies == nullptr)
                return {Match::allowed, rule.any_protocol, &rule};
            denied = {Match::denied, false, denies};
        }
    }
    return denied;
}

std::vector<uint16_t> Rules::ports() const
{
    std::vector<uint16_t> ports;
    for (const Rule& rule : m_allow) {
        if (rule.port)
            ports.push_back(*rule.port);
        else
            ports.insert(ports.end(), default_ports.begin(), default_ports.end());
    }
    std::sort(ports.begin(), ports.end());
    ports.erase(std::unique(ports.begin(), ports.end()), ports.end());
    return ports;
}

bool Rules::address_is_opted_in(const IpAddress& address) const
{
    return std::any_of(m_addresses.begin(), m_addresses.end(), [&](const IpPrefix& prefix) { return prefix.contains(address); });
}

} // namespace brig::egress
