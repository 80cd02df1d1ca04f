// What the broker decided, one JSON line each: docs/egress.md lists the members.
//
// Runs in: the broker.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace brig::egress {

enum class Outcome { allowed, refused, failed };

std::string_view outcome_name(Outcome outcome);

struct Decision {
    std::string_view protocol; // tls, http, tcp, dns; "unknown" when it ended before that was seen
    std::string_view via;      // direct, connect, socks, proxy; of dns udp or tcp
    std::string name;          // empty: nobody knows it
    std::string address;       // empty: there was none
    uint16_t port = 0;
    Outcome outcome = Outcome::refused;
    std::string_view reason; // a word with underscores; how an allowed connection ended
    std::string rule;        // the text of the rule that decided
    uint64_t bytes_out = 0;  // from the sandbox
    uint64_t bytes_in = 0;
    int64_t milliseconds = 0;
};

std::string audit_line(std::string_view time, std::string_view sandbox, const Decision& decision);

// Writes what the pipe takes and keeps the rest. Whoever makes decisions asks is_behind() first and waits while it is.
class Audit {
public:
    Audit(Fd pipe, std::string sandbox) : m_pipe(std::move(pipe)), m_sandbox(std::move(sandbox)) {}

    void report(const Decision& decision);
    // Also on its own whenever the pipe may take more. An error: nobody reads any more.
    Result<> flush();
    bool is_behind() const { return m_pending.size() > most_pending; }
    bool empty() const { return m_pending.empty(); }
    FdRef pipe() const { return m_pipe; }

private:
    static constexpr size_t most_pending = 256 << 10;

    Fd m_pipe;
    std::string m_sandbox;
    std::string m_pending;
};

} // namespace brig::egress
