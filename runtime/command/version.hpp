// What this binary is; the values come from the build.
#pragma once

#include <string>
#include <string_view>

namespace brig::command {

std::string_view version();
std::string_view commit();
std::string libseccomp_version(); // of the library that is linked in, "2.5.4"

// The linker's id of this very program, as bytes; empty when it has none.
std::string build_id();

// The lines of `brig --version`. Docker reads the line with "version" and the one with "commit:".
std::string version_text();

} // namespace brig::command
