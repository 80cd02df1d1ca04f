// Messages are made by hand from the kernel's headers: libmnl exists as a shared library only, and loading one costs each
// start more than all of the network's set-up.
#include "kernel/netlink.hpp"

#include "base/text.hpp"
#include "kernel/call.hpp"
#include "kernel/child_process.hpp"
#include "kernel/files.hpp"
#include "kernel/namespaces.hpp"
#include "kernel/sockets.hpp"

#include <cstring>
#include <functional>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <span>
#include <sys/socket.h>

namespace brig::kernel {

namespace {

// The first device of each network namespace; the kernel promises this number (LOOPBACK_IFINDEX).
constexpr int loopback_index = 1;

size_t padded(size_t size)
{
    return NLMSG_ALIGN(size);
}

// ---- messages ----------------------------------------------------------------------------------------------------------

// One request; `name` is for errors.
class Request {
public:
    template<typename Body> Request(std::string name, uint16_t type, uint16_t flags, const Body& body)
        : m_name(std::move(name)), m_bytes(NLMSG_HDRLEN)
    {
        m_header.nlmsg_type = type;
        m_header.nlmsg_flags = flags | NLM_F_REQUEST;
        append(&body, sizeof body);
    }

    Request& attribute(uint16_t type, std::string_view value)
    {
        struct rtattr header = {static_cast<unsigned short>(RTA_LENGTH(value.size())), type};
        append(&header, sizeof header);
        append(value.data(), value.size());
        return *this;
    }

    Request& attribute(uint16_t type, int value)
    {
        return attribute(type, {reinterpret_cast<const char*>(&value), sizeof value});
    }
    // With the terminating NUL, as the kernel checks it.
    Request& attribute_text(uint16_t type, const std::string& text) { return attribute(type, {text.c_str(), text.size() + 1}); }

    const std::string& name() const { return m_name; }

    std::span<const char> bytes()
    {
        m_header.nlmsg_len = static_cast<uint32_t>(m_bytes.size());
        std::memcpy(m_bytes.data(), &m_header, sizeof m_header);
        return m_bytes;
    }

private:
    void append(const void* data, size_t size)
    {
        size_t at = m_bytes.size();
        m_bytes.resize(at + padded(size));
        if (size > 0)
            std::memcpy(m_bytes.data() + at, data, size);
    }

