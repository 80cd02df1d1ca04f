// A program whose output is wanted whole, such as ps(1).
#pragma once

#include "base/result.hpp"
#include "kernel/child_process.hpp"

#include <string>
#include <vector>

namespace brig::kernel {

struct ProgramOutput {
    ExitStatus status;
    std::string output; // of stdout; stdin is empty and stderr is the caller's
};

// The first file of that name in the folders of `search_path`; a name with a slash is itself. Kind not_found:
// exec: "NAME": executable file not found in $PATH.
Result<std::string> find_program(const std::string& name, const std::string& search_path);

// Runs to the end; more than `limit` bytes end it with an error of kind invalid.
Result<ProgramOutput> read_program_output(const std::string& path, const std::vector<std::string>& args,
                                          const std::vector<std::string>& environment, size_t limit);

} // namespace brig::kernel
