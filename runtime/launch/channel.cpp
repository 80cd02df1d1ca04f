#include "launch/channel.hpp"

#include "base/text.hpp"
#include "kernel/sockets.hpp"

namespace brig::launch {

namespace {

// The largest are a seccomp program of 4096 instructions (32 KiB), and the arguments and the environment of a program that a
// resident init runs; errors are cut to less. The kernel's usual bound for a packet is some 200 KiB.
constexpr size_t longest_message = 160 << 10;

} // namespace

Result<> Channel::send(MessageKind kind, std::string_view payload, const std::vector<int>& fds) const
{
    std::string bytes(1, static_cast<char>(kind));
    bytes += payload;
    if (bytes.size() > longest_message)
        return failure(ErrorKind::internal, fmt::format("message {} has {} bytes", message_name(kind), bytes.size()));
    return kernel::send_message(m_socket, bytes, fds);
}

Result<std::optional<Received>> Channel::receive() const
{
    auto message = TRY(kernel::receive_message(m_socket, longest_message));
    if (message.end_of_stream)
        return std::nullopt;
    Received received;
    received.kind = static_cast<MessageKind>(message.bytes[0]);
    received.payload = message.bytes.substr(1);
    received.fds = std::move(message.fds);
    return received;
}

Result<Received> Channel::expect(MessageKind kind) const
{
    auto received = TRY(receive());
    if (!received)
        return failure(ErrorKind::internal, fmt::format("the other side ended before {}", message_name(kind)));
    if (received->kind != kind)
        return failure(ErrorKind::internal,
                       fmt::format("got {} when {} was due", message_name(received->kind), message_name(kind)));
    return std::move(*received);
}

} // namespace brig::launch
