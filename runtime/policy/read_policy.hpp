// One policy file, text to structs. Unknown properties are errors: a misspelt one would weaken.
//
// Layer: pure. Who calls finds and reads the files (container/policy_files.hpp). Errors: kind invalid, naming the property.
#pragma once

#include "base/json.hpp"
#include "policy/policy.hpp"
#include "spec/spec.hpp"

#include <string>

namespace brig::policy {

// Policy names: 1 to 64 of [a-z0-9-], a letter or digit first. No path can be one. Kind invalid.
Result<> check_name(const std::string& name);

// The name after "extends"; empty when there is none.
Result<std::string> parent_name(JsonView document);

// `child` over `parent`: objects member by member, all else replaced; null takes the parent's value away.
Json merged(JsonView parent, JsonView child);

// A document without "extends", or one that was merged with its parents.
Result<Policy> read_policy(JsonView document);

// policies/seccomp/NAME.json: the object of linux.seccomp, where nothing unknown is passed over (a condition that is misspelt
// would be none), without SCMP_ACT_NOTIFY (nobody listens) and without flags.
Result<spec::Seccomp> read_profile(JsonView document);

// "pypi.org:443" of a list or of an option. Kind invalid.
Result<Destination> parse_destination(const std::string& text);

} // namespace brig::policy
