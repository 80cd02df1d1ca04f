// Sizes of memory as people write them.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <string_view>

namespace brig {

// Bytes of "1048576", "512k", "64MiB", "1.5g": units are powers of 1024 in either case, "-1" is unlimited. As runc and
// Docker read them. Kind invalid.
Result<int64_t> parse_size(std::string_view text);

} // namespace brig
