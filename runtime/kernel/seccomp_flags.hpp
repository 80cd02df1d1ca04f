// Which SECCOMP_FILTER_FLAG_* the running kernel takes, for `brig features`.
#pragma once

namespace brig::kernel {

// Nothing is loaded: a filter at address 0 is refused with EFAULT when the flag is known, with EINVAL when it is not.
bool has_seccomp_flag(unsigned long flag);

} // namespace brig::kernel
