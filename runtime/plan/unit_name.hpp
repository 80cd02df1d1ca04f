// linux.cgroupsPath as SLICE:PREFIX:NAME -> the unit that systemd is asked for, and where its cgroup is.
//
// Layer: pure. The rules are runc's: without a path the slice is system.slice (user.slice for ordinary users), the prefix brig
// and the name the container's id. NAME is a scope PREFIX-NAME.scope, or, when it ends with .slice, a slice of that name.
// "a-b.slice" lies in "a.slice". Errors: kind invalid with the remedy.
#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>

namespace brig::plan {

struct UnitPlace {
    std::string name;
    std::string slice; // in which a scope lies; empty for a slice, whose own name says it
    std::string path;  // of its cgroup below the manager's: "/system.slice/brig-web.scope"
};

Result<UnitPlace> place_of_unit(const std::string& cgroups_path, const std::string& id, bool of_user);

// "a-b.slice" -> "/a.slice/a-b.slice"; the root slice "-.slice" -> "".
Result<std::string> path_of_slice(std::string_view slice);

} // namespace brig::plan
