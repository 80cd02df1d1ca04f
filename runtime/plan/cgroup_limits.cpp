#include "plan/cgroup_limits.hpp"

#include "plan/cgroup_write_list.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace brig::plan {

namespace {

constexpr const char* v2_hint = "boot the host with cgroup v1, or remove the property";

Error not_on_v2(const std::string& property)
{
    return Error(ErrorKind::not_supported, fmt::format("{} has no equal in cgroup v2", property)).with_hint(v2_hint);
}

Error out_of_range(const std::string& property, const std::string& value, std::string_view allowed)
{
    return Error(ErrorKind::invalid, fmt::format("{} is {}", property, value)).with_hint(fmt::format("use {}", allowed));
}

std::string property_name(std::string_view group, std::string_view name)
{
    return fmt::format("{}.{}", group, name);
}

template<typename Number> bool is_set(const std::optional<Number>& value)
{
    return value.has_value() && *value != 0;
}

std::string number_or_max(int64_t value)
{
    return value < 0 ? "max" : std::to_string(value);
}

// ---- memory ----------------------------------------------------------------------------------------------------------

constexpr std::string_view memory_group = "linux.resources.memory";

Result<> check_memory(const spec::Memory& memory)
{
    const std::pair<std::string_view, std::optional<int64_t>> limits[] = {
        {"limit", memory.limit},   {"reservation", memory.reservation}, {"swap", memory.swap},
        {"kernel", memory.kernel}, {"kernelTCP", memory.kernel_tcp},
    };
    for (const auto& [name, value] : limits)
        if (value.value_or(0) < -1)
            return failure(out_of_range(property_name(memory_group, name), std::to_string(*value),
                                        "a number of bytes, or -1 for unlimited"));
    if (memory.swap.value_or(0) > 0 && memory.limit.value_or(0) > *memory.swap)
        return failure(Error(ErrorKind::invalid, fmt::format("linux.resources.memory.swap is {} and smaller than memory.limit {}",
                                                             *memory.swap, *memory.limit))
                           .with_hint("swap is the limit of memory plus swap"));
    return {};
}

// Docker's -1 ("not set") arrives as the largest unsigned number.
bool swappiness_is_set(const spec::Memory& memory)
{
    return memory.swappiness && *memory.swappiness != std::numeric_limits<uint64_t>::max();
}

LimitWrites memory_v1_writes(const spec::Resources& resources)
{
    CgroupWriteList writes{std::string(memory_group)};
    if (!resources.memory)
        return writes.take();
    const auto& memory = *resources.memory;
    TRY(check_memory(memory));
    bool unlimited = memory.limit.value_or(0) == -1 && !is_set(memory.swap);
    if (is_set(memory.limit))
        writes.add("limit", "memory.limit_in_bytes", std::to_string(*memory.limit));
    if (is_set(memory.swap))
        writes.add("swap", "memory.memsw.limit_in_bytes", std::to_string(*memory.swap)).optional = *memory.swap == -1;
    if (unlimited) // memory+swap may not stay below memory
        writes.add("limit", "memory.memsw.limit_in_bytes", "-1").optional = true;
    if (is_set(memory.reservation))
        writes.add("reservation", "memory.soft_limit_in_bytes", std::to_string(*memory.reservation));
    if (is_set(memory.kernel))
        writes.add("kernel", "memory.kmem.limit_in_bytes", std::to_string(*memory.kernel)).optional = *memory.kernel < 0;
    if (is_set(memory.kernel_tcp))
        writes.add("kernelTCP", "memory.kmem.tcp.limit_in_bytes", std::to_string(*memory.kernel_tcp)).optional =
            *memory.kernel_tcp < 0;
    if (swappiness_is_set(memory)) {
        if (*memory.swappiness > 100)
            return failure(out_of_range(writes.name_of("swappiness"), std::to_string(*memory.swappiness), "0 to 100"));
        writes.add("swappiness", "memory.swappiness", std::to_string(*memory.swappiness));
    }
    if (memory.disable_oom_killer.value_or(false))
        writes.add("disableOOMKiller", "memory.oom_control", "1");
    if (memory.use_hierarchy)
        writes.add("useHierarchy", "memory.use_hierarchy", *memory.use_hierarchy ? "1" : "0").optional = *memory.use_hierarchy;
    return writes.take();
}

Result<> refuse_memory_of_v1(const spec::Memory& memory)
{
    const std::pair<std::string_view, bool> asked[] = {
        {"kernel", memory.kernel.value_or(0) > 0},
        {"kernelTCP", memory.kernel_tcp.value_or(0) > 0},
        {"swappiness", swappiness_is_set(memory)},
        {"disableOOMKiller", memory.disable_oom_killer.value_or(false)},
        {"useHierarchy", !memory.use_hierarchy.value_or(true)},
    };
    for (const auto& [name, is_asked] : asked)
        if (is_asked)
            return failure(not_on_v2(property_name(memory_group, name)));
    return {};
}

Result<> add_swap_v2(const spec::Memory& memory, CgroupWriteList& writes)
{
    int64_t limit = memory.limit.value_or(0);
    int64_t swap = memory.swap.value_or(0);
    // -1 and no swap limit: both unlimited, as on v1.
    if (swap == -1 || (swap == 0 && limit == -1)) {
        writes.add("swap", "memory.swap.max", "max").optional = true;
        return {};
    }
    if (swap == 0)
        return {};
    if (limit <= 0)
        return failure(Error(ErrorKind::invalid, "linux.resources.memory.swap is set without memory.limit")
                           .with_hint("cgroup v2 limits swap alone, so brig needs the limit to subtract it"));
    // Without swap accounting there is no file; that nothing may be swapped is also what runc then takes as given.
    writes.add("swap", "memory.swap.max", std::to_string(swap - limit)).optional = swap == limit;
    return {};
}

LimitWrites memory_v2_writes(const spec::Resources& resources)
{
    CgroupWriteList writes{std::string(memory_group)};
    if (!resources.memory)
        return writes.take();
    const auto& memory = *resources.memory;
    TRY(check_memory(memory));
    TRY(refuse_memory_of_v1(memory));
    TRY(add_swap_v2(memory, writes));
    if (is_set(memory.limit))
        writes.add("limit", "memory.max", number_or_max(*memory.limit));
    if (is_set(memory.reservation))
        writes.add("reservation", "memory.low", number_or_max(*memory.reservation));
    return writes.take();
}

// ---- cpu and cpuset ----------------------------------------------------------------------------------------------------

constexpr std::string_view cpu_group = "linux.resources.cpu";

Result<> check_cpu(const spec::Cpu& cpu)
{
    if (cpu.idle && *cpu.idle != 0 && *cpu.idle != 1)
        return failure(out_of_range(property_name(cpu_group, "idle"), std::to_string(*cpu.idle), "0 or 1"));
    if (cpu.quota.value_or(0) < -1)
        return failure(
            out_of_range(property_name(cpu_group, "quota"), std::to_string(*cpu.quota), "microseconds, or -1 for unlimited"));
    if (cpu.burst && cpu.quota.value_or(0) > 0 && *cpu.burst > static_cast<uint64_t>(*cpu.quota))
        return failure(out_of_range(property_name(cpu_group, "burst"), std::to_string(*cpu.burst), "at most cpu.quota"));
    return {};
}

LimitWrites cpu_v1_writes(const spec::Resources& resources)
{
    CgroupWriteList writes{std::string(cpu_group)};
    if (!resources.cpu)
        return writes.take();
    const auto& cpu = *resources.cpu;
    TRY(check_cpu(cpu));
    // Real-time first: a SCHED_RR caller cannot be moved into a group without real-time budget.
    if (is_set(cpu.realtime_period))
        writes.add("realtimePeriod", "cpu.rt_period_us", std::to_string(*cpu.realtime_period));
    if (is_set(cpu.realtime_runtime))
        writes.add("realtimeRuntime", "cpu.rt_runtime_us", std::to_string(*cpu.realtime_runtime));
    if (is_set(cpu.shares)) {
        // The kernel clamps silently; the container would run with another share than asked for.
        if (*cpu.shares < 2)
            return failure(Error(ErrorKind::invalid, "the minimum allowed cpu-shares is 2")
                               .during(fmt::format("linux.resources.cpu.shares {}", *cpu.shares)));
        if (*cpu.shares > 262144)
            return failure(Error(ErrorKind::invalid, "the maximum allowed cpu-shares is 262144")
                               .during(fmt::format("linux.resources.cpu.shares {}", *cpu.shares)));
        writes.add("shares", "cpu.shares", std::to_string(*cpu.shares));
    }
    if (is_set(cpu.period))
        writes.add("period", "cpu.cfs_period_us", std::to_string(*cpu.period));
    if (is_set(cpu.quota))
        writes.add("quota", "cpu.cfs_quota_us", std::to_string(*cpu.quota));
    if (cpu.burst)
        writes.add("burst", "cpu.cfs_burst_us", std::to_string(*cpu.burst)).optional = *cpu.burst == 0;
    if (cpu.idle)
        writes.add("idle", "cpu.idle", std::to_string(*cpu.idle)).optional = *cpu.idle == 0;
    return writes.take();
}

LimitWrites cpu_v2_writes(const spec::Resources& resources)
{
    CgroupWriteList writes{std::string(cpu_group)};
    if (!resources.cpu)
        return writes.take();
    const auto& cpu = *resources.cpu;
    TRY(check_cpu(cpu));
    if (is_set(cpu.realtime_runtime))
        return failure(not_on_v2(writes.name_of("realtimeRuntime")));
    if (is_set(cpu.realtime_period))
        return failure(not_on_v2(writes.name_of("realtimePeriod")));
    if (is_set(cpu.shares))
        writes.add("shares", "cpu.weight", std::to_string(cpu_weight_of_shares(*cpu.shares)));
    if (is_set(cpu.quota) || is_set(cpu.period)) {
        // The quota alone keeps the period that the cgroup has.
        std::string value = is_set(cpu.quota) ? number_or_max(*cpu.quota) : "max";
        if (is_set(cpu.period))
            value += " " + std::to_string(*cpu.period);
        writes.add(is_set(cpu.quota) ? "quota" : "period", "cpu.max", value);
    }
    if (cpu.burst)
        writes.add("burst", "cpu.max.burst", std::to_string(*cpu.burst)).optional = *cpu.burst == 0;
    if (cpu.idle)
        writes.add("idle", "cpu.idle", std::to_string(*cpu.idle)).optional = *cpu.idle == 0;
    return writes.take();
}

LimitWrites cpuset_writes(const spec::Resources& resources)
{
    CgroupWriteList writes{std::string(cpu_group)};
    if (resources.cpu && !resources.cpu->cpus.empty())
        writes.add("cpus", "cpuset.cpus", resources.cpu->cpus);
    if (resources.cpu && !resources.cpu->mems.empty())
        writes.add("mems", "cpuset.mems", resources.cpu->mems);
    return writes.take();
}

// ---- pids ----------------------------------------------------------------------------------------------------------------

LimitWrites pids_writes(const spec::Resources& resources)
{
    CgroupWriteList writes("linux.resources.pids");
    // 0 is a limit and means the same as 1: the init itself. With 0 in pids.max the kernel would refuse even to clone the
    // init into the cgroup.
    if (resources.pids_limit)
        writes.add("limit", "pids.max", number_or_max(*resources.pids_limit == 0 ? 1 : *resources.pids_limit));
    return writes.take();
}

// ---- block I/O -----------------------------------------------------------------------------------------------------------

constexpr std::string_view block_io_group = "linux.resources.blockIO";

Result<> check_weight(const std::string& property, uint16_t weight)
{
    if (weight != 0 && (weight < 10 || weight > 1000))
        return failure(out_of_range(property, std::to_string(weight), "10 to 1000"));
    return {};
}

Result<> check_weights(const spec::BlockIo& block_io)
{
    TRY(check_weight(property_name(block_io_group, "weight"), block_io.weight.value_or(0)));
    TRY(check_weight(property_name(block_io_group, "leafWeight"), block_io.leaf_weight.value_or(0)));
    for (const auto& device : block_io.weight_devices) {
        TRY(check_weight(property_name(block_io_group, "weightDevice"), device.weight.value_or(0)));
        TRY(check_weight(property_name(block_io_group, "weightDevice"), device.leaf_weight.value_or(0)));
    }
    return {};
}

struct Throttle {
    std::string_view property;
    std::vector<spec::ThrottleDevice> spec::BlockIo::*devices;
    std::string_view v1_file;
    std::string_view v2_key;
};

constexpr std::array throttles = {
    Throttle{"throttleReadBpsDevice", &spec::BlockIo::throttle_read_bps, "blkio.throttle.read_bps_device", "rbps"},
    Throttle{"throttleWriteBpsDevice", &spec::BlockIo::throttle_write_bps, "blkio.throttle.write_bps_device", "wbps"},
    Throttle{"throttleReadIOPSDevice", &spec::BlockIo::throttle_read_iops, "blkio.throttle.read_iops_device", "riops"},
    Throttle{"throttleWriteIOPSDevice", &spec::BlockIo::throttle_write_iops, "blkio.throttle.write_iops_device", "wiops"},
};

LimitWrites blkio_v1_writes(const spec::Resources& resources)
{
    CgroupWriteList writes{std::string(block_io_group)};
    if (!resources.block_io)
        return writes.take();
    const auto& block_io = *resources.block_io;
    TRY(check_weights(block_io));
    // The CFQ scheduler's files went away with Linux 5.0; BFQ's have a prefix.
    auto add = [&](std::string_view property, const std::string& name, const std::string& value) {
        auto& write = writes.add(property, "blkio." + name, value);
        write.other_file = "blkio.bfq." + name;
        write.other_value = value;
    };
    if (is_set(block_io.weight))
        add("weight", "weight", std::to_string(*block_io.weight));
    if (is_set(block_io.leaf_weight))
        writes.add("leafWeight", "blkio.leaf_weight", std::to_string(*block_io.leaf_weight));
    for (const auto& device : block_io.weight_devices) {
        if (is_set(device.weight))
            add("weightDevice", "weight_device", fmt::format("{}:{} {}", device.major, device.minor, *device.weight));
        if (is_set(device.leaf_weight))
            writes.add("weightDevice", "blkio.leaf_weight_device",
                       fmt::format("{}:{} {}", device.major, device.minor, *device.leaf_weight));
    }
    for (const auto& throttle : throttles)
        for (const auto& device : block_io.*throttle.devices)
            writes.add(throttle.property, std::string(throttle.v1_file),
                       fmt::format("{}:{} {}", device.major, device.minor, device.rate));
    return writes.take();
}

LimitWrites io_v2_writes(const spec::Resources& resources)
{
    CgroupWriteList writes{std::string(block_io_group)};
    if (!resources.block_io)
        return writes.take();
    const auto& block_io = *resources.block_io;
    TRY(check_weights(block_io));
    if (is_set(block_io.leaf_weight))
        return failure(not_on_v2(writes.name_of("leafWeight")));
    // BFQ takes the scale of v1; the other policies have 1 to 10000.
    auto add_weight = [&](std::string_view property, const std::string& target, uint16_t weight) {
        auto& write = writes.add(property, "io.bfq.weight", fmt::format("{} {}", target, weight));
        write.other_file = "io.weight";
        write.other_value = fmt::format("{} {}", target, io_weight_of_blkio_weight(weight));
    };
    if (is_set(block_io.weight))
        add_weight("weight", "default", *block_io.weight);
    for (const auto& device : block_io.weight_devices) {
        if (is_set(device.leaf_weight))
            return failure(not_on_v2(writes.name_of("weightDevice.leafWeight")));
        if (is_set(device.weight))
            add_weight("weightDevice", fmt::format("{}:{}", device.major, device.minor), *device.weight);
    }
    for (const auto& throttle : throttles)
        for (const auto& device : block_io.*throttle.devices)
            writes.add(throttle.property, "io.max",
                       fmt::format("{}:{} {}={}", device.major, device.minor, throttle.v2_key, device.rate));
    return writes.take();
}

// ---- huge pages, rdma, network -------------------------------------------------------------------------------------------

// It becomes part of a file name.
bool is_page_size(std::string_view text)
{
    auto digits = text.find_first_not_of("0123456789");
    if (digits == 0 || digits == std::string_view::npos || text.front() == '0')
        return false;
    auto unit = text.substr(digits);
    return unit == "KB" || unit == "MB" || unit == "GB";
}

LimitWrites hugetlb_writes(const spec::Resources& resources, std::string_view suffix)
{
    CgroupWriteList writes("linux.resources.hugepageLimits");
    for (const auto& limit : resources.hugepage_limits) {
        if (!is_page_size(limit.page_size))
            return failure(out_of_range(writes.name_of("pageSize"), quoted(limit.page_size), "a size like 64KB, 2MB or 1GB"));
        writes.add("", fmt::format("hugetlb.{}.{}", limit.page_size, suffix), std::to_string(limit.limit));
        // Kernels before 5.7 count use only; then the limit above is all there is, as the specification allows.
        writes.add("", fmt::format("hugetlb.{}.rsvd.{}", limit.page_size, suffix), std::to_string(limit.limit)).optional = true;
    }
    return writes.take();
}

LimitWrites hugetlb_v1_writes(const spec::Resources& resources)
{
    return hugetlb_writes(resources, "limit_in_bytes");
}

LimitWrites hugetlb_v2_writes(const spec::Resources& resources)
{
    return hugetlb_writes(resources, "max");
}

bool has_blank(std::string_view text)
{
    return text.empty() || text.find_first_of(" \t\r\n") != std::string_view::npos;
}

LimitWrites rdma_writes(const spec::Resources& resources)
{
    CgroupWriteList writes("linux.resources.rdma");
    for (const auto& [device, limit] : resources.rdma) {
        if (has_blank(device))
            return failure(out_of_range(writes.name_of(""), quoted(device), "the name of an RDMA device as key"));
        std::string value = device;
        if (limit.hca_handles)
            value += fmt::format(" hca_handle={}", *limit.hca_handles);
        if (limit.hca_objects)
            value += fmt::format(" hca_object={}", *limit.hca_objects);
        if (value != device)
            writes.add(device, "rdma.max", value);
    }
    return writes.take();
}

LimitWrites net_cls_v1_writes(const spec::Resources& resources)
{
    CgroupWriteList writes("linux.resources.network");
    if (resources.network && is_set(resources.network->class_id))
        writes.add("classID", "net_cls.classid", std::to_string(*resources.network->class_id));
    return writes.take();
}

LimitWrites net_prio_v1_writes(const spec::Resources& resources)
{
    CgroupWriteList writes("linux.resources.network");
    if (!resources.network)
        return writes.take();
    for (const auto& priority : resources.network->priorities) {
        if (has_blank(priority.name))
            return failure(out_of_range(writes.name_of("priorities.name"), quoted(priority.name), "the name of an interface"));
        writes.add("priorities", "net_prio.ifpriomap", fmt::format("{} {}", priority.name, priority.priority));
    }
    return writes.take();
}

LimitWrites network_v2_writes(const spec::Resources& resources)
{
    if (resources.network && (is_set(resources.network->class_id) || !resources.network->priorities.empty()))
        return failure(not_on_v2("linux.resources.network"));
    return std::vector<CgroupWrite>();
}

constexpr std::array controller_table = {
    LimitController{"memory", "memory", memory_v1_writes, memory_v2_writes},
    LimitController{"cpu", "cpu", cpu_v1_writes, cpu_v2_writes},
    LimitController{"cpuset", "cpuset", cpuset_writes, cpuset_writes},
    LimitController{"pids", "pids", pids_writes, pids_writes},
    LimitController{"blkio", "io", blkio_v1_writes, io_v2_writes},
    LimitController{"hugetlb", "hugetlb", hugetlb_v1_writes, hugetlb_v2_writes},
    LimitController{"rdma", "rdma", rdma_writes, rdma_writes},
    LimitController{"net_cls", "", net_cls_v1_writes, network_v2_writes},
    LimitController{"net_prio", "", net_prio_v1_writes, network_v2_writes},
};

} // namespace

