// Stopping and continuing all processes of a cgroup: cgroup.freeze of v2, freezer.state of v1.
//
// Runs in: the verbs. Both back-ends have one interface; `directory` is the cgroup's own directory.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <string>

namespace brig::cgroup {

// Waits until the kernel says that every process has stopped. Past the time the cgroup is thawed: kind timed_out.
Result<> freeze_v2(const std::string& directory, int64_t milliseconds);
Result<> thaw_v2(const std::string& directory);
Result<bool> is_frozen_v2(const std::string& directory);

Result<> freeze_v1(const std::string& directory, int64_t milliseconds);
Result<> thaw_v1(const std::string& directory);
Result<bool> is_frozen_v1(const std::string& directory);

} // namespace brig::cgroup
