#include "setup/net_devices.hpp"

#include "base/text.hpp"
#include "kernel/files.hpp"

#include <cerrno>
#include <fcntl.h>

namespace brig::setup {

namespace {

Error with_remedy(Error error)
{
    if (error.code() == EINVAL && error.hint().empty())
        return std::move(error).with_hint("interfaces like lo and bridges belong to their network namespace for good");
    return error;
}

bool is_template(const std::string& name)
{
    return contains(name, "%d");
}

// An IPv4 label begins with the interface's name; it follows a rename.
std::string label_after_rename(const std::string& label, const std::string& from, const std::string& to)
{
    if (label == from)
        return to;
    return label.starts_with(from + ":") ? to + label.substr(from.size()) : label;
}

Result<> add_addresses(const kernel::RouteSocket& socket, int index, std::vector<kernel::InterfaceAddress> addresses,
                       const std::string& old_name, const std::string& new_name)
{
    for (auto& address : addresses) {
        address.label = label_after_rename(address.label, old_name, new_name);
        TRY(socket.add_address(index, address));
    }
    return {};
}

} // namespace

Result<MovedNetDevices> MovedNetDevices::move(const std::vector<plan::NetDevice>& devices, FdRef network_namespace)
{
    auto host = TRY(kernel::RouteSocket::open());
    auto container = TRY(kernel::RouteSocket::open_in(network_namespace));
    MovedNetDevices all(std::move(host), std::move(container));
    for (const auto& device : devices) {
        auto moved = all.move_one(device, network_namespace);
        if (!moved) {
            all.take_back();
            return failure(
                with_remedy(std::move(moved).error().during(fmt::format("linux.netDevices[{}]", quoted(device.host_name)))));
        }
    }
    return all;
}

// The kernel moves first and renames afterwards, and does not move back when the name is taken.
Result<> MovedNetDevices::check_name(const std::string& name) const
{
    if (is_template(name) || !TRY(m_container.find_interface(name)))
        return {};
    return failure(Error(ErrorKind::invalid,
                         fmt::format("the container's network namespace has an interface with the name {} already", quoted(name)))
                       .with_hint("give it another name, or a template like eth%d"));
}

// The index stays with the interface unless another one has it there; by naming it the interface is found again whatever
// name a template gave it.
Result<int> MovedNetDevices::free_index(int wanted) const
{
    while (TRY(m_container.find_interface(wanted)))
        wanted++;
    return wanted;
}

Result<> MovedNetDevices::move_one(const plan::NetDevice& device, FdRef network_namespace)
{
    auto found = TRY(m_host.find_interface(device.host_name));
    if (!found)
        return failure(Error(ErrorKind::invalid, "the host has no such network interface").with_hint("`ip link` lists them"));
    TRY(check_name(device.name));
    Moved moved{device.host_name, 0, found->up, TRY(m_host.permanent_global_addresses(found->index))};
    moved.index = TRY(free_index(found->index));
    int new_index = moved.index == found->index ? 0 : moved.index;
    auto sent = m_host.move_interface({found->index, network_namespace, device.name, new_index});
    auto inside = TRY(m_container.find_interface(moved.index));
    if (inside)
        m_moved.push_back(moved); // also when its renaming failed
    TRY(std::move(sent));
    if (!inside)
        return failure(ErrorKind::system, "the interface did not arrive in the container's network namespace");
    TRY(add_addresses(m_container, moved.index, moved.addresses, device.host_name, inside->name));
    return m_container.bring_up(moved.index);
}

Result<> MovedNetDevices::take_back_one(const Moved& moved, FdRef host_namespace) const
{
    auto inside = TRY(m_container.find_interface(moved.index));
    if (!inside)
        return {};
    TRY(m_container.move_interface({moved.index, host_namespace, moved.host_name, 0}));
    auto outside = TRY(m_host.find_interface(moved.host_name));
    if (!outside)
        return {};
    TRY(add_addresses(m_host, outside->index, moved.addresses, moved.host_name, moved.host_name));
    return moved.was_up ? m_host.bring_up(outside->index) : Result<>();
}

void MovedNetDevices::take_back()
{
    auto host_namespace = kernel::open_at(kernel::working_directory, "/proc/self/ns/net", O_RDONLY);
    // Each on its own: one that cannot come back must not keep the others there.
    for (const auto& moved : m_moved)
        if (host_namespace)
            (void)take_back_one(moved, *host_namespace);
    m_moved.clear();
}

} // namespace brig::setup
