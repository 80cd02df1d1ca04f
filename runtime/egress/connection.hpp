// One connection of the sandbox, from its first byte to its line in the audit.
//
//   direct:  what is the name? (TLS hello, HTTP head) -> dial the address that it wanted -> relay
//   proxy:   where to? (CONNECT, SOCKS5) -> look up -> dial -> what is the name? -> relay
//            GET http://... -> look up -> dial -> relay
//
// Whatever is not understood, not allowed or late ends it.
//
// Runs in: the broker.
#pragma once

#include "egress/event_loop.hpp"
#include "egress/http_head.hpp"
#include "egress/relay.hpp"
#include "egress/services.hpp"
#include "egress/socks.hpp"
#include "egress/tls_hello.hpp"
#include "kernel/internet.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace brig::egress {

class Connection final : public EventSink {
public:
    Connection(Services& services, uint64_t number, kernel::Accepted accepted, bool at_proxy);
    ~Connection() override;

    void start();
    void ready(unsigned which, const kernel::Readiness& readiness) override;
    void resume(); // the rate allows more
    void check_time();
    // Ends it and reports; the broker ends.
    void end(std::string_view reason);

private:
    enum class Step { proxy_request, looking_up, connecting, first_bytes, relaying, over };

    // Where it may go: every name has been decided on for this port.
    struct Destination {
        std::vector<std::string> names;
        std::vector<IpAddress> addresses; // to be tried in order
        uint16_t port = 0;
        bool any_protocol = false;
    };

    void start_direct();
    bool find_names(const IpAddress& address, uint16_t port);
    void read_client();
    void take_bytes(const std::string& bytes);
    void take_proxy_request();
    void take_http_proxy_request(const std::string& bytes);
    void take_socks_request();
    void go_to(const std::string& host, uint16_t port);
    void look_up(const std::string& name, uint16_t type);
    void looked_up(const dns::Response& response, uint16_t type);
    void take_first_bytes(const std::string& bytes);
    void take_tls(std::string_view bytes);
    void take_http(std::string_view bytes);
    void take_request(const HttpRequest& request, std::string_view rest);
    bool is_named(const std::string& name);
    void connect_next();
    void connected();
    bool grant();
    void name_is_right(std::string name);
    void begin_relay();
    void pump();

    void refuse(std::string_view reason);
    void fail(std::string_view reason);
    void tell_client(std::string_view reason);
    void finish(Outcome outcome, std::string_view reason);

    Services& m_services;
    uint64_t m_number;
    Fd m_client;
    Fd m_server;
    Registration m_client_events;
    Registration m_server_events;
    IpEndpoint m_wanted;
    bool m_at_proxy;
    Step m_step = Step::proxy_request;
    int64_t m_started;
    int64_t m_deadline = 0;
    int64_t m_active_at = 0;
    uint64_t m_moved = 0; // bytes, when it was active last

    std::string m_received; // from the client, not passed on yet
    std::optional<SocksRequest> m_socks;
    std::optional<HttpHead> m_http;
    std::optional<TlsHello> m_tls;
    bool m_granted = false; // the proxy's client was told to go on
    bool m_name_checked = false;
    Destination m_destination;
    size_t m_next_address = 0;
    std::string m_head; // what the server gets first
    Inspector m_inspector;
    bool m_passes_no_more = false;
    std::optional<Relay> m_relay;
    Decision m_decision;
};

} // namespace brig::egress
