// rtnetlink, as far as a container's start needs it.
#pragma once

#include "base/result.hpp"

namespace brig::kernel {

// Brings lo up in the caller's network namespace. Already up is fine.
Result<> bring_loopback_up();

} // namespace brig::kernel
