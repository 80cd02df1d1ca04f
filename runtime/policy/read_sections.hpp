// Private to the read_*.cpp files: the sections of a policy.
#pragma once

#include "base/json_reader.hpp"
#include "policy/policy.hpp"

namespace brig::policy {

Result<> read_value(JsonView value, const Place& place, Seccomp& out);
Result<> read_value(JsonView value, const Place& place, Namespaces& out);
Result<> read_value(JsonView value, const Place& place, Privileges& out);
Result<> read_value(JsonView value, const Place& place, Filesystem& out);
Result<> read_value(JsonView value, const Place& place, Environment& out);
Result<> read_value(JsonView value, const Place& place, Resources& out);
Result<> read_value(JsonView value, const Place& place, Hooks& out);
Result<> read_value(JsonView value, const Place& place, Limits& out);
Result<> read_value(JsonView value, const Place& place, Artifacts& out);
Result<> read_value(JsonView value, const Place& place, Network& out);
Result<> read_value(JsonView value, const Place& place, Approval& out);
Result<> read_value(JsonView value, const Place& place, Audit& out);

} // namespace brig::policy
