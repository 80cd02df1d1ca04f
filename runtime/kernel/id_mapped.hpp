// User namespaces that exist only as the id mapping of a mount.
//
// Runs in: whoever may see the mapped ids (the launcher, or an init without a user namespace of its own).
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <string>

namespace brig::kernel {

// A user namespace with these maps (lines "inside outside size"); nothing lives in it, the descriptor keeps it.
Result<Fd> make_user_namespace(const std::string& uid_map, const std::string& gid_map);

} // namespace brig::kernel
