// The answer of `brig inspect --json`: docs/inspect.schema.json.
//
// Layer: pure.
#pragma once

#include "base/json.hpp"
#include "inspect/confinement.hpp"
#include "inspect/findings.hpp"

#include <vector>

namespace brig::inspect {

Json confinement_document(const Confinement& confinement, const std::vector<Finding>& findings);

// "CAP_CHOWN", by number; a number that nobody has named is "CAP_41".
std::vector<std::string> capability_names(uint64_t set);
std::string_view seccomp_mode_word(SeccompMode mode);
std::string_view exposure_word(Exposure exposure);

} // namespace brig::inspect
