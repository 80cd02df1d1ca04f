// A new overlay of directories that are given as they are: no path is escaped, split or too long for it.
//
// Runs in: the container's init and the launcher. A kernel from 6.8 on takes layer by layer ("lowerdir+"); before that all are one
// string of at most 255 bytes, which holds some 80 descriptors' numbers. Errors: kind system; not_supported for more layers.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "kernel/mounting.hpp"

#include <string>
#include <vector>

namespace brig::kernel {

struct OverlayRequest {
    std::vector<std::string> lower; // absolute, topmost first
    std::string upper;              // absolute; empty: nothing can be written
    std::string work;
    FileSystemRequest file_system; // type "overlay", with all other parameters
};

// A detached mount, as new_file_system gives it.
Result<Fd> new_overlay(const OverlayRequest& request);

// The two ways of new_overlay.
Result<Fd> new_overlay_by_layers(const OverlayRequest& request);
Result<Fd> new_overlay_by_string(const OverlayRequest& request);

} // namespace brig::kernel
