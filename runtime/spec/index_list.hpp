// Lists of CPUs and memory nodes as in cpuset(7): "0-3,7".
//
// Layer: pure.
#pragma once

#include "base/result.hpp"

#include <cstdint>

namespace brig::spec {

struct IndexRange {
    uint32_t first = 0;
    uint32_t last = 0; // inclusive, not below first

    friend bool operator==(const IndexRange&, const IndexRange&) = default;
};

// Blanks around items are allowed; an empty text is an empty list. Indices are at most 65535, far above what any kernel
// is built for, so that a list can be turned into a mask of bounded size.
Result<std::vector<IndexRange>> parse_index_list(std::string_view text);

} // namespace brig::spec
