// Unix sockets that carry bytes and descriptors between brig's own processes, and to console and seccomp listeners.
//
// Errors: kind system. Received descriptors are O_CLOEXEC and owned.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace brig::kernel {

struct Message {
    std::string bytes; // empty bytes and no fds: the peer has closed
    std::vector<Fd> fds;
    bool end_of_stream = false;
};

Result<std::pair<Fd, Fd>> sequenced_socket_pair();
Result<std::pair<Fd, Fd>> make_pipe(int flags = 0); // read end, write end

// At most 16 descriptors a message.
Result<> send_message(FdRef socket, std::string_view bytes, const std::vector<int>& fds = {});
// Up to `limit` bytes; a longer message is an error of kind internal, never cut silently.
Result<Message> receive_message(FdRef socket, size_t limit);

// Sockets are named by directory and name because sun_path holds 107 bytes and state directories can be longer.
Result<Fd> listen_at(FdRef directory, const std::string& name, mode_t mode);
Result<Fd> connect_at(FdRef directory, const std::string& name);
// By path, SOCK_STREAM; resolves long paths through the parent directory.
// `milliseconds`: how long connecting and each sending may take; negative: for ever.
Result<Fd> connect_stream(const std::string& path, int64_t milliseconds = -1);
Result<Fd> accept_connection(FdRef listener);

// SOCK_DGRAM. Never follows a link at `name`; EEXIST as EADDRINUSE. Receiving does not block.
Result<Fd> bind_datagram_at(FdRef directory, const std::string& name, mode_t mode);
// SOCK_DGRAM, to an absolute path or to "@name" in the abstract namespace. `milliseconds`: how long each sending may take.
Result<Fd> connect_datagram(const std::string& address, int64_t milliseconds);
// One datagram; nullopt when none waits. One that is longer than `limit` comes as empty text. Descriptors that came with it
// are closed by the kernel and never enter this process.
Result<std::optional<std::string>> receive_text_datagram(FdRef socket, size_t limit);

// Waits until readable; negative waits forever. False on time-out. EINTR is retried with the remaining time.
Result<bool> wait_readable(FdRef fd, int64_t milliseconds);

} // namespace brig::kernel
