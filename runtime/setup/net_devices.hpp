// Moves interfaces of the host into the container's network namespace (config-linux.md "Network Devices").
//
// Runs in: the launcher, in the host's network namespace, before the container's init goes on to its sysctls and hooks.
// What belongs to an interface goes along: its permanent global addresses with prefix, peer, broadcast, lifetimes and
// flags. Routes do not, as the specification has it. When the container ends, its namespace decides what becomes of them.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "kernel/netlink.hpp"
#include "plan/plan.hpp"

#include <optional>
#include <string>
#include <vector>

namespace brig::setup {

class MovedNetDevices {
public:
    // Errors name linux.netDevices["NAME"]; the interfaces that were moved before are then back.
    static Result<MovedNetDevices> move(const std::vector<plan::NetDevice>& devices, FdRef network_namespace);

    // Undoes it, for a start that fails later: the interfaces get their names, addresses and state back.
    void take_back();

private:
    struct Moved {
        std::string host_name;
        int index = 0; // inside
        bool was_up = false;
        std::vector<kernel::InterfaceAddress> addresses;
    };

    MovedNetDevices(kernel::RouteSocket host, kernel::RouteSocket container)
        : m_host(std::move(host)), m_container(std::move(container))
    {
    }
    Result<> move_one(const plan::NetDevice& device, FdRef network_namespace);
    Result<> check_name(const std::string& name) const;
    Result<int> free_index(int wanted) const;
    Result<> take_back_one(const Moved& moved, FdRef host_namespace) const;

    kernel::RouteSocket m_host;
    kernel::RouteSocket m_container;
    std::vector<Moved> m_moved;
};

} // namespace brig::setup
