// One controller's part of linux.resources -> the files of cgroup v1 and of cgroup v2.
//
// Layer: pure. A limit of 0 means "not set", as in runc, except pids.limit (specification 1.3). -1 means unlimited.
// Errors: kind invalid for values that no kernel takes, not_supported for what the layout has no file for.
#pragma once

#include "base/result.hpp"
#include "plan/plan.hpp"
#include "spec/spec.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace brig::plan {

using LimitWrites = Result<std::vector<CgroupWrite>>;

struct LimitController {
    std::string_view v1_name; // "blkio"
    std::string_view v2_name; // "io"; empty: cgroup v2 has no such controller
    LimitWrites (*v1_writes)(const spec::Resources&);
    LimitWrites (*v2_writes)(const spec::Resources&);
};

// In the order in which they are written.
std::span<const LimitController> limit_controllers();

// linux.resources.unified: one write for each line; `controllers` are those that the cgroup v2 hierarchy has.
LimitWrites unified_writes(const spec::Resources& resources, const std::vector<std::string>& controllers);

// cpu.shares (2..262144) -> cpu.weight (1..10000): quadratic in log2, so that minimum, default (1024 -> 100) and
// maximum meet. 0 stays 0, "not set".
uint64_t cpu_weight_of_shares(uint64_t shares);
// blkio.weight (10..1000) -> io.weight (1..10000), linear.
uint64_t io_weight_of_blkio_weight(uint64_t weight);

} // namespace brig::plan
