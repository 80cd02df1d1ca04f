#include "kernel/socket_peers.hpp"

#include "kernel/call.hpp"

#include <sys/socket.h>

namespace brig::kernel {

Result<uid_t> peer_uid(FdRef connection)
{
    struct ucred credentials = {};
    socklen_t length = sizeof credentials;
    if (::getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0)
        return BRIG_CALL_FAILED("getsockopt SO_PEERCRED");
    return credentials.uid;
}

} // namespace brig::kernel
