// Which newer system calls this kernel answers: asked with arguments that no kernel takes, so nothing happens.
#pragma once

#include <string_view>
#include <vector>

namespace brig::kernel {

struct PresentCall {
    std::string_view name; // "openat2"
    bool present = false;  // false: ENOSYS, of an older kernel or of a filter
};

// Those that brig calls. It has another way for openat2 alone.
std::vector<PresentCall> newer_calls();

} // namespace brig::kernel
