// JSON text -> the structs of spec.hpp. Says what is written; check_spec.hpp decides whether it can work.
//
// Layer: pure. Reads: config.md and config-linux.md of the runtime specification 1.3, names in exact case. Unknown
// properties are ignored ("Extensibility"), null is the same as absent (as in Go), the sections of other platforms are
// ignored. Errors: kind invalid, naming the property and what was found, for example
//     config.json: linux.resources.memory.limit must be an integer, not "1G"
#pragma once

#include "base/json.hpp"
#include "spec/spec.hpp"

namespace brig::spec {

// config.json. ociVersion is required and must be a 1.x version.
Result<Spec> read_spec(std::string_view text);
Result<Spec> read_spec(JsonView config);

// The Process object that `exec --process FILE` takes.
Result<Process> read_process(std::string_view text);
Result<Process> read_process(JsonView process);

// The LinuxResources object that `update --resources FILE` takes.
Result<Resources> read_resources(std::string_view text);
Result<Resources> read_resources(JsonView resources);

// The object of linux.seccomp by itself, as files of profiles have it.
Result<Seccomp> read_seccomp(JsonView seccomp);

} // namespace brig::spec
