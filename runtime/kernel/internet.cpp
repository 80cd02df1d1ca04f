#include "kernel/internet.hpp"

#include "kernel/call.hpp"

#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace brig::kernel {

namespace {

struct SocketAddress {
    struct sockaddr_storage storage = {};
    socklen_t length = sizeof(struct sockaddr_storage);

    struct sockaddr* get() { return reinterpret_cast<struct sockaddr*>(&storage); }
};

SocketAddress socket_address(const IpEndpoint& endpoint)
{
    SocketAddress address;
    if (endpoint.address.v6) {
        struct sockaddr_in6 name = {};
        name.sin6_family = AF_INET6;
        name.sin6_port = htons(endpoint.port);
        std::memcpy(&name.sin6_addr, endpoint.address.bytes.data(), sizeof name.sin6_addr);
        std::memcpy(&address.storage, &name, sizeof name);
        address.length = sizeof name;
    } else {
        struct sockaddr_in name = {};
        name.sin_family = AF_INET;
        name.sin_port = htons(endpoint.port);
        std::memcpy(&name.sin_addr, endpoint.address.bytes.data(), sizeof name.sin_addr);
        std::memcpy(&address.storage, &name, sizeof name);
        address.length = sizeof name;
    }
    return address;
}

IpAddress address_from(const void* bytes, bool v6)
{
    IpAddress address = IpAddress::any(v6);
    std::memcpy(address.bytes.data(), bytes, address.size());
    return address;
}

IpEndpoint endpoint_from(const SocketAddress& address)
{
    if (address.storage.ss_family == AF_INET6) {
        struct sockaddr_in6 name = {};
        std::memcpy(&name, &address.storage, sizeof name);
        return {address_from(&name.sin6_addr, true), ntohs(name.sin6_port)};
    }
    struct sockaddr_in name = {};
    std::memcpy(&name, &address.storage, sizeof name);
    return {address_from(&name.sin_addr, false), ntohs(name.sin_port)};
}

Result<Fd> new_socket(bool v6, int type)
{
    int fd = ::socket(v6 ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return BRIG_CALL_FAILED("socket {} {}", v6 ? "AF_INET6" : "AF_INET", type == SOCK_STREAM ? "SOCK_STREAM" : "SOCK_DGRAM");
    return Fd(fd);
}

Result<> set_option(FdRef socket, int level, int option, const char* name)
{
    int on = 1;
    if (::setsockopt(socket.get(), level, option, &on, sizeof on) < 0)
        return BRIG_CALL_FAILED("setsockopt {}", name);
    return {};
}

Result<> bind_to(FdRef socket, const IpEndpoint& endpoint)
{
    SocketAddress address = socket_address(endpoint);
    if (endpoint.address.v6)
        TRY(set_option(socket, IPPROTO_IPV6, IPV6_V6ONLY, "IPV6_V6ONLY"));
    if (::bind(socket.get(), address.get(), address.length) < 0)
        return BRIG_CALL_FAILED("bind {}", endpoint.to_text());
    return {};
}

bool was_reset_while_waiting(int code)
{
    // The errors of accept(2) that belong to the connection, not to the listener.
    return code == ECONNABORTED || code == EPROTO || code == ENETDOWN || code == ENETUNREACH || code == EHOSTUNREACH
           || code == EOPNOTSUPP || code == ENOPROTOOPT || code == EHOSTDOWN || code == ENONET;
}

} // namespace

Result<Fd> listen_tcp(const IpEndpoint& at, int backlog)
{
    Fd socket = TRY(new_socket(at.address.v6, SOCK_STREAM));
    TRY(bind_to(socket, at));
    if (::listen(socket.get(), backlog) < 0)
        return BRIG_CALL_FAILED("listen {}", at.to_text());
    return socket;
}

Result<Fd> bind_udp(const IpEndpoint& at)
{
    Fd socket = TRY(new_socket(at.address.v6, SOCK_DGRAM));
    if (at.address.v6) {
        TRY(set_option(socket, IPPROTO_IPV6, IPV6_RECVPKTINFO, "IPV6_RECVPKTINFO"));
        // An address that only a route makes local is none to answer from, for IPv6.
        TRY(set_option(socket, IPPROTO_IPV6, IPV6_FREEBIND, "IPV6_FREEBIND"));
    } else
        TRY(set_option(socket, IPPROTO_IP, IP_PKTINFO, "IP_PKTINFO"));
    TRY(bind_to(socket, at));
    return socket;
}

Result<Fd> connect_udp(const IpEndpoint& peer)
{
    Fd socket = TRY(new_socket(peer.address.v6, SOCK_DGRAM));
    SocketAddress address = socket_address(peer);
    if (::connect(socket.get(), address.get(), address.length) < 0)
        return BRIG_CALL_FAILED("connect to {} by UDP", peer.to_text());
    return socket;
}

Result<std::optional<Accepted>> accept_available(FdRef listener)
{
    Accepted accepted;
    while (true) {
        SocketAddress peer;
        int fd =
            retry_interrupted([&] { return ::accept4(listener.get(), peer.get(), &peer.length, SOCK_CLOEXEC | SOCK_NONBLOCK); });
        if (fd < 0 && errno == EAGAIN)
            return std::nullopt;
        if (fd < 0 && was_reset_while_waiting(errno))
            continue;
        if (fd < 0)
            return BRIG_CALL_FAILED("accept4");
        accepted.socket = Fd(fd);
        accepted.peer = endpoint_from(peer);
        break;
    }
    SocketAddress local;
    if (::getsockname(accepted.socket.get(), local.get(), &local.length) < 0)
        return BRIG_CALL_FAILED("getsockname");
    accepted.local = endpoint_from(local);
    return accepted;
}

Result<Fd> begin_connect(const IpEndpoint& peer)
{
    Fd socket = TRY(new_socket(peer.address.v6, SOCK_STREAM));
    SocketAddress address = socket_address(peer);
    if (::connect(socket.get(), address.get(), address.length) < 0 && errno != EINPROGRESS)
        return BRIG_CALL_FAILED("connect to {}", peer.to_text());
    return socket;
}

Result<> connect_outcome(FdRef socket)
{
    int code = 0;
    socklen_t size = sizeof code;
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &code, &size) < 0)
        return BRIG_CALL_FAILED("getsockopt SO_ERROR");
    if (code != 0)
        return failure(Error::system_call(code, "connect"));
    return {};
}

