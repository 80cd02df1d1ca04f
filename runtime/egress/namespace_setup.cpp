#include "egress/namespace_setup.hpp"

#include "base/text.hpp"
#include "kernel/child_process.hpp"
#include "kernel/internet.hpp"
#include "kernel/namespaces.hpp"
#include "kernel/netlink.hpp"
#include "kernel/procfs.hpp"
#include "kernel/sockets.hpp"

#include <cerrno>
#include <sched.h>

namespace brig::egress {

namespace {

constexpr uint16_t dns_port = 53;
constexpr int backlog = 2048;
constexpr size_t longest_message = 4096;
constexpr const char* error_word = "error ";

// ---- inside ------------------------------------------------------------------------------------------------------------

Result<> join(const NamespaceRequest& request)
{
    if (request.user_namespace.valid())
        TRY(kernel::join_namespace(request.user_namespace, CLONE_NEWUSER));
    return kernel::join_namespace(request.network_namespace, CLONE_NEWNET);
}

bool is_missing_ipv6(const Error& error)
{
    return error.code() == EAFNOSUPPORT || error.code() == EOPNOTSUPP || error.code() == EACCES || error.code() == EINVAL
           || error.code() == EADDRNOTAVAIL;
}

// The kernel would answer an echo request to any address, as all are its own.
Result<> silence_echo(bool ipv6)
{
    auto procfs = TRY(kernel::Procfs::open(kernel::Procfs::View::everything));
    TRY(procfs.write("sys/net/ipv4/icmp_echo_ignore_all", "1"));
    if (ipv6)
        TRY(procfs.write("sys/net/ipv6/icmp/echo_ignore_all", "1"));
    return {};
}

// Gives whether there is IPv6.
Result<bool> make_everything_local()
{
    auto routes = TRY(kernel::RouteSocket::open());
    if (TRY(routes.has_other_interfaces_than_loopback()))
        return failure(Error(ErrorKind::invalid, "the sandbox's network namespace has an interface besides lo")
                           .with_hint("network by domain needs a network namespace of the sandbox's own, without interfaces"));
    TRY(kernel::bring_loopback_up());
    TRY(routes.make_every_address_local(false));
    auto ipv6 = routes.make_every_address_local(true);
    if (!ipv6 && !is_missing_ipv6(ipv6.error()))
        return failure(std::move(ipv6).error());
    return ipv6.has_value();
}

Result<> hand_over(FdRef channel, ListenerKind kind, uint16_t port, Result<Fd> made)
{
    Fd socket = TRY(std::move(made));
    return kernel::send_message(channel, fmt::format("{} {}", static_cast<int>(kind), port), {socket.get()});
}

Result<> listen_everywhere(FdRef channel, bool v6, const std::vector<uint16_t>& ports, uint16_t proxy_port)
{
    IpAddress any = IpAddress::any(v6);
    for (uint16_t port : ports)
        TRY(hand_over(channel, ListenerKind::transparent, port, kernel::listen_tcp({any, port}, backlog)));
    TRY(hand_over(channel, ListenerKind::dns_udp, dns_port, kernel::bind_udp({any, dns_port})));
    TRY(hand_over(channel, ListenerKind::dns_tcp, dns_port, kernel::listen_tcp({any, dns_port}, backlog)));
    if (proxy_port != 0)
        TRY(hand_over(channel, ListenerKind::proxy, proxy_port, kernel::listen_tcp({any, proxy_port}, backlog)));
    return {};
}

Result<> work_inside(FdRef channel, const NamespaceRequest& request, const std::vector<uint16_t>& ports)
{
    TRY_DURING("join the sandbox's network", join(request));
    bool ipv6 = TRY_DURING("set up the sandbox's network", make_everything_local());
    TRY_DURING("set up the sandbox's network", silence_echo(ipv6));
    TRY_DURING("listen in the sandbox's network", listen_everywhere(channel, false, ports, request.proxy_port));
    if (ipv6)
        TRY_DURING("listen in the sandbox's network", listen_everywhere(channel, true, ports, request.proxy_port));
    return kernel::send_message(channel, ipv6 ? "ipv6" : "ipv4");
}

// ---- outside -----------------------------------------------------------------------------------------------------------

Result<> check_ports(const std::vector<uint16_t>& ports, uint16_t proxy_port)
{
    for (uint16_t port : ports) {
        if (port == dns_port)
            return failure(Error(ErrorKind::invalid, "a domain rule names port 53, where the sandbox's name server is")
                               .with_hint("names are resolved for the sandbox; it needs no name server of its own"));
        if (port == proxy_port)
            return failure(
                Error(ErrorKind::invalid, fmt::format("a domain rule names port {}, where the sandbox's proxy is", port))
                    .with_hint("choose another port for the proxy"));
    }
    return {};
}

Result<Listener> listener_from(kernel::Message message)
{
    auto words = split(message.bytes, ' ');
    if (words.size() != 2 || message.fds.size() != 1)
        return failure(ErrorKind::internal, "the child sent no listener from the network namespace");
    auto kind = TRY(parse_unsigned(words[0]));
    auto port = TRY(parse_unsigned(words[1]));
    return Listener{static_cast<ListenerKind>(kind), static_cast<uint16_t>(port), std::move(message.fds[0])};
}

Result<Listeners> take_listeners(FdRef channel)
{
    Listeners listeners;
    while (true) {
        auto message = TRY(kernel::receive_message(channel, longest_message));
        if (message.end_of_stream)
            return failure(ErrorKind::internal, "the child in the network namespace ended without a word");
        if (message.bytes.starts_with(error_word))
            return failure(ErrorKind::system, message.bytes.substr(std::string_view(error_word).size()));
        if (message.bytes == "ipv6" || message.bytes == "ipv4") {
            listeners.ipv6 = message.bytes == "ipv6";
            return listeners;
        }
        listeners.sockets.push_back(TRY(listener_from(std::move(message))));
    }
}

} // namespace

Result<Listeners> prepare_namespace(const NamespaceRequest& request, const Rules& rules)
{
    std::vector<uint16_t> ports = rules.ports();
    TRY(check_ports(ports, request.proxy_port));
    auto [own_end, childs_end] = TRY(kernel::sequenced_socket_pair());
    kernel::CloneOutcome child = TRY(kernel::clone_process({}));
    if (child.in_child) {
        own_end.reset();
        auto done = work_inside(childs_end, request, ports);
        if (!done)
            (void)kernel::send_message(childs_end, (error_word + done.error().message()).substr(0, longest_message - 1));
        kernel::exit_now(0);
    }
    childs_end.reset();
    auto listeners = take_listeners(own_end);
    if (!listeners)
        (void)kernel::pidfd_send_signal(child.pidfd, SIGKILL); // it may wait until somebody takes its messages
    (void)kernel::wait_for(child.pid);
    return listeners;
}

std::string resolver_configuration()
{
    // No search list: a short name means itself. A refusal is final, so there is nothing to be gained by more attempts.
    return "nameserver 127.0.0.1\noptions attempts:2 timeout:3\n";
}

std::vector<std::string> proxy_environment(uint16_t proxy_port)
{
    std::string http = fmt::format("http://127.0.0.1:{}", proxy_port);
    std::vector<std::string> variables;
    for (const char* name : {"http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"})
        variables.push_back(fmt::format("{}={}", name, http));
    for (const char* name : {"all_proxy", "ALL_PROXY"})
        variables.push_back(fmt::format("{}=socks5h://127.0.0.1:{}", name, proxy_port));
    for (const char* name : {"no_proxy", "NO_PROXY"})
        variables.push_back(fmt::format("{}=localhost,127.0.0.1,::1", name));
    return variables;
}

} // namespace brig::egress
