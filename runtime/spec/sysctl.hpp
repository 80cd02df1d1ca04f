// The kernel parameters that a container may have for itself (config-linux.md "Sysctl"), and where they are.
//
// Layer: pure.
#pragma once

#include "base/result.hpp"
#include "spec/spec.hpp"

namespace brig::spec {

struct Sysctl {
    std::string path;                           // below /proc/sys: "net/ipv4/conf/eno2.100/rp_filter"
    NamespaceType owner = NamespaceType::mount; // the namespace that the container needs for itself
};

// `key` as sysctl(8) writes it: the first "." or "/" is the separator, the other one is part of a name. A parameter
// that belongs to no namespace would change the host and is refused, and so is one that leaves /proc/sys.
Result<Sysctl> parse_sysctl(std::string_view key);

} // namespace brig::spec
