// eBPF device filters of cgroup v2: load a program, attach it to a cgroup.
//
// Runs in: the launcher. The kernel keeps an attached program for as long as the cgroup exists, so its
// descriptor may be closed. Errors: kind system; a program that the verifier refuses brings the verifier's last words.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <linux/bpf.h>
#include <span>

namespace brig::kernel {

// BPF_PROG_TYPE_CGROUP_DEVICE.
Result<Fd> load_device_program(std::span<const struct bpf_insn> instructions);

// Attached beside others (BPF_F_ALLOW_MULTI): a device is open only when every program of the cgroup and its parents agrees.
Result<> attach_device_program(FdRef cgroup, FdRef program);

} // namespace brig::kernel
