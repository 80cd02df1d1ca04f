// eBPF device filters of cgroup v2: load a program, attach it to a cgroup, replace it.
//
// Runs in: the launcher and `update`. The kernel keeps an attached program for as long as the cgroup exists, so its
// descriptor may be closed. Errors: kind system; a program that the verifier refuses brings the verifier's last words.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <linux/bpf.h>
#include <span>
#include <vector>

namespace brig::kernel {

// BPF_PROG_TYPE_CGROUP_DEVICE.
Result<Fd> load_device_program(std::span<const struct bpf_insn> instructions);

// Attached beside others (BPF_F_ALLOW_MULTI): a device is open only when every program of the cgroup and its parents agrees.
Result<> attach_device_program(FdRef cgroup, FdRef program);
// Atomically in the place of `old_program`: there is no moment without a filter.
Result<> replace_device_program(FdRef cgroup, FdRef program, FdRef old_program);

// Programs attached to this cgroup itself.
Result<std::vector<Fd>> attached_device_programs(FdRef cgroup);

} // namespace brig::kernel
