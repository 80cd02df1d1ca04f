// Whether two folders are the same: types, modes, owners, times, sizes, link targets, devices, extended attributes, contents.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <optional>
#include <string>

namespace brig::image {

// What differs first, in words; nullopt: nothing does.
Result<std::optional<std::string>> compare_trees(FdRef wanted, FdRef found);

} // namespace brig::image
