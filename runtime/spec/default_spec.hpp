// The config.json that `brig spec [--rootless]` writes, in the shape that `runc spec` gives it.
//
// Layer: pure.
#pragma once

#include "base/json.hpp"

namespace brig::spec {

// `uid` and `gid` are the caller's on the host; only the rootless form uses them, as the one mapping of a user
// namespace.
Json default_spec(bool rootless, uint32_t uid, uint32_t gid);

} // namespace brig::spec