    std::string m_name;
    struct nlmsghdr m_header = {};
    std::vector<char> m_bytes;
};

struct Attribute {
    uint16_t type = 0;
    std::string_view value;
};

// What the kernel wrote is trusted to be well-formed, but not beyond the bytes that were received.
std::vector<Attribute> attributes_in(std::string_view bytes)
{
    std::vector<Attribute> found;
    struct rtattr header = {};
    while (bytes.size() >= sizeof header) {
        std::memcpy(&header, bytes.data(), sizeof header);
        if (header.rta_len < sizeof header || header.rta_len > bytes.size())
            break;
        found.push_back({static_cast<uint16_t>(header.rta_type & NLA_TYPE_MASK),
                         bytes.substr(sizeof header, header.rta_len - sizeof header)});
        bytes.remove_prefix(std::min(padded(header.rta_len), bytes.size()));
    }
    return found;
}

std::string text_of(std::string_view value)
{
    return std::string(value.substr(0, value.find('\0')));
}

template<typename Body> Body body_of(std::string_view payload)
{
    Body body = {};
    if (payload.size() >= sizeof body)
        std::memcpy(&body, payload.data(), sizeof body);
    return body;
}

template<typename Body> std::string_view after_body(std::string_view payload)
{
    return payload.substr(std::min(padded(sizeof(Body)), payload.size()));
}

// NETLINK_EXT_ACK: the kernel's own words. They follow the error, which is cut short by NETLINK_CAP_ACK.
std::string explanation_in(uint16_t flags, std::string_view payload)
{
    if ((flags & NLM_F_ACK_TLVS) == 0)
        return {};
    for (const auto& attribute : attributes_in(after_body<struct nlmsgerr>(payload)))
        if (attribute.type == NLMSGERR_ATTR_MSG)
            return text_of(attribute.value);
    return {};
}

// ---- the conversation --------------------------------------------------------------------------------------------------

using Receiver = std::function<void(uint16_t type, std::string_view payload)>;

Result<Fd> open_socket()
{
    Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    if (!socket)
        return BRIG_CALL_FAILED("socket NETLINK_ROUTE");
    return socket;
}

Result<> answer_of_error(const Request& request, uint16_t flags, std::string_view payload)
{
    auto answer = body_of<struct nlmsgerr>(payload);
    if (answer.error == 0)
        return {};
    return failure(Error::system_call(-answer.error, request.name()).with_hint(explanation_in(flags, payload)));
}

// One datagram; true when the conversation is over.
Result<bool> take_datagram(const Request& request, std::string_view bytes, const Receiver& receive)
{
    struct nlmsghdr header = {};
    while (bytes.size() >= sizeof header) {
        std::memcpy(&header, bytes.data(), sizeof header);
        if (header.nlmsg_len < sizeof header || header.nlmsg_len > bytes.size())
            return failure(ErrorKind::internal, fmt::format("{} was answered by a broken message", request.name()));
        std::string_view payload = bytes.substr(sizeof header, header.nlmsg_len - sizeof header);
        if (header.nlmsg_type == NLMSG_DONE)
            return true;
        if (header.nlmsg_type == NLMSG_ERROR) {
            TRY(answer_of_error(request, header.nlmsg_flags, payload));
            return true;
        }
        if (receive)
            receive(header.nlmsg_type, payload);
        bytes.remove_prefix(std::min(padded(header.nlmsg_len), bytes.size()));
    }
    return false;
}

// Each request asks for an acknowledgement or is a dump, so there is always a last message.
Result<> exchange(FdRef socket, Request request, const Receiver& receive = nullptr)
{
    constexpr size_t largest_datagram = 65536; // the kernel's own dumps have half of it at most
    auto bytes = request.bytes();
    if (retry_interrupted([&] { return ::send(socket.get(), bytes.data(), bytes.size(), 0); }) < 0)
        return BRIG_CALL_FAILED("send {}", request.name());
    std::vector<char> buffer(largest_datagram);
    while (true) {
        ssize_t size = retry_interrupted([&] { return ::recv(socket.get(), buffer.data(), buffer.size(), MSG_TRUNC); });
        if (size < 0)
            return BRIG_CALL_FAILED("recv {}", request.name());
        if (static_cast<size_t>(size) > buffer.size() || size == 0)
            return failure(ErrorKind::internal, fmt::format("{} was answered by {} bytes", request.name(), size));
        if (TRY(take_datagram(request, {buffer.data(), static_cast<size_t>(size)}, receive)))
            return {};
    }
}

Request link_request(std::string name, uint16_t type, int index)
{
    struct ifinfomsg link = {};
    link.ifi_family = AF_UNSPEC;
    link.ifi_index = index;
    return {std::move(name), type, NLM_F_ACK, link};
}

// Not SIOCSIFFLAGS, which is 2 us faster: it writes all flags, this changes one bit of a device that may be another
// container's too.
Request up_request(std::string name, int index)
{
    struct ifinfomsg link = {};
    link.ifi_family = AF_UNSPEC;
    link.ifi_index = index;
    link.ifi_flags = IFF_UP;
    link.ifi_change = IFF_UP;
    return {std::move(name), RTM_NEWLINK, NLM_F_ACK, link};
}

Result<std::optional<NetworkInterface>> find(FdRef socket, Request request)
{
    std::optional<NetworkInterface> found;
    auto asked = exchange(socket, std::move(request), [&](uint16_t type, std::string_view payload) {
        if (type != RTM_NEWLINK)
            return;
        auto link = body_of<struct ifinfomsg>(payload);
        found = NetworkInterface{link.ifi_index, (link.ifi_flags & IFF_UP) != 0, {}};
        for (const auto& attribute : attributes_in(after_body<struct ifinfomsg>(payload)))
            if (attribute.type == IFLA_IFNAME)
                found->name = text_of(attribute.value);
    });
    if (!asked && asked.error().code() == ENODEV)
        return std::nullopt;
    TRY(std::move(asked));
    return found;
}

// ---- addresses ---------------------------------------------------------------------------------------------------------

// Those that whoever adds an address can give; the others are the kernel's state of it.
constexpr uint32_t given_flags = IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR | IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN;

void keep_attribute(InterfaceAddress& address, uint16_t type, std::string_view value)
{
    struct rtattr header = {static_cast<unsigned short>(RTA_LENGTH(value.size())), type};
    address.attributes.append(reinterpret_cast<const char*>(&header), sizeof header);
    address.attributes.append(value);
    address.attributes.resize(padded(address.attributes.size()));
}

std::optional<InterfaceAddress> permanent_global_address(std::string_view payload, int index)
{
    auto message = body_of<struct ifaddrmsg>(payload);
    if (message.ifa_index != static_cast<uint32_t>(index) || message.ifa_scope != RT_SCOPE_UNIVERSE)
        return std::nullopt;
    InterfaceAddress address;
    address.family = message.ifa_family;
    address.prefix_length = message.ifa_prefixlen;
    uint32_t flags = message.ifa_flags;
    for (const auto& [type, value] : attributes_in(after_body<struct ifaddrmsg>(payload))) {
        switch (type) {
        case IFA_ADDRESS:
        case IFA_LOCAL:
        case IFA_BROADCAST:
        case IFA_CACHEINFO:
        case IFA_RT_PRIORITY:
        case IFA_PROTO: keep_attribute(address, type, value); break;
        case IFA_LABEL: address.label = text_of(value); break;
        case IFA_FLAGS: flags = body_of<uint32_t>(value); break;
        default: break;
        }
    }
    if ((flags & IFA_F_PERMANENT) == 0)
        return std::nullopt;
    flags &= given_flags;
    keep_attribute(address, IFA_FLAGS, {reinterpret_cast<const char*>(&flags), sizeof flags});
    return address;
}

} // namespace

Result<> bring_loopback_up()
{
    Fd socket = TRY(open_socket());
    return exchange(socket, up_request("RTM_NEWLINK lo up", loopback_index));
}

Result<RouteSocket> RouteSocket::open()
{
    Fd socket = TRY(open_socket());
    int on = 1;
    // For words only: without them the error number has to do.
    (void)::setsockopt(socket.get(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
    (void)::setsockopt(socket.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
    return RouteSocket(std::move(socket));
}

Result<RouteSocket> RouteSocket::open_in(FdRef network_namespace)
{
    auto [own_end, childs_end] = TRY(sequenced_socket_pair());
    CloneOutcome child = TRY(clone_process({}));
    if (child.in_child) {
        auto hand_over = [network_namespace, &childs_end = childs_end]() -> Result<> {
            TRY(join_namespace(network_namespace, CLONE_NEWNET));
            RouteSocket socket = TRY(open());
            return send_message(childs_end, "0", {socket.m_socket.get()});
        };
        auto done = hand_over();
        exit_now(done ? 0 : done.error().code());
    }
    childs_end.reset();
    ExitStatus status = TRY(wait_for(child.pid));
    if (status.signaled || status.value != 0)
        return failure(
            Error::system_call(status.signaled ? EINTR : status.value, fmt::format("join {}", path_of(network_namespace))));
    Message message = TRY(receive_message(own_end, 16));
    if (message.fds.size() != 1)
        return failure(ErrorKind::internal, "the child brought no socket from the network namespace");
    return RouteSocket(std::move(message.fds[0]));
}

Result<std::optional<NetworkInterface>> RouteSocket::find_interface(const std::string& name) const
{
    return find(m_socket,
                link_request(fmt::format("RTM_GETLINK {}", one_line(name)), RTM_GETLINK, 0).attribute_text(IFLA_IFNAME, name));
}

Result<std::optional<NetworkInterface>> RouteSocket::find_interface(int index) const
{
    return find(m_socket, link_request(fmt::format("RTM_GETLINK index {}", index), RTM_GETLINK, index));
}

Result<std::vector<InterfaceAddress>> RouteSocket::permanent_global_addresses(int index) const
{
    struct ifaddrmsg message = {};
    message.ifa_family = AF_UNSPEC;
    message.ifa_index = static_cast<uint32_t>(index);
    std::vector<InterfaceAddress> found;
    Request request(fmt::format("RTM_GETADDR index {}", index), RTM_GETADDR, NLM_F_DUMP, message);
    TRY(exchange(m_socket, std::move(request), [&](uint16_t type, std::string_view payload) {
        if (type != RTM_NEWADDR)
            return;
        if (auto address = permanent_global_address(payload, index))
            found.push_back(std::move(*address));
    }));
    return found;
}

Result<> RouteSocket::add_address(int index, const InterfaceAddress& address) const
{
    struct ifaddrmsg message = {};
    message.ifa_family = address.family;
    message.ifa_prefixlen = address.prefix_length;
    message.ifa_scope = RT_SCOPE_UNIVERSE;
    message.ifa_index = static_cast<uint32_t>(index);
    Request request(fmt::format("RTM_NEWADDR index {}", index), RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, message);
    for (const auto& [type, value] : attributes_in(address.attributes))
        request.attribute(type, value);
    if (!address.label.empty())
        request.attribute_text(IFA_LABEL, address.label);
    return exchange(m_socket, std::move(request));
}

Result<> RouteSocket::move_interface(const InterfaceMove& move) const
{
    auto request = link_request(fmt::format("RTM_NEWLINK index {} to a network namespace as {}", move.index, quoted(move.name)),
                                RTM_NEWLINK, move.index);
    request.attribute(IFLA_NET_NS_FD, move.to_namespace.get()).attribute_text(IFLA_IFNAME, move.name);
    if (move.new_index != 0)
        request.attribute(IFLA_NEW_IFINDEX, move.new_index);
    return exchange(m_socket, std::move(request));
}

Result<> RouteSocket::bring_up(int index) const
{
    return exchange(m_socket, up_request(fmt::format("RTM_NEWLINK index {} up", index), index));
}

namespace {

struct rtmsg route_message(bool v6)
{
    struct rtmsg message = {};
    message.rtm_family = v6 ? AF_INET6 : AF_INET;
    return message;
}

} // namespace

Result<> RouteSocket::make_every_address_local(bool v6) const
{
    struct rtmsg message = route_message(v6);
    message.rtm_table = RT_TABLE_LOCAL;
    message.rtm_protocol = RTPROT_STATIC;
    message.rtm_scope = RT_SCOPE_HOST;
    message.rtm_type = RTN_LOCAL;
    Request request(v6 ? "RTM_NEWROUTE local ::/0 dev lo" : "RTM_NEWROUTE local 0.0.0.0/0 dev lo", RTM_NEWROUTE,
                    NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, message);
    request.attribute(RTA_OIF, loopback_index);
    return exchange(m_socket, std::move(request));
}

Result<uint8_t> RouteSocket::kind_of_route_to(const IpAddress& address) const
{
    struct rtmsg message = route_message(address.v6);
    message.rtm_dst_len = static_cast<uint8_t>(address.size() * 8);
    Request request(fmt::format("RTM_GETROUTE {}", address.to_text()), RTM_GETROUTE, NLM_F_ACK, message);
    request.attribute(RTA_DST, address.octets());
    uint8_t kind = RTN_UNSPEC;
    TRY(exchange(m_socket, std::move(request), [&](uint16_t type, std::string_view payload) {
        if (type == RTM_NEWROUTE)
            kind = body_of<struct rtmsg>(payload).rtm_type;
    }));
    return kind;
}

Result<bool> RouteSocket::has_other_interfaces_than_loopback() const
{
    struct ifinfomsg message = {};
    message.ifi_family = AF_UNSPEC;
    bool found = false;
    Request request("RTM_GETLINK all", RTM_GETLINK, NLM_F_DUMP, message);
    TRY(exchange(m_socket, std::move(request), [&](uint16_t type, std::string_view payload) {
        auto link = body_of<struct ifinfomsg>(payload);
        found = found || (type == RTM_NEWLINK && link.ifi_index != loopback_index && (link.ifi_flags & IFF_UP) != 0);
    }));
    return found;
}

} // namespace brig::kernel
