// An ordinary user's files of images have the owners that the image says, as far as he has ids for them.
#pragma once

#include "base/result.hpp"

#include <optional>

namespace brig::command {

// For root nothing: nullopt. For others the program goes on in a child that is root of a user namespace, with the widest mapping that
// the user has, the same that `brig run` gives his containers (plan/user_namespace); nullopt in that child. In the caller: the
// child's exit status.
Result<std::optional<int>> go_on_with_own_ids();

} // namespace brig::command
