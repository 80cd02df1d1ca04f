// The audit log of a sandbox: one JSON object a line for every event.
//
// Runs in: the supervisor. A line is one write(2) to a file opened for appending, so that sandboxes can share it,
// or one datagram to journald.
#pragma once

#include "base/fd.hpp"
#include "base/json.hpp"
#include "sandbox/request.hpp"

#include <string>
#include <string_view>

namespace brig::sandbox {

// Where the lines go; by default nowhere.
struct AuditTarget {
    std::string file;      // absolute; empty: none
    bool journald = false; // the journal of the host, each line as the MESSAGE of an entry
};

class Audit {
public:
    Audit() = default; // to nowhere
    // Kind system when it cannot be written: a sandbox that was to be audited does not begin.
    static Result<Audit> open(const AuditTarget& target);

    void describe(const Request& request);
    // {"time":...,"event":...,"sandbox_id":...,"policy":...,"traceparent":...} and the details.
    Result<> write(std::string_view event, Json details = Json::object()) const;

private:
    Fd m_file;
    Fd m_journal;
    std::string m_sandbox_id;
    std::string m_policy;
    std::string m_traceparent;
};

} // namespace brig::sandbox
