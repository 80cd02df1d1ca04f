// A connection over which systemd's manager is called: its own socket, or that of a message bus.
//
// Runs in: the launcher and the verbs. Everything waits for a bounded time: errors are of kind timed_out, or system; a call that
// the other side refuses is an Error with the name and the words that it gave.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "cgroup/dbus_message.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace brig::cgroup {

// What the other side answered instead of doing it.
struct BusRefusal {
    std::string name; // "org.freedesktop.systemd1.UnitExists"
    std::string text;
};

class BusConnection {
public:
    // Through a bus, the caller's name is asked for first, and every call is addressed to systemd.
    enum class Peer { manager, bus };
    // Sends the authentication and does not wait for the answer: the first call does.
    static Result<BusConnection> open(const std::string& socket_path, Peer peer);

    Peer peer() const { return m_peer; }

    // The reply; or, with `refusal` set, what was refused.
    struct Answer {
        BusMessage reply;
        BusRefusal refusal;
        bool refused() const { return !refusal.name.empty(); }
    };
    Result<Answer> call(BusCall call, int64_t milliseconds);
    // The next signal of this name, those that came before an earlier reply first.
    Result<BusMessage> next_signal(std::string_view member, int64_t milliseconds);
    // From now on signals of this name are kept for next_signal.
    void keep_signals(std::string member) { m_kept_member = std::move(member); }

private:
    BusConnection(Fd socket, Peer peer) : m_socket(std::move(socket)), m_peer(peer) {}

    Result<> receive(int64_t deadline);
    Result<> finish_authentication(int64_t deadline);
    Result<BusMessage> next_message(int64_t deadline);
    Result<Answer> exchange(const BusCall& call, int64_t deadline);

    Fd m_socket;
    Peer m_peer;
    bool m_ready = false;
    uint32_t m_serial = 0;
    std::string m_received;
    std::string m_kept_member;
    std::vector<BusMessage> m_signals;
};

} // namespace brig::cgroup
