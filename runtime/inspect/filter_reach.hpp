// What compiled seccomp filters let through: each system call's number is run through the program, and where it looks at
// arguments, both ways are followed.
//
// Layer: pure, for the native architecture and those that its kernel also runs. Errors: kind internal for bytes that are no
// filter.
#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace brig::inspect {

struct FilterReach {
    std::vector<std::string> allowed;            // names, sorted; "call 462" where nobody knows a name
    std::vector<std::string> by_argument;        // those of them that some arguments are refused for
    std::vector<std::string> foreign_interfaces; // "x86", "x32": further ways into the kernel that are open
};

// `filters`: struct sock_filter[] each, all of them loaded. Without a filter everything is let through.
Result<FilterReach> reach_of(const std::vector<std::string_view>& filters);

// Of those that let a process change what confines it, or reach much of the kernel.
std::vector<std::string> dangerous_calls(const FilterReach& reach);

} // namespace brig::inspect
