// The network of a sandbox that reaches some names: its egress broker, and what that decided.
//
// Runs in: the supervisor, whose child the broker is. When the broker is gone the sandbox has no network; nothing takes its place.
#pragma once

#include "base/fd.hpp"
#include "base/json.hpp"
#include "base/result.hpp"
#include "egress/broker.hpp"
#include "sandbox/outcome.hpp"
#include "sandbox/request.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace brig::sandbox {

// The names that are asked for, within those of the policy; all of the policy's when none is. Kind refused; invalid for what is no rule.
// Pure.
Result<egress::RuleTexts> allowed_rules(const egress::RuleTexts& asked, const policy::Network& policy);

// A file that says where names are asked for inside, made in the state root when it is not there.
Result<std::string> resolver_file(const std::string& state_root);

class SandboxNetwork {
public:
    // Each decision as the broker tells it.
    using Report = std::function<void(const Json&)>;

    // Nothing of the sandbox's runs yet. The user namespace is for callers who are not the host's root; otherwise invalid.
    static Result<SandboxNetwork> open(const Request& request, FdRef network_namespace, FdRef user_namespace);

    FdRef decisions() const { return m_broker.audit(); }
    bool over() const { return m_over; }
    // What has been decided since; false: the broker is gone.
    void read(const Report& report);
    // Ends the broker and reads the rest.
    void close(const Report& report);
    const Network& so_far() const { return m_network; }

private:
    explicit SandboxNetwork(egress::Broker broker) : m_broker(std::move(broker)) {}
    void take(std::string_view lines, const Report& report);
    void take_line(std::string_view line, const Report& report);

    egress::Broker m_broker;
    std::string m_unfinished; // of a line
    Network m_network;
    bool m_over = false;
};

} // namespace brig::sandbox
