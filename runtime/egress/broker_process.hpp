// The broker's own process: accepts at the listeners, serves names and connections, ends on SIGTERM or when nobody reads
// the audit any more.
//
// Runs in: the broker, confined.
#pragma once

#include "egress/broker.hpp"
#include "egress/connection.hpp"
#include "egress/name_service.hpp"
#include "egress/services.hpp"
#include "kernel/events.hpp"

#include <memory>
#include <unordered_map>

namespace brig::egress {

class BrokerProcess final : public EventSink {
public:
    BrokerProcess(Services& services, NameService& names, kernel::SignalQueue signals, Listeners listeners);

    Result<> start();
    // Returns when it has to end; what was open is in the audit then.
    Result<> run();

private:
    void ready(unsigned which, const kernel::Readiness& readiness) override;
    void accept_connections(const Listener& listener);
    void add_connection(kernel::Accepted accepted, bool at_proxy);
    void remove_ended();
    void resume_held();
    void check_time();
    bool is_told_to_end();
    Result<> update_pause();
    Result<> report_the_rest();
    int longest_wait() const;

    Services& m_services;
    NameService& m_names;
    kernel::SignalQueue m_signals;
    Listeners m_listeners;
    std::vector<Registration> m_registrations; // of the listeners, in their order
    Registration m_signal_events;
    Registration m_audit_events;
    std::unordered_map<uint64_t, std::unique_ptr<Connection>> m_connections;
    uint64_t m_next_connection = 1;
    Allowance m_new_connections;
    int64_t m_checked_at = 0;
    bool m_out_of_files = false;
    bool m_paused = false;
    bool m_audit_is_gone = false;
};

} // namespace brig::egress
