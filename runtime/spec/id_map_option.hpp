// The value of the mount options idmap= and ridmap=, as crun(1) defines it: "uids=0-1000-10#10-5000-5;gids=@0-1-10".
//
// Each triplet is first id of the file system, first id on the host, length. With "@" the second one is an id of the
// container's user namespace instead.
//
// Layer: pure. Errors: kind invalid, naming the part that is wrong.
#pragma once

#include "base/result.hpp"
#include "spec/spec.hpp"

#include <string_view>
#include <vector>

namespace brig::spec {

struct IdMapRange {
    uint32_t file_system_id = 0;
    uint32_t other_id = 0; // of the host, or of the container's user namespace
    uint32_t size = 0;
    bool relative = false;
};

struct IdMapOption {
    std::vector<IdMapRange> uids;
    std::vector<IdMapRange> gids;
};

Result<IdMapOption> parse_id_map_option(std::string_view value);

// Relative ranges become the host's by the container's own mappings.
Result<std::vector<IdMapping>> resolve_id_ranges(const std::vector<IdMapRange>& ranges,
                                                 const std::vector<IdMapping>& of_container);

} // namespace brig::spec
