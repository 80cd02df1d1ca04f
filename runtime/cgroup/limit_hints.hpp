// Why the kernel refused a limit, and what to do about it.
//
// Layer: text only. Errors keep their errno; missing files become kind not_supported.
#pragma once

#include "base/error.hpp"
#include "plan/plan.hpp"

#include <string>

namespace brig::cgroup {

Error explain_limit(const plan::CgroupWrite& limit, Error error);
Error missing_limit_file(const plan::CgroupWrite& limit, const std::string& directory);

} // namespace brig::cgroup
