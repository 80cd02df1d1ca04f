// The image that is there when nobody has imported one.
#pragma once

#include "base/log.hpp"
#include "image/store.hpp"

#include <string>

namespace brig::command {

inline constexpr const char* default_image = "shell";

// As Store::find. The default image is made from its recipe when the store does not have it and the caller is root: that takes about
// a minute, once, and is told on stderr.
Result<image::Image> find_or_build_image(const image::Store& store, const std::string& name, const Log& log);

} // namespace brig::command
