// The files that come with brig: where this program is, and what is installed beside it.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <string>
#include <string_view>

namespace brig::command {

// argv[0], which lives as long as the process. Called once, before anything else here.
void remember_program(std::string_view program);

// The file of the program of the first argument, links followed: the file that runs may be a sealed copy, so that it counts only
// where the first argument leads nowhere. Empty when neither can be opened.
std::string own_program_file();

inline constexpr const char* image_program = "brig-image";

// What `brig image` executes: beside this program, as it is built, or where `make install` puts what only brig calls. Never by
// $PATH. Kind not_supported when it is at neither place.
Result<Fd> open_image_program();

} // namespace brig::command
