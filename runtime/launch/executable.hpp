// Which file execve will get: the rules of a shell's PATH look-up, with errors in the words that engines match.
//
// Runs in: the child, inside the container's root, as its user. Docker and Podman derive exit codes from these texts:
// "executable file not found in $PATH" and "no such file or directory" give 127, "permission denied" and "is a directory" 126.
#pragma once

#include "base/result.hpp"

#include <string>
#include <vector>

namespace brig::launch {

Result<std::string> find_executable(const std::string& program, const std::vector<std::string>& environment);

} // namespace brig::launch
