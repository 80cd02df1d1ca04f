// How a container is connected, from /proc/PID/net: devices, routes, and sockets on which somebody listens.
//
// Layer: pure. Lines of another form are passed over: the files grow with kernels.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace brig::inspect {

struct ListeningSocket {
    std::string protocol; // "tcp", "udp", "unix"
    std::string address;  // "0.0.0.0:80", "/run/server.sock", "@abstract"
};

struct SocketsSeen {
    std::vector<std::string> interfaces; // but lo
    bool has_routes = false;
    std::vector<ListeningSocket> listening;
};

// Of net/dev.
std::vector<std::string> parse_interfaces(std::string_view text);
// Of net/route, or net/ipv6_route: a way out by another device than lo.
bool has_route(std::string_view text);
bool has_ipv6_route(std::string_view text);
// Of net/tcp, tcp6, udp, udp6; `protocol` is "tcp" or "udp".
std::vector<ListeningSocket> parse_internet_sockets(std::string_view text, const std::string& protocol);
// Of net/unix.
std::vector<ListeningSocket> parse_unix_sockets(std::string_view text);

} // namespace brig::inspect
