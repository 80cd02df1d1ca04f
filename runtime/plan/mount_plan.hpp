// root, mounts, devices and paths of the specification -> the steps that build the container's root.
//
// Layer: pure. Implements config.md "Root", "Mounts" and config-linux.md "Default Devices", "Devices", "/dev symbolic
// links", "Rootfs Mount Propagation", "Masked Paths", "Readonly Paths". Errors: kind invalid, naming the property, or
// not_supported for what this host lacks.
#pragma once

#include "base/result.hpp"
#include "kernel/host_facts.hpp"
#include "plan/plan.hpp"
#include "spec/spec.hpp"

#include <string>

namespace brig::plan {

Result<RootFilesystem> make_root_plan(const spec::Spec& spec, const std::string& host_bundle, RootSwitch root_switch,
                                      const HostFacts& facts);

} // namespace brig::plan
