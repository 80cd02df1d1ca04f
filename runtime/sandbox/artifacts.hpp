// What a program left in the artifacts folder: listed, typed by an allowlist of extensions, with its digest.
//
// Runs in: the supervisor, after every program has ended. The folder's content is hostile: only regular files are opened, by
// descriptor, without links, never waiting; what is nothing to hand on is refused with a reason.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "sandbox/outcome.hpp"
#include "sandbox/request.hpp"

#include <string>
#include <string_view>

namespace brig::sandbox {

// By the extension, in either case; empty: not on the list. Pure.
std::string_view mime_type_of(std::string_view path);

// Fills artifacts and artifacts_refused, sorted by path.
Result<> collect_artifacts(FdRef folder, const Limits& limits, Outcome& outcome);

} // namespace brig::sandbox
