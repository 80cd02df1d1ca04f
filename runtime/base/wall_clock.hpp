// The time of day as records carry it.
#pragma once

#include <string>

namespace brig {

// UTC, nanoseconds: "2024-05-01T12:00:00.000000000Z".
std::string now_as_rfc3339();

} // namespace brig
