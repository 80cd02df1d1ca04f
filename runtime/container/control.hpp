// Changes to a running container: frozen, thawed, other limits.
//
// Runs in: the caller. Errors carry the texts that engines match ("container not running", "container not paused").
#pragma once

#include "base/result.hpp"
#include "container/context.hpp"
#include "spec/spec.hpp"

#include <string>
#include <vector>

namespace brig::container {

// Returns when every process has stopped.
Result<> pause(const Context& context, const std::string& id);
Result<> resume(const Context& context, const std::string& id);

// Values that are not named stay as they are; devices are never touched. A stopped container has no limits to change.
struct Update {
    spec::Resources resources;
    std::vector<std::string> schemata; // lines for the container's class of Intel RDT
};
Result<> update(const Context& context, const std::string& id, const Update& update);

} // namespace brig::container
