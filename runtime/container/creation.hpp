// Private to runtime/container: parts that create, exec and delete share.
#pragma once

#include "base/result.hpp"
#include "container/context.hpp"
#include "container/state_store.hpp"

#include <string>
#include <sys/types.h>

namespace brig::container {

// Written beside and renamed: whoever waits for the file finds the whole number.
Result<> write_pid_file(const std::string& path, pid_t pid);

// Opens the init's pidfd and makes sure that it is still that process. Kind wrong_state when it has ended.
Result<Fd> open_init(const Record& record);

} // namespace brig::container
