// A program that gets all rights of its caller: opened once, looked at, and executed through the same descriptor.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <string>

namespace brig::kernel {

// O_PATH. Kind not_found; invalid when it is no regular file, or when group or others may write to it, because it would be their
// program.
Result<Fd> open_trusted_program(const std::string& path);

} // namespace brig::kernel
