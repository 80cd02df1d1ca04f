// What the caller hands over besides options: descriptors to pass on, sockets to answer on, the working directory.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <string>
#include <vector>

namespace brig::command {

struct InheritedDescriptors {
    unsigned count = 0;                   // from 3 on: $LISTEN_FDS and those of --preserve-fds
    std::vector<std::string> environment; // LISTEN_FDS=, LISTEN_PID= and LISTEN_FDNAMES= for the container
};

// sd_listen_fds(3): descriptors count only when $LISTEN_PID is this process. All must be open. Kind invalid.
Result<InheritedDescriptors> inherited_descriptors(unsigned preserved);

// $NOTIFY_SOCKET of sd_notify(3); empty: there is no service manager to tell.
std::string notify_socket();

// An empty path gives an invalid Fd. `option` is for the error text.
Result<Fd> connect_socket(std::string_view option, const std::string& path);

// Relative paths are the caller's; "" stays "".
Result<std::string> absolute_path(const std::string& path);

} // namespace brig::command
