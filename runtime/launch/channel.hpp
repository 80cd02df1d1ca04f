// One end of the launch conversation: typed messages over a sequenced-packet socket.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "launch/protocol.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace brig::launch {

struct Received {
    MessageKind kind = MessageKind::failed;
    std::string payload;
    std::vector<Fd> fds;
};

class Channel {
public:
    Channel() = default;
    explicit Channel(Fd socket) : m_socket(std::move(socket)) {}

    FdRef socket() const { return m_socket; }
    bool open() const { return m_socket.valid(); }
    void close() { m_socket.reset(); }

    Result<> send(MessageKind kind, std::string_view payload = {}, const std::vector<int>& fds = {}) const;
    // nullopt: the other side has closed.
    Result<std::optional<Received>> receive() const;
    // The one message that may come now. The other side's end or another message is an error of kind internal.
    Result<Received> expect(MessageKind kind) const;

private:
    Fd m_socket;
};

} // namespace brig::launch
