#include "egress/audit.hpp"

#include "base/json.hpp"
#include "base/wall_clock.hpp"
#include "kernel/events.hpp"

namespace brig::egress {

std::string_view outcome_name(Outcome outcome)
{
    switch (outcome) {
    case Outcome::allowed: return "allowed";
    case Outcome::refused: return "refused";
    case Outcome::failed: return "failed";
    }
    return "unknown";
}

std::string audit_line(std::string_view time, std::string_view sandbox, const Decision& decision)
{
    constexpr double milliseconds_per_second = 1000;
    Json line = Json::object();
    line.set("time", Json::string(time)).set("sandbox", Json::string(sandbox)).set("event", Json::string("egress"));
    line.set("protocol", Json::string(decision.protocol)).set("via", Json::string(decision.via));
    line.set("name", decision.name.empty() ? Json() : Json::string(decision.name));
    line.set("address", decision.address.empty() ? Json() : Json::string(decision.address));
    line.set("port", decision.port == 0 ? Json() : Json::number(decision.port));
    line.set("verdict", Json::string(outcome_name(decision.outcome))).set("reason", Json::string(decision.reason));
    line.set("rule", decision.rule.empty() ? Json() : Json::string(decision.rule));
    line.set("bytes_out", Json::unsigned_number(decision.bytes_out)).set("bytes_in", Json::unsigned_number(decision.bytes_in));
    line.set("duration", Json::real(static_cast<double>(decision.milliseconds) / milliseconds_per_second));
    return line.to_text() + "\n";
}

void Audit::report(const Decision& decision)
{
    m_pending += audit_line(now_as_rfc3339(), m_sandbox, decision);
}

Result<> Audit::flush()
{
    size_t written = 0;
    while (written < m_pending.size()) {
        size_t taken = TRY(kernel::write_available(m_pipe, std::string_view(m_pending).substr(written)));
        if (taken == 0)
            break;
        written += taken;
    }
    m_pending.erase(0, written);
    return {};
}

} // namespace brig::egress
