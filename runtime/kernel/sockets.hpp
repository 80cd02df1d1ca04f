// Unix sockets that carry bytes and descriptors between brig's own processes, and to console and seccomp listeners.
//
// Errors: kind system. Received descriptors are O_CLOEXEC and owned.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

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

// Waits until readable; negative waits forever. False on time-out. EINTR is retried with the remaining time.
Result<bool> wait_readable(FdRef fd, int64_t milliseconds);

} // namespace brig::kernel
