// Runs in: the container's init inside its own network namespace.
#pragma once

#include "base/result.hpp"
#include "plan/plan.hpp"

namespace brig::setup {

Result<> configure_network(const plan::Namespaces& namespaces);

} // namespace brig::setup
