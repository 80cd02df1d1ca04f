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

// How an architecture also reaches this call through socketcall(2) or ipc(2): by the first argument under the mask.
struct MultiplexedCall {
    uint32_t number = 0; // of socketcall or ipc
    uint32_t function = 0;
    uint32_t function_mask = 0;
};
bool multiplexes_calls(uint32_t architecture);
std::optional<MultiplexedCall> multiplexed_call(uint32_t architecture, const std::string& name);

// 64-bit registers that hold 32-bit arguments (x32, n32).
bool has_narrow_arguments(uint32_t architecture);

// Some architecture has this call, as far as libseccomp knows.
bool is_known_to_libseccomp(const std::string& name);

// False for a token that this libseccomp was built without.
bool is_known_architecture(uint32_t architecture);

} // namespace brig::kernel
