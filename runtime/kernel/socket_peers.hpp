// Who is at the other end of a unix socket.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <sys/types.h>

namespace brig::kernel {

// SO_PEERCRED: who connected, as the caller's user namespace sees it.
Result<uid_t> peer_uid(FdRef connection);

} // namespace brig::kernel
