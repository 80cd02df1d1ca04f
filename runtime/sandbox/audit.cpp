#include "sandbox/audit.hpp"

#include "base/text.hpp"
#include "base/wall_clock.hpp"
#include "kernel/files.hpp"
#include "kernel/sockets.hpp"

namespace brig::sandbox {

namespace {

constexpr const char* journal_socket = "/run/systemd/journal/socket";
constexpr int64_t journal_patience = 1000; // milliseconds

} // namespace

Result<Audit> Audit::open(const AuditTarget& target)
{
    Audit audit;
    if (!target.file.empty())
        audit.m_file = TRY_DURING("open the audit log", kernel::open_at(kernel::working_directory, target.file,
                                                                        O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY, 0600));
    if (target.journald)
        audit.m_journal =
            TRY_DURING("connect to journald for the audit log", kernel::connect_datagram(journal_socket, journal_patience));
    return audit;
}

void Audit::describe(const Request& request)
{
    m_sandbox_id = request.id;
    m_policy = request.policy;
    m_traceparent = request.traceparent;
}

Result<> Audit::write(std::string_view event, Json details) const
{
    if (!m_file && !m_journal)
        return {};
    Json line = Json::object();
    line.set("time", Json::string(now_as_rfc3339()))
        .set("event", Json::string(event))
        .set("sandbox_id", Json::string(m_sandbox_id))
        .set("policy", m_policy.empty() ? Json() : Json::string(m_policy))
        .set("traceparent", m_traceparent.empty() ? Json() : Json::string(m_traceparent));
    details.view().for_each_member([&](std::string_view name, JsonView value) { line.set(name, Json::copy_of(value)); });
    std::string text = line.to_text();
    if (m_file)
        TRY(kernel::write_all(m_file, text + "\n"));
    // systemd's native protocol: FIELD=value lines; JSON has no line breaks.
    if (m_journal)
        TRY(kernel::send_message(m_journal, fmt::format("SYSLOG_IDENTIFIER=brig\nPRIORITY=6\nMESSAGE={}\n", text)));
    return {};
}

} // namespace brig::sandbox