namespace {

// Room for either family's packet information.
constexpr size_t control_size = CMSG_SPACE(sizeof(struct in6_pktinfo));

std::optional<IpAddress> local_address_in(struct msghdr& header)
{
    for (struct cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
        if (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo information = {};
            std::memcpy(&information, CMSG_DATA(part), sizeof information);
            return address_from(&information.ipi_addr, false);
        }
        if (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo information = {};
            std::memcpy(&information, CMSG_DATA(part), sizeof information);
            return address_from(&information.ipi6_addr, true);
        }
    }
    return std::nullopt;
}

template<typename Information> void put_control(struct msghdr& header, int level, int type, const Information& information)
{
    header.msg_controllen = CMSG_SPACE(sizeof information);
    struct cmsghdr* part = CMSG_FIRSTHDR(&header);
    part->cmsg_level = level;
    part->cmsg_type = type;
    part->cmsg_len = CMSG_LEN(sizeof information);
    std::memcpy(CMSG_DATA(part), &information, sizeof information);
}

void put_local_address(struct msghdr& header, const IpAddress& local)
{
    if (local.v6) {
        struct in6_pktinfo information = {};
        std::memcpy(&information.ipi6_addr, local.bytes.data(), local.size());
        put_control(header, IPPROTO_IPV6, IPV6_PKTINFO, information);
    } else {
        struct in_pktinfo information = {};
        std::memcpy(&information.ipi_spec_dst, local.bytes.data(), local.size());
        put_control(header, IPPROTO_IP, IP_PKTINFO, information);
    }
}

} // namespace

Result<std::optional<Datagram>> receive_datagram(FdRef socket, size_t limit)
{
    alignas(struct cmsghdr) char control[control_size] = {};
    Datagram datagram;
    datagram.bytes.resize(limit);
    SocketAddress peer;
    struct iovec part = {datagram.bytes.data(), datagram.bytes.size()};
    struct msghdr header = {};
    header.msg_name = peer.get();
    header.msg_namelen = peer.length;
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    ssize_t size = retry_interrupted([&] { return ::recvmsg(socket.get(), &header, 0); });
    if (size < 0 && errno == EAGAIN)
        return std::nullopt;
    if (size < 0)
        return BRIG_CALL_FAILED("recvmsg of a datagram");
    datagram.bytes.resize(static_cast<size_t>(size));
    datagram.peer = endpoint_from(peer);
    if (auto local = local_address_in(header))
        datagram.local = *local;
    return datagram;
}

Result<> send_datagram(FdRef socket, const Datagram& datagram)
{
    alignas(struct cmsghdr) char control[control_size] = {};
    SocketAddress peer = socket_address(datagram.peer);
    struct iovec part = {const_cast<char*>(datagram.bytes.data()), datagram.bytes.size()};
    struct msghdr header = {};
    header.msg_name = peer.get();
    header.msg_namelen = peer.length;
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control;
    put_local_address(header, datagram.local);
    if (retry_interrupted([&] { return ::sendmsg(socket.get(), &header, MSG_NOSIGNAL); }) < 0 && errno != EAGAIN)
        return BRIG_CALL_FAILED("sendmsg to {}", datagram.peer.to_text());
    return {};
}

Result<> send_without_delay(FdRef socket)
{
    return set_option(socket, IPPROTO_TCP, TCP_NODELAY, "TCP_NODELAY");
}

Result<> reset_on_close(FdRef socket)
{
    struct linger linger = {1, 0};
    if (::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &linger, sizeof linger) < 0)
        return BRIG_CALL_FAILED("setsockopt SO_LINGER");
    return {};
}

Result<> shut_down_sending(FdRef socket)
{
    if (::shutdown(socket.get(), SHUT_WR) < 0 && errno != ENOTCONN)
        return BRIG_CALL_FAILED("shutdown SHUT_WR");
    return {};
}

} // namespace brig::kernel
