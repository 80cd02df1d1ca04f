// Which names and ports a sandbox may reach: the allow and deny lists of a policy, parsed and matched. Pure.
//
// A rule is NAME[:PORT][/tcp].
//   pypi.org                 exactly this name, on ports 443 and 80
//   *.pythonhosted.org:443   every name below it, not the bare name
//   git.example.org:22/tcp   any protocol: without /tcp a connection must begin with TLS or HTTP, whose name is checked
// Deny rules win; one without a port denies every port. Names are compared as ASCII (IDNA A-labels), without regard to
// case, without a trailing dot.
//
// Errors: kind invalid, naming the rule and what to write instead.
#pragma once

#include "base/ip_address.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace brig::egress {

// Lower case, without a trailing dot; invalid when it is no host name (IP addresses in any notation are none).
Result<std::string> normal_name(std::string_view name);

struct RuleTexts {
    std::vector<std::string> allow;
    std::vector<std::string> deny;
    // Addresses that are dialled although they are private, loopback or the host's own: CIDR, for private registries.
    std::vector<std::string> allow_addresses;
};

struct Rule {
    std::string text;             // as it was written, for the audit
    std::string name;             // normal; of a suffix rule what follows "*."
    bool is_suffix = false;       // matches names below `name` only
    std::optional<uint16_t> port; // absent: 443 and 80 to allow, all to deny
    bool any_protocol = false;    // "/tcp"

    static Result<Rule> parse(std::string_view text);
    bool matches_name(std::string_view normal) const;
};

enum class Match {
    allowed,
    not_listed,      // no rule allows the name
    port_not_listed, // one allows the name, on other ports
    denied,
};

struct Verdict {
    Match match = Match::not_listed;
    bool any_protocol = false;  // a "/tcp" rule allows it
    const Rule* rule = nullptr; // the one that allowed or denied; lives as long as the Rules are neither moved nor changed

    bool allowed() const { return match == Match::allowed; }
};

class Rules {
public:
    // At most 1,024 rules and 64 different ports (a listener for each is opened inside).
    static Result<Rules> parse(const RuleTexts& texts);

    // `name` is normal, see normal_name.
    Verdict decide(std::string_view name, uint16_t port) const;
    // Whether the name may be asked for at all: it is allowed on some port.
    Verdict decide_lookup(std::string_view name) const;

    // Ascending; what prepare_namespace listens on.
    std::vector<uint16_t> ports() const;
    bool address_is_opted_in(const IpAddress& address) const;
    bool empty() const { return m_allow.empty(); }

private:
    const Rule* denying(std::string_view name, uint16_t port) const;

    std::vector<Rule> m_allow;
    std::vector<Rule> m_deny;
    std::vector<IpPrefix> m_addresses;
};

} // namespace brig::egress
