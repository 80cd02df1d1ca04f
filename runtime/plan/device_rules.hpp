// linux.resources.devices: the rules that apply, in order, the last one that matches wins.
//
// Layer: pure. Everything is denied at first. runc's default devices (null, zero, full, random, urandom, tty, ptmx, pts,
// tun, and mknod of any node) follow the specification's rules, except where a rule denies that very device by number or
// allowed every device at first.
// A rule of type "a" without numbers and with access "rwm" resets what came before it.
#pragma once

#include "base/result.hpp"
#include "plan/plan.hpp"
#include "spec/spec.hpp"

#include <vector>

namespace brig::plan {

// Access as bits of BPF_DEVCG_ACC_*, so that the device filter can use them as they are.
enum DeviceAccess : unsigned { access_mknod = 1, access_read = 2, access_write = 4, access_all = 7 };

// Of a checked rule.
unsigned device_access(const spec::DeviceRule& rule);
std::string device_access_text(unsigned access);
// Every device, every access.
bool is_reset_rule(const spec::DeviceRule& rule);

// The rules and the defaults, checked: kind invalid for unknown types and numbers, and for
// access that is empty (as in runc) or has other letters.
Result<std::vector<spec::DeviceRule>> effective_device_rules(const std::vector<spec::DeviceRule>& rules);

// devices.deny and devices.allow for a cgroup v1 directory. v1 has exceptions to one default and ignores silently what it
// cannot express (a denied device inside an allowed range); such rules are refused, kind not_supported.
Result<std::vector<CgroupWrite>> device_v1_writes(const std::vector<spec::DeviceRule>& effective_rules);

} // namespace brig::plan
