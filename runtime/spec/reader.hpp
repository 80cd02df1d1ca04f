// Private to the read_*.cpp files: which structs of the specification more than one of them reads.
#pragma once

#include "base/json_reader.hpp"
#include "spec/spec.hpp"

namespace brig::spec {

Result<> read_value(JsonView value, const Place& place, Process& out);
Result<> read_value(JsonView value, const Place& place, Hooks& out);
Result<> read_value(JsonView value, const Place& place, IdMapping& out);
Result<> read_value(JsonView value, const Place& place, Linux& out);
Result<> read_value(JsonView value, const Place& place, Resources& out);
Result<> read_value(JsonView value, const Place& place, Seccomp& out);

} // namespace brig::spec
