// seccomp(2): loading a compiled filter into the calling process.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <optional>
#include <string_view>

namespace brig::kernel {

// `instructions` is an array of struct sock_filter as bytes; flags are SECCOMP_FILTER_FLAG_*. With
// SECCOMP_FILTER_FLAG_NEW_LISTENER gives the listener. Needs no_new_privs or CAP_SYS_ADMIN.
Result<std::optional<Fd>> load_seccomp_filter(std::string_view instructions, unsigned long flags);

} // namespace brig::kernel
