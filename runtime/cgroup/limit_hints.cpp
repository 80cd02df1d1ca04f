#include "cgroup/limit_hints.hpp"

#include "base/text.hpp"

#include <array>
#include <cerrno>

namespace brig::cgroup {

namespace {

struct LimitHint {
    std::string_view file_prefix;
    int code; // 0: any
    std::string_view hint;
};

constexpr std::array refused = {
    LimitHint{"memory.kmem.", EOPNOTSUPP, "this kernel has no separate limit for kernel memory (gone since Linux 5.16)"},
    LimitHint{"memory.kmem.", EINVAL, "this kernel has no separate limit for kernel memory (gone since Linux 6.1)"},
    LimitHint{"memory.use_hierarchy", 0, "since Linux 5.11 accounting is always hierarchical; leave useHierarchy out"},
    LimitHint{"memory.", EBUSY, "the processes use more than that already and not enough of it can be taken back"},
    LimitHint{"memory.memsw.", EINVAL, "swap is the limit of memory plus swap: it must not be below memory.limit"},
    LimitHint{"memory.limit_in_bytes", EINVAL, "it must not be above the limit of memory plus swap"},
    LimitHint{"cpu.rt_", EINVAL, "the parent cgroup has too little real-time budget: raise cpu.rt_runtime_us there first"},
    LimitHint{"cpu.rt_", EBUSY, "real-time processes run in the cgroup already"},
    LimitHint{"cpu.shares", EINVAL, "shares cannot be set while cpu.idle is 1"},
    LimitHint{"cpu.weight", EINVAL, "the weight cannot be set while cpu.idle is 1"},
    LimitHint{"cpu.cfs_burst_us", EINVAL, "the burst must not be above the quota"},
    LimitHint{"cpu.max.burst", EINVAL, "the burst must not be above the quota"},
    LimitHint{"cpu.", EINVAL,
              "the period must be 1000 to 1000000 microseconds, the quota at least 1000 and not above the "
              "parent's share"},
    LimitHint{"cpuset.", 0, "the CPUs and memory nodes must exist, be online and belong to the parent's cpuset"},
    LimitHint{"devices.", EPERM, "the parent cgroup does not allow these devices, or the caller lacks CAP_SYS_ADMIN"},
    LimitHint{"devices.", EINVAL, "the parent cgroup has rules that do not go with these, or there are child cgroups"},
    LimitHint{"blkio.", ENODEV, "there is no block device with these numbers"},
    LimitHint{"blkio.", EINVAL, "there is no block device with these numbers, or the value is out of range"},
    LimitHint{"io.", ENODEV, "there is no block device with these numbers"},
    LimitHint{"rdma.", EINVAL, "there is no RDMA device of this name"},
    LimitHint{"net_prio.", EINVAL, "there is no network interface of this name"},
};

constexpr std::array missing = {
    LimitHint{"memory.memsw.", 0, "the kernel does not account swap: boot with swapaccount=1, or leave memory.swap out"},
    LimitHint{"memory.swap.", 0, "the kernel does not account swap (CONFIG_SWAP), or leave memory.swap out"},
    LimitHint{"blkio.weight", 0, "weights need the BFQ I/O scheduler: modprobe bfq, or leave the weight out"},
    LimitHint{"blkio.leaf_weight", 0, "leaf weights went away with the CFQ I/O scheduler in Linux 5.0"},
    LimitHint{"io.bfq.weight", 0, "weights need the BFQ I/O scheduler or CONFIG_BLK_CGROUP_IOCOST"},
    LimitHint{"hugetlb.", 0, "the kernel has no huge pages of this size: see /sys/kernel/mm/hugepages"},
    LimitHint{"cpu.rt_", 0, "the kernel needs CONFIG_RT_GROUP_SCHED"},
    LimitHint{"cpu.cfs_burst_us", 0, "burst needs Linux 5.14"},
    LimitHint{"cpu.max.burst", 0, "burst needs Linux 5.14"},
    LimitHint{"cpu.idle", 0, "cpu.idle needs Linux 5.15"},
};

template<typename Hints> std::string find_hint(const Hints& hints, const std::string& file, int code)
{
    for (const auto& hint : hints)
        if (file.starts_with(hint.file_prefix) && (hint.code == 0 || hint.code == code))
            return std::string(hint.hint);
    return {};
}

} // namespace

Error explain_limit(const plan::CgroupWrite& limit, Error error)
{
    std::string hint = find_hint(refused, limit.file, error.code());
    Error explained = hint.empty() ? std::move(error) : std::move(error).with_hint(std::move(hint));
    return limit.property.empty() ? explained : std::move(explained).during("set " + limit.property);
}

Error missing_limit_file(const plan::CgroupWrite& limit, const std::string& directory)
{
    std::string hint = find_hint(missing, limit.file, 0);
    if (hint.empty())
        hint = "this kernel does not have this limit";
    std::string subject = limit.property.empty() ? limit.file : limit.property;
    return Error(ErrorKind::not_supported,
                 fmt::format("{} needs {}/{}, which does not exist", subject, one_line(directory), limit.file))
        .with_hint(std::move(hint));
}

} // namespace brig::cgroup
