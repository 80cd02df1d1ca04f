#include "spec/check_spec.hpp"
#include "spec/checks.hpp"

#include <algorithm>
#include <array>

namespace brig::spec {

namespace {

Result<> check_device_rules(const Resources& resources)
{
    for (size_t i = 0; i < resources.devices.size(); i++) {
        const auto& rule = resources.devices[i];
        auto property = fmt::format("resources.devices[{}]", i);
        if (rule.access.find_first_not_of("rwm") != std::string::npos)
            return refused(fmt::format("{}.access must consist of r, w and m, but is {}", property, quoted(rule.access)));
        if (rule.major.value_or(0) < 0 || rule.major.value_or(0) > UINT32_MAX)
            return refused(fmt::format("{}.major must be from 0 to {}, not {}", property, UINT32_MAX, *rule.major),
                           "leave it out for all");
        if (rule.minor.value_or(0) < 0 || rule.minor.value_or(0) > UINT32_MAX)
            return refused(fmt::format("{}.minor must be from 0 to {}, not {}", property, UINT32_MAX, *rule.minor),
                           "leave it out for all");
    }
    return {};
}

struct Limit {
    std::string_view name;
    std::optional<int64_t> value;
};

Result<> check_memory(const Resources& resources)
{
    if (!resources.memory)
        return {};
    const auto& memory = *resources.memory;
    const std::array limits = {Limit{"limit", memory.limit}, Limit{"reservation", memory.reservation}, Limit{"swap", memory.swap},
                               Limit{"kernel", memory.kernel}, Limit{"kernelTCP", memory.kernel_tcp}};
    for (const auto& limit : limits)
        if (limit.value.value_or(0) < -1)
            return refused(fmt::format("resources.memory.{} must be a number of bytes or -1, not {}", limit.name, *limit.value),
                           "-1 is unlimited");
    int64_t limit = memory.limit.value_or(0);
    int64_t swap = memory.swap.value_or(0);
    if (limit > 0 && swap > 0 && swap < limit)
        return refused(fmt::format("resources.memory.swap is {}, below the limit {}", swap, limit),
                       "swap is memory and swap together");
    if (limit == -1 && swap > 0)
        return refused(fmt::format("resources.memory.swap is {} without a limit", swap), "set resources.memory.limit too");
    // Engines written in Go send -1 for "unset" through this unsigned property.
    uint64_t swappiness = memory.swappiness.value_or(0);
    if (swappiness > 100 && swappiness != UINT64_MAX)
        return refused(fmt::format("resources.memory.swappiness must be from 0 to 100, not {}", swappiness));
    return {};
}

// 0 is "unset", as for runc. Shares have no bounds here: each cgroup version has its own, and clamps.
Result<> check_cpu(const Resources& resources)
{
    constexpr uint64_t shortest_period = 1000;
    constexpr uint64_t longest_period = 1'000'000;
    constexpr int64_t smallest_quota = 1000;
    if (!resources.cpu)
        return {};
    const auto& cpu = *resources.cpu;
    uint64_t period = cpu.period.value_or(0);
    int64_t quota = cpu.quota.value_or(0);
    if (period != 0 && (period < shortest_period || period > longest_period))
        return refused(fmt::format("resources.cpu.period must be from {} to {} microseconds, not {}", shortest_period,
                                   longest_period, period));
    if (quota > 0 && quota < smallest_quota)
        return refused(fmt::format("resources.cpu.quota must be at least {} microseconds, not {}", smallest_quota, quota),
                       "any negative number is unlimited");
    if (quota > 0 && cpu.burst.value_or(0) > static_cast<uint64_t>(quota))
        return refused(fmt::format("resources.cpu.burst is {}, above the quota {}", *cpu.burst, quota));
    if (cpu.idle.value_or(0) < 0 || cpu.idle.value_or(0) > 1)
        return refused(fmt::format("resources.cpu.idle must be 0 or 1, not {}", *cpu.idle));
    bool broken = cpu.cpus.find('\n') != std::string::npos || cpu.mems.find('\n') != std::string::npos;
    if (broken)
        return refused("resources.cpu.cpus or mems has a line break", "write it like 0-3,7");
    return {};
}

Result<> check_weight(std::string_view property, const std::optional<uint16_t>& weight)
{
    constexpr uint16_t smallest = 10;
    constexpr uint16_t largest = 1000;
    uint16_t value = weight.value_or(0);
    if (value == 0 || (value >= smallest && value <= largest))
        return {};
    return refused(fmt::format("resources.blockIO.{} must be from {} to {}, not {}", property, smallest, largest, value),
                   "0 is unset");
}

template<typename Device> Result<> check_block_devices(std::string_view property, const std::vector<Device>& devices)
{
    for (size_t i = 0; i < devices.size(); i++)
        if (devices[i].major < 0 || devices[i].minor < 0)
            return refused(fmt::format("resources.blockIO.{}[{}] must name a device, not {}:{}", property, i, devices[i].major,
                                       devices[i].minor));
    return {};
}

Result<> check_block_io(const Resources& resources)
{
    if (!resources.block_io)
        return {};
    const auto& io = *resources.block_io;
    TRY(check_weight("weight", io.weight));
    TRY(check_weight("leafWeight", io.leaf_weight));
    for (size_t i = 0; i < io.weight_devices.size(); i++) {
        TRY(check_weight(fmt::format("weightDevice[{}].weight", i), io.weight_devices[i].weight));
        TRY(check_weight(fmt::format("weightDevice[{}].leafWeight", i), io.weight_devices[i].leaf_weight));
    }
    TRY(check_block_devices("weightDevice", io.weight_devices));
    TRY(check_block_devices("throttleReadBpsDevice", io.throttle_read_bps));
    TRY(check_block_devices("throttleWriteBpsDevice", io.throttle_write_bps));
    TRY(check_block_devices("throttleReadIOPSDevice", io.throttle_read_iops));
    return check_block_devices("throttleWriteIOPSDevice", io.throttle_write_iops);
}

// "2MB", "1GB", "64KB": it becomes part of a file name.
bool is_page_size(std::string_view text)
{
    if (!text.ends_with("KB") && !text.ends_with("MB") && !text.ends_with("GB"))
        return false;
    auto digits = text.substr(0, text.size() - 2);
    return !digits.empty() && digits.front() != '0' && digits.find_first_not_of("0123456789") == std::string_view::npos;
}

Result<> check_hugepages(const Resources& resources)
{
    for (size_t i = 0; i < resources.hugepage_limits.size(); i++)
        if (!is_page_size(resources.hugepage_limits[i].page_size))
            return refused(fmt::format("resources.hugepageLimits[{}].pageSize {} is not a size", i,
                                       quoted(resources.hugepage_limits[i].page_size)),
                           "write it like 64KB, 2MB or 1GB");
    return {};
}

Result<> check_network(const Resources& resources)
{
    if (!resources.network)
        return {};
    for (size_t i = 0; i < resources.network->priorities.size(); i++) {
        const auto& name = resources.network->priorities[i].name;
        if (name.empty() || name.find_first_of("/ \t\n") != std::string::npos)
            return refused(
                fmt::format("resources.network.priorities[{}].name {} is not the name of a network interface", i, quoted(name)));
    }
    return {};
}

Result<> check_rdma(const Resources& resources)
{
    for (const auto& [device, limit] : resources.rdma) {
        if (device.empty() || device.find_first_of("/ \t\n") != std::string::npos)
            return refused(fmt::format("resources.rdma {} is not the name of a device", quoted(device)));
        if (!limit.hca_handles && !limit.hca_objects)
            return refused(fmt::format("resources.rdma {} has no limit", quoted(device)), "set hcaHandles or hcaObjects");
    }
    return {};
}

Result<> check_unified(const Resources& resources)
{
    for (const auto& [name, value] : resources.unified) {
        auto dot = name.find('.');
        bool file = dot != 0 && dot != std::string::npos && dot + 1 < name.size();
        if (!file || name.find_first_of("/\n") != std::string::npos)
            return refused(fmt::format("resources.unified {} is not a file of a cgroup", quoted(name)),
                           "write it like memory.high");
    }
    return {};
}

constexpr std::array<Check<Resources>, 8> resource_checks = {{
    {"device rules", check_device_rules},
    {"memory", check_memory},
    {"CPU", check_cpu},
    {"block I/O", check_block_io},
    {"huge pages", check_hugepages},
    {"network", check_network},
    {"RDMA", check_rdma},
    {"cgroup v2 files", check_unified},
}};

} // namespace

Result<> check_resources(const Resources& resources)
{
    return run_checks<Resources>(resource_checks, resources);
}

} // namespace brig::spec
