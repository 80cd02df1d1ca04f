// Messages are made by hand from the kernel's headers: libmnl exists as a shared library only, and loading one costs each
// start more than all of the network's set-up.
#include "kernel/netlink.hpp"

#include "base/fd.hpp"
#include "kernel/call.hpp"

#include <array>
#include <linux/if.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

namespace brig::kernel {

namespace {

// The first device of each network namespace; the kernel promises this number (LOOPBACK_IFINDEX).
constexpr int loopback_index = 1;

struct LinkRequest {
    struct nlmsghdr header;
    struct ifinfomsg link;
};

struct Acknowledgement {
    struct nlmsghdr header;
    struct nlmsgerr error;
};

Result<> exchange(const LinkRequest& request)
{
    Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    if (!socket)
        return BRIG_CALL_FAILED("socket NETLINK_ROUTE");
    if (retry_interrupted([&] { return ::send(socket.get(), &request, sizeof request, 0); }) < 0)
        return BRIG_CALL_FAILED("send RTM_NEWLINK");
    // The kernel handles the request inside of send, so its answer is there.
    Acknowledgement answer = {};
    ssize_t size = retry_interrupted([&] { return ::recv(socket.get(), &answer, sizeof answer, 0); });
    if (size < 0)
        return BRIG_CALL_FAILED("recv RTM_NEWLINK");
    if (static_cast<size_t>(size) < sizeof answer || answer.header.nlmsg_type != NLMSG_ERROR)
        return failure(ErrorKind::internal,
                       fmt::format("RTM_NEWLINK was answered by message type {} of {} bytes", answer.header.nlmsg_type, size));
    if (answer.error.error != 0)
        return failure(Error::system_call(-answer.error.error, "RTM_NEWLINK lo up"));
    return {};
}

} // namespace

Result<> bring_loopback_up()
{
    // Not SIOCSIFFLAGS, which is 2 us faster: it writes all flags, this changes one bit of a device that may be another
    // container's too.
    LinkRequest request = {};
    request.header.nlmsg_len = sizeof request;
    request.header.nlmsg_type = RTM_NEWLINK;
    request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    request.link.ifi_family = AF_UNSPEC;
    request.link.ifi_index = loopback_index;
    request.link.ifi_flags = IFF_UP;
    request.link.ifi_change = IFF_UP;
    return exchange(request);
}

} // namespace brig::kernel
