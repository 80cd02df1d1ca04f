#include "kernel/sockets.hpp"

#include "kernel/call.hpp"
#include "kernel/files.hpp"

#include <chrono>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

namespace brig::kernel {

namespace {

constexpr size_t most_descriptors = 16;

} // namespace

Result<std::pair<Fd, Fd>> sequenced_socket_pair()
{
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return BRIG_CALL_FAILED("socketpair");
    return std::pair(Fd(ends[0]), Fd(ends[1]));
}

Result<std::pair<Fd, Fd>> make_pipe(int flags)
{
    int ends[2];
    if (::pipe2(ends, flags | O_CLOEXEC) < 0)
        return BRIG_CALL_FAILED("pipe2");
    return std::pair(Fd(ends[0]), Fd(ends[1]));
}

Result<> send_message(FdRef socket, std::string_view bytes, const std::vector<int>& fds)
{
    alignas(struct cmsghdr) char control[CMSG_SPACE(most_descriptors * sizeof(int))] = {};
    struct iovec part = {const_cast<char*>(bytes.data()), bytes.size()};
    struct msghdr header = {};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    if (fds.size() > most_descriptors)
        return failure(ErrorKind::internal, fmt::format("a message cannot carry {} descriptors", fds.size()));
    if (!fds.empty()) {
        header.msg_control = control;
        header.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
        struct cmsghdr* rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
        std::memcpy(CMSG_DATA(rights), fds.data(), fds.size() * sizeof(int));
    }
    ssize_t count = retry_interrupted([&] { return ::sendmsg(socket.get(), &header, MSG_NOSIGNAL); });
    if (count < 0)
        return BRIG_CALL_FAILED("sendmsg");
    if (static_cast<size_t>(count) != bytes.size())
        return failure(ErrorKind::system, fmt::format("sendmsg: {} of {} bytes were taken", count, bytes.size()));
    return {};
}

namespace {

// A peer that ends with unread messages resets the connection, once, at any moment; what it had said before comes after that.
template<typename Call> ssize_t retry_after_reset(Call receive)
{
    ssize_t length = retry_interrupted(receive);
    return length < 0 && errno == ECONNRESET ? retry_interrupted(receive) : length;
}

std::vector<Fd> take_descriptors(struct msghdr& header)
{
    std::vector<Fd> fds;
    for (struct cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t index = 0; index < count; index++) {
            int number = -1;
            std::memcpy(&number, CMSG_DATA(part) + index * sizeof(int), sizeof number);
            fds.emplace_back(number);
        }
    }
    return fds;
}

} // namespace

Result<Message> receive_message(FdRef socket, size_t limit)
{
    alignas(struct cmsghdr) char control[CMSG_SPACE(most_descriptors * sizeof(int))] = {};
    Message message;
    // The length first: a buffer of the limit's size would cost a page fault for each of its pages, in a fresh child.
    ssize_t length = retry_after_reset([&] { return ::recv(socket.get(), nullptr, 0, MSG_PEEK | MSG_TRUNC); });
    if (length < 0)
        return BRIG_CALL_FAILED("recv");
    message.bytes.resize(std::min(static_cast<size_t>(length) + 1, limit));
    struct iovec part = {message.bytes.data(), message.bytes.size()};
    struct msghdr header = {};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    ssize_t count = retry_after_reset([&] { return ::recvmsg(socket.get(), &header, MSG_CMSG_CLOEXEC); });
    if (count < 0)
        return BRIG_CALL_FAILED("recvmsg");
    message.fds = take_descriptors(header);
    if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
        return failure(ErrorKind::internal,
                       fmt::format("a message is longer than {} bytes or carries too many descriptors", limit));
    message.bytes.resize(static_cast<size_t>(count));
    message.end_of_stream = count == 0;
    return message;
}

namespace {

struct SocketName {
    struct sockaddr_un address = {};
    socklen_t length = 0;
};

// "/proc/self/fd/N/name" names a socket in an opened directory however long the directory's path is.
Result<SocketName> name_in(FdRef directory, const std::string& name)
{
    SocketName socket_name;
    socket_name.address.sun_family = AF_UNIX;
    std::string path = directory.get() == AT_FDCWD ? name : descriptor_path(directory) + "/" + name;
    if (path.size() >= sizeof socket_name.address.sun_path)
        return failure(ErrorKind::invalid, fmt::format("socket name {} is too long", quoted(name)));
    std::memcpy(socket_name.address.sun_path, path.c_str(), path.size() + 1);
    socket_name.length = static_cast<socklen_t>(offsetof(struct sockaddr_un, sun_path) + path.size() + 1);
    return socket_name;
}

Result<Fd> new_socket(int type)
{
    int fd = ::socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return BRIG_CALL_FAILED("socket AF_UNIX");
    return Fd(fd);
}

Result<> limit_sending(FdRef socket, int64_t milliseconds)
{
    struct timeval limit = {milliseconds / 1000, milliseconds % 1000 * 1000};
    if (::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0)
        return BRIG_CALL_FAILED("setsockopt SO_SNDTIMEO");
    return {};
}

Result<> connect_to(FdRef socket, const SocketName& name, const std::string& shown)
{
    const auto* address = reinterpret_cast<const struct sockaddr*>(&name.address);
    if (retry_interrupted([&] { return ::connect(socket.get(), address, name.length); }) < 0)
        return BRIG_CALL_FAILED("connect to {}", one_line(shown));
    return {};
}

} // namespace

