// Names in archives, checked before anything is made of them. Pure.
#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace brig::image {

// The components of "./usr/bin/env"; none for the root itself. Kind invalid: empty, absolute, with "..", or longer than a path or
// a name can be.
Result<std::vector<std::string>> split_entry_path(std::string_view path);

inline constexpr std::string_view whiteout_prefix = ".wh.";
inline constexpr std::string_view opaque_name = ".wh..wh..opq";
// Files that aufs kept for itself; no image means them.
bool is_of_aufs(std::string_view name);

} // namespace brig::image
