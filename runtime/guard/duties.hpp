// What a guard has to keep of a container's policies: wall time, and the names that its network reaches.
//
// Layer: pure. What else is under `limits`, and artifacts, are for the supervisor of a sandbox alone.
#pragma once

#include "base/result.hpp"
#include "egress/broker.hpp"
#include "policy/policy.hpp"
#include "policy/tighten.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace brig::guard {

inline constexpr uint64_t usual_grace_ms = 2000; // as sandboxes have it

struct TimeLimit {
    uint64_t milliseconds = 0; // from the start of the program
    uint64_t grace_ms = usual_grace_ms;
    std::string policy; // that said it
    std::string property;

    // One line: why the container ends.
    std::string reason() const;
};

struct Duties {
    std::optional<TimeLimit> time;
    egress::RuleTexts rules; // nothing allowed: no broker
    egress::Limits network;

    bool has_names() const { return !rules.allow.empty(); }
    bool any() const { return time.has_value() || has_names(); }
};

// Of several policies the lower time, and the names that all of them allow.
Result<Duties> duties_of(const std::vector<policy::Policy>& policies);

// Whether all that the rule allows is among what the destination allows.
bool covers(const policy::Destination& destination, const egress::Rule& rule);

// For `brig policy explain`: what the guard keeps, and the properties that hold in sandboxes only.
Result<std::vector<policy::Change>> kept_beside(const policy::Policy& policy);
std::vector<std::string> kept_in_sandboxes_only(const policy::Policy& policy);

// "5 min", "90 s", "1500 ms"
std::string duration_text(uint64_t milliseconds);

} // namespace brig::guard
