// Numbers of system calls by architecture and name: libseccomp's tables, and what kernels have got since its release.
//
// Layer: a table; no call is made.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace brig::kernel {

// `architecture` is libseccomp's token (SCMP_ARCH_*). Absent: the architecture has no such call, or nobody knows the name.
std::optional<uint32_t> system_call_number(uint32_t architecture, const std::string& name);

// libseccomp can be asked for rules on this name, also where an architecture spells or multiplexes it differently.
bool is_known_to_libseccomp(const std::string& name);

// False for a token that this libseccomp was built without.
bool is_known_architecture(uint32_t architecture);

} // namespace brig::kernel
