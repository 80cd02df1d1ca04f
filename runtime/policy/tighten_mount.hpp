// Private to the tighten_*.cpp files: one mount of a bundle.
#pragma once

#include "policy/changes.hpp"

namespace brig::policy {

Result<> tighten_mount(spec::Mount& mount, const Policy& policy, const HostLimits& host, Changes& changes);

// What the policy lets a tmpfs at this place have at most.
std::optional<uint64_t> tmpfs_limit(const Policy& policy, std::string_view path);

} // namespace brig::policy
