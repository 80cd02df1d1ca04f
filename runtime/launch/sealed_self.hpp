// A container must not be able to write to the host's brig through /proc/<pid>/exe (CVE-2019-5736).
//
// Runs in: main, first thing, of the verbs that make processes in containers. The program executes itself once more from a
// read-only detached mount of its own file: whoever opens that /proc/<pid>/exe for writing gets EROFS, and the mount belongs to
// no mount namespace, so nobody can make it writable. No byte is copied; the page cache is shared. Where open_tree is not
// allowed (no CAP_SYS_ADMIN) a sealed memory copy does the same at the price of a copy.
#pragma once

#include "base/result.hpp"

namespace brig::launch {

// Returns when the running program is sealed already; otherwise executes and does not return, or gives the error.
Result<> ensure_sealed(char** argv, char** environment);

} // namespace brig::launch
