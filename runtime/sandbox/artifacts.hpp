// What a program left in the artifacts folder: listed, typed by its extension, with its digest.
//
// Runs in: the supervisor, after every program has ended. The folder's content is hostile: only regular files are opened, by
// descriptor, without links, never waiting; what is nothing to hand on is refused with a reason.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "policy/policy.hpp"
#include "sandbox/outcome.hpp"
#include "sandbox/request.hpp"

#include <string>
#include <string_view>

namespace brig::sandbox {

// By the extension, in either case; empty: the lists do not allow it. Without a list of extensions the 16 safe ones are allowed;
// one that the list names and nobody knows is application/octet-stream. Pure.
std::string_view artifact_type(std::string_view path, const policy::Artifacts& allowed);

// Fills artifacts and artifacts_refused, sorted by path.
Result<> collect_artifacts(FdRef folder, const policy::Artifacts& allowed, const Limits& limits, Outcome& outcome);

} // namespace brig::sandbox