namespace {

Result<Fd> bind_at(int type, FdRef directory, const std::string& name, mode_t mode)
{
    SocketName socket_name = TRY(name_in(directory, name));
    Fd socket = TRY(new_socket(type));
    // fchmod before bind sets the mode of the file that bind makes, so there is no moment with a wider one.
    if (::fchmod(socket.get(), mode) < 0)
        return BRIG_CALL_FAILED("chmod of socket {}", name);
    // The mode is meant as it is. A chmod afterwards would go by name, to whatever has the name by then.
    mode_t former_mask = ::umask(0);
    int bound = ::bind(socket.get(), reinterpret_cast<const struct sockaddr*>(&socket_name.address), socket_name.length);
    int code = errno;
    ::umask(former_mask);
    errno = code;
    if (bound < 0)
        return BRIG_CALL_FAILED("bind {}", name);
    return socket;
}

} // namespace

Result<Fd> listen_at(FdRef directory, const std::string& name, mode_t mode)
{
    Fd socket = TRY(bind_at(SOCK_SEQPACKET, directory, name, mode));
    if (::listen(socket.get(), 8) < 0)
        return BRIG_CALL_FAILED("listen on {}", name);
    return socket;
}

Result<Fd> connect_at(FdRef directory, const std::string& name)
{
    SocketName socket_name = TRY(name_in(directory, name));
    Fd socket = TRY(new_socket(SOCK_SEQPACKET));
    TRY(connect_to(socket, socket_name, name));
    return socket;
}

Result<Fd> connect_stream(const std::string& path, int64_t milliseconds)
{
    Fd parent = TRY(open_at(working_directory, std::string(parent_path(path)), O_PATH | O_DIRECTORY));
    SocketName socket_name = TRY(name_in(parent, std::string(base_name(path))));
    Fd socket = TRY(new_socket(SOCK_STREAM));
    if (milliseconds >= 0)
        TRY(limit_sending(socket, milliseconds));
    TRY(connect_to(socket, socket_name, path));
    return socket;
}

Result<Fd> accept_connection(FdRef listener)
{
    int fd = retry_interrupted([&] { return ::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC); });
    if (fd < 0)
        return BRIG_CALL_FAILED("accept");
    return Fd(fd);
}

Result<Fd> bind_datagram_at(FdRef directory, const std::string& name, mode_t mode)
{
    return bind_at(SOCK_DGRAM | SOCK_NONBLOCK, directory, name, mode);
}

namespace {

// The bytes after '@' are the whole name: an abstract one has no end mark.
Result<SocketName> abstract_name(std::string_view name)
{
    SocketName socket_name;
    socket_name.address.sun_family = AF_UNIX;
    if (name.empty() || name.size() >= sizeof socket_name.address.sun_path)
        return failure(ErrorKind::invalid, fmt::format("abstract socket name {} is empty or too long", quoted(name)));
    std::memcpy(socket_name.address.sun_path + 1, name.data(), name.size());
    socket_name.length = static_cast<socklen_t>(offsetof(struct sockaddr_un, sun_path) + 1 + name.size());
    return socket_name;
}

} // namespace

Result<Fd> connect_datagram(const std::string& address, int64_t milliseconds)
{
    Fd socket = TRY(new_socket(SOCK_DGRAM));
    TRY(limit_sending(socket, milliseconds));
    if (address.starts_with('@')) {
        TRY(connect_to(socket, TRY(abstract_name(std::string_view(address).substr(1))), address));
        return socket;
    }
    if (!address.starts_with('/'))
        return failure(ErrorKind::not_supported,
                       fmt::format("{} is neither an absolute path nor an abstract name", quoted(address)));
    Fd parent = TRY(open_at(working_directory, std::string(parent_path(address)), O_PATH | O_DIRECTORY));
    TRY(connect_to(socket, TRY(name_in(parent, std::string(base_name(address)))), address));
    return socket;
}

Result<std::optional<std::string>> receive_text_datagram(FdRef socket, size_t limit)
{
    std::string text(limit, '\0');
    struct iovec part = {text.data(), text.size()};
    // Without a control buffer the kernel drops descriptors instead of opening them here.
    struct msghdr header = {};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    ssize_t count = retry_interrupted([&] { return ::recvmsg(socket.get(), &header, 0); });
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return std::nullopt;
    if (count < 0)
        return BRIG_CALL_FAILED("recvmsg");
    bool was_cut = (header.msg_flags & MSG_TRUNC) != 0;
    text.resize(was_cut ? 0 : static_cast<size_t>(count));
    return text;
}

Result<bool> wait_readable(FdRef fd, int64_t milliseconds)
{
    using Clock = std::chrono::steady_clock;
    auto deadline = Clock::now() + std::chrono::milliseconds(milliseconds);
    int64_t left = milliseconds;
    while (true) {
        struct pollfd entry = {fd.get(), POLLIN, 0};
        int count = ::poll(&entry, 1, static_cast<int>(left));
        if (count >= 0)
            return count > 0;
        if (errno != EINTR)
            return BRIG_CALL_FAILED("poll");
        if (milliseconds >= 0)
            left = std::max<int64_t>(0, std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count());
    }
}

} // namespace brig::kernel
