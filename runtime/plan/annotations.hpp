// Annotations that other runtimes follow and brig does not: each gets a warning, so that nobody relies on it unseen.
//
// Annotations come from image labels and from users of engines, not from who runs the host (CVE-2026-53488): none changes
// what a container may do. docs/spec-conformance.md has the reason for each.
//
// Layer: pure.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace brig::plan {

std::vector<std::string> annotation_warnings(const std::map<std::string, std::string>& annotations);

} // namespace brig::plan