std::span<const LimitController> limit_controllers()
{
    return controller_table;
}

uint64_t cpu_weight_of_shares(uint64_t shares)
{
    if (shares == 0)
        return 0;
    if (shares <= 2)
        return 1;
    if (shares >= 262144)
        return 10000;
    double logarithm = std::log2(static_cast<double>(shares));
    double exponent = (logarithm * logarithm + 125 * logarithm) / 612.0 - 7.0 / 34.0;
    return static_cast<uint64_t>(std::ceil(std::pow(10, exponent)));
}

uint64_t io_weight_of_blkio_weight(uint64_t weight)
{
    return 1 + (weight - 10) * 9999 / 990;
}

namespace {

// The other files of the core move processes or change what the cgroup is: they are brig's own to write.
constexpr std::array core_files = {"cgroup.max.depth", "cgroup.max.descendants", "cgroup.pressure"};

Result<> check_unified_name(const std::string& name, const std::vector<std::string>& controllers)
{
    const std::string property = fmt::format("linux.resources.unified[{}]", quoted(name));
    if (name.find('/') != std::string::npos || name.find('.') == std::string::npos || name.front() == '.' || has_blank(name))
        return failure(Error(ErrorKind::invalid, property + " is not the name of a cgroup file")
                           .with_hint("write it as CONTROLLER.PARAMETER, for example memory.high"));
    std::string controller = name.substr(0, name.find('.'));
    if (controller == "cgroup") {
        if (std::find(core_files.begin(), core_files.end(), name) == core_files.end())
            return failure(Error(ErrorKind::invalid, property + " is not a limit")
                               .with_hint("of the cgroup core only cgroup.max.depth, cgroup.max.descendants and "
                                          "cgroup.pressure can be set"));
        return {};
    }
    if (std::find(controllers.begin(), controllers.end(), controller) == controllers.end())
        return failure(Error(ErrorKind::not_supported,
                             fmt::format("{} can't be set: controller {} not available", property, quoted(controller)))
                           .with_hint("the cgroup v2 hierarchy has: "
                                      + (controllers.empty() ? std::string("no controllers") : join(controllers, ", "))));
    return {};
}

} // namespace

LimitWrites unified_writes(const spec::Resources& resources, const std::vector<std::string>& controllers)
{
    CgroupWriteList writes("linux.resources.unified");
    for (const auto& [name, value] : resources.unified) {
        TRY(check_unified_name(name, controllers));
        for (auto line : split(value, '\n'))
            if (!trim(line).empty())
                writes.add(name, name, std::string(line));
    }
    return writes.take();
}

} // namespace brig::plan
