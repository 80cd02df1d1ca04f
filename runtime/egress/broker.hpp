// The egress broker: the one process through which a sandbox reaches the names that its rules allow.
//
// Broker::start makes a child of the caller, in the caller's (the host's) network namespace. The child keeps nothing but the
// listeners, its socket of audit lines and a route socket; it gives up all capabilities, becomes the given user, gets a
// system-call filter without open, exec or Unix sockets, and dies with the thread that started it. When it is gone,
// whatever way, connects inside are refused: nothing else serves them.
//
// Ownership: the Broker owns the process and kills it when it is destroyed.
// Errors: kind invalid (request), system. A broker that cannot confine itself does not start.
#pragma once

#include "base/fd.hpp"
#include "base/ip_address.hpp"
#include "base/result.hpp"
#include "egress/namespace_setup.hpp"
#include "egress/rules.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace brig::egress {

// 0 is no limit where that is said; the others are at least 1.
struct Limits {
    uint32_t connections = 2048;            // at once
    uint32_t connections_per_second = 1000; // 2,048 at once before it counts
    uint32_t queries_per_second = 200;      // of DNS; 400 at once before it counts
    uint64_t bytes = 0;                     // in and out, all connections together; 0: no limit
    uint64_t bytes_per_second = 0;          // the same; 0: no limit
    uint32_t head_milliseconds = 10'000;    // to send the TLS hello, the HTTP head or the proxy request
    uint32_t connect_milliseconds = 10'000; // to reach the server
    uint32_t idle_milliseconds = 600'000;   // without a byte in either direction
};

struct BrokerRequest {
    std::string sandbox; // the sandbox's id, for the audit
    Rules rules;
    std::vector<IpEndpoint> resolvers; // upstream, from the host's resolv.conf; only allowed names are sent there
    Limits limits;
    // Who the broker becomes when the caller is root.
    uid_t uid = 65534;
    gid_t gid = 65534;
    // Encrypted Client Hello hides which name is meant, and another one on the same address could be: refused unless set.
    bool allow_encrypted_hello = false;
};

class Broker {
public:
    // Takes the listeners over. Returns when the broker is confined and serves.
    static Result<Broker> start(BrokerRequest request, Listeners listeners);

    Broker(Broker&&) noexcept = default;
    Broker& operator=(Broker&&) = delete;
    ~Broker(); // stop()

    pid_t pid() const { return m_pid; }
    FdRef pidfd() const { return m_pidfd; } // readable when it has ended
    // One JSON object (docs/egress.md) and a newline for each decision, a stream. The caller has to read it: a broker that
    // cannot report stops accepting. End of stream: the broker is gone.
    FdRef audit() const { return m_audit; }

    // Asks it to report what is open and to end; kills it when that takes longer. The listeners are closed when it returns.
    // Gives the lines that were not read yet; audit() is at its end then.
    Result<std::string> stop(int64_t milliseconds = 1000);

private:
    Broker(pid_t pid, Fd pidfd, Fd audit) : m_pid(pid), m_pidfd(std::move(pidfd)), m_audit(std::move(audit)) {}

    pid_t m_pid = -1;
    Fd m_pidfd; // invalid: it was waited for
    Fd m_audit;
};

// The name servers of a resolv.conf(5). Without any: 127.0.0.1:53, as libc has it.
std::vector<IpEndpoint> resolvers_in(std::string_view resolv_conf);

} // namespace brig::egress
