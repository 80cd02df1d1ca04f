// One of brig's own containers or sandboxes as read_confinement sees it, with what its state directory adds.
//
// Runs in: the caller. Errors: as container::state; wrong_state for a container without processes.
#pragma once

#include "base/result.hpp"
#include "container/context.hpp"
#include "inspect/confinement.hpp"

#include <string>

namespace brig::inspect {

Result<Confinement> read_container_confinement(const container::Context& context, const std::string& id);

} // namespace brig::inspect
