// TCP and UDP sockets, IPv4 and IPv6. All are non-blocking and close-on-exec; nothing is resolved.
//
// Errors: kind system. An absent value means: nothing there yet, come back when the descriptor is ready.
#pragma once

#include "base/fd.hpp"
#include "base/ip_address.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace brig::kernel {

// In the caller's network namespace, on every address of the family; IPv6 listeners do not serve IPv4.
Result<Fd> listen_tcp(const IpEndpoint& at, int backlog);
// Tells with each datagram to which address it was sent (receive_datagram).
Result<Fd> bind_udp(const IpEndpoint& at);
// Only datagrams of that peer arrive; the local port is a random one of the kernel's.
Result<Fd> connect_udp(const IpEndpoint& peer);

struct Accepted {
    Fd socket;
    IpEndpoint peer;
    IpEndpoint local; // where the peer wanted to go, whatever address the listener has
};

// Connections that were reset while they waited are passed over.
Result<std::optional<Accepted>> accept_available(FdRef listener);
// Returns before the connection is made: the descriptor becomes writable then, and connect_outcome tells how it went.
Result<Fd> begin_connect(const IpEndpoint& peer);
Result<> connect_outcome(FdRef socket);

struct Datagram {
    std::string bytes;
    IpEndpoint peer;
    IpAddress local; // of sockets of bind_udp
};

// Longer ones are cut at the limit.
Result<std::optional<Datagram>> receive_datagram(FdRef socket, size_t limit);
// From the address that `local` names. A full queue drops the datagram, as the network does.
Result<> send_datagram(FdRef socket, const Datagram& datagram);

// Bytes go out as they come; what is small is not held back.
Result<> send_without_delay(FdRef socket);
// A close ends the connection with a reset, and what was not sent is dropped.
Result<> reset_on_close(FdRef socket);
Result<> shut_down_sending(FdRef socket);

} // namespace brig::kernel
