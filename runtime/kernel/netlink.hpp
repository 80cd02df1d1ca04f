// rtnetlink, as far as containers need it: lo comes up, interfaces of the host move in, addresses are made local.
//
// Errors: kind system with the message's name and, where the kernel gives one, its own explanation as hint.
#pragma once

#include "base/fd.hpp"
#include "base/ip_address.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace brig::kernel {

// Brings lo up in the caller's network namespace. Already up is fine.
Result<> bring_loopback_up();

struct NetworkInterface {
    int index = 0;
    bool up = false;
    std::string name;
};

struct InterfaceAddress {
    uint8_t family = 0; // AF_INET, AF_INET6
    uint8_t prefix_length = 0;
    std::string label;      // IPv4 only: "eth0:web"
    std::string attributes; // what else makes it up, as rtnetlink writes it: peer, broadcast, lifetimes, metric, flags
};

struct InterfaceMove {
    int index = 0;
    FdRef to_namespace{-1};
    std::string name;  // there; "%d" is replaced by the first free number
    int new_index = 0; // not 0: the index there
};

// A conversation with the network namespace that the socket was made in. The socket keeps that namespace.
class RouteSocket {
public:
    // In the caller's own namespace.
    static Result<RouteSocket> open();
    // In another one; the caller stays where it is: a child joins and hands the socket back.
    static Result<RouteSocket> open_in(FdRef network_namespace);

    Result<std::optional<NetworkInterface>> find_interface(const std::string& name) const;
    Result<std::optional<NetworkInterface>> find_interface(int index) const;
    // Those that are permanent (IFA_F_PERMANENT) and of global scope, in the kernel's order: primary ones first.
    Result<std::vector<InterfaceAddress>> permanent_global_addresses(int index) const;
    Result<> add_address(int index, const InterfaceAddress& address) const;
    // The kernel takes the interface down and drops its addresses on the way.
    Result<> move_interface(const InterfaceMove& move) const;
    Result<> bring_up(int index) const;

    // "local 0.0.0.0/0 dev lo" or "local ::/0 dev lo": every address of the family is the namespace's own.
    Result<> make_every_address_local(bool v6) const;
    // RTN_UNICAST, RTN_LOCAL and so on: how a packet to that address would go from here. Errors have the kernel's code,
    // ENETUNREACH where there is no way.
    Result<uint8_t> kind_of_route_to(const IpAddress& address) const;
    // That are up: fallback tunnels (tunl0, sit0) are in every new namespace, down.
    Result<bool> has_other_interfaces_than_loopback() const;

private:
    explicit RouteSocket(Fd socket) : m_socket(std::move(socket)) {}

    Fd m_socket;
};

} // namespace brig::kernel
