// Device rules -> the eBPF program that cgroup v2 asks at each open and mknod of a device.
//
// make_device_filter is pure. Each bit of the asked access (read, write, mknod) is decided by the last rule that matches
// it; the request passes when every bit is allowed. What no rule names is denied.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "spec/spec.hpp"

#include <linux/bpf.h>
#include <vector>

namespace brig::cgroup {

std::vector<struct bpf_insn> make_device_filter(const std::vector<spec::DeviceRule>& rules);

// Beside the filters that the cgroup or its parents have: all must agree. Runs in: the launcher.
Result<> attach_device_filter(FdRef directory, const std::vector<spec::DeviceRule>& rules);

} // namespace brig::cgroup
