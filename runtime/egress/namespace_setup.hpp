// The sandbox's side of the network: every address of the world is local to it, and brig listens there.
//
// In a network namespace that has nothing but `lo`: lo comes up, "local 0.0.0.0/0 dev lo" and "local ::/0 dev lo" make each
// connect arrive at a listener in the namespace, and ICMP echo gets no answer. A socket stays in the namespace in which it
// was made, so the broker serves the listeners from the host's.
//
// Runs in: the caller forks a child that joins the namespaces and hands the listeners back; the caller itself stays where it
// is. Needs CAP_SYS_ADMIN over the user namespace that owns the network namespace, or to be its owner.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "egress/rules.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace brig::egress {

inline constexpr uint16_t default_proxy_port = 3128;

struct NamespaceRequest {
    FdRef network_namespace{-1}; // /proc/PID/ns/net, or what the caller made; it must have no interface but lo
    FdRef user_namespace{-1};    // /proc/PID/ns/user, joined first: for callers without rights of their own over the other
    uint16_t proxy_port = default_proxy_port; // HTTP CONNECT and SOCKS5 on every address; 0: none
};

enum class ListenerKind { transparent, dns_udp, dns_tcp, proxy };

struct Listener {
    ListenerKind kind = ListenerKind::transparent;
    uint16_t port = 0;
    Fd socket;
};

// While any of these descriptors is open, connects inside are accepted by the kernel: Broker::start takes them over and
// leaves none behind, so that they are refused as soon as the broker ends.
struct Listeners {
    std::vector<Listener> sockets;
    bool ipv6 = false; // false where the kernel has none: then there is no IPv6 inside at all
};

Result<Listeners> prepare_namespace(const NamespaceRequest& request, const Rules& rules);

// What the sandbox's /etc/resolv.conf has to be.
std::string resolver_configuration();

// HTTP_PROXY and the like, "NAME=VALUE", both cases. Not needed: connections arrive without them. For programs that cannot
// resolve names themselves.
std::vector<std::string> proxy_environment(uint16_t proxy_port);

} // namespace brig::egress
