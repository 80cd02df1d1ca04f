#include "policy/changes.hpp"

#include <algorithm>
#include <array>

namespace brig::policy {

namespace {

constexpr uint64_t default_period = 100'000; // microseconds, the kernel's
constexpr uint64_t longest_period = 1'000'000;
constexpr int64_t shortest_quota = 1000; // the kernel takes no less
constexpr uint64_t thousandths = 1000;

std::string limit_text(const std::optional<int64_t>& limit)
{
    return limit && *limit >= 0 ? std::to_string(*limit) : "unlimited";
}

// Absent and negative mean unlimited.
bool is_above(const std::optional<int64_t>& limit, int64_t most)
{
    return !limit || *limit < 0 || *limit > most;
}

int64_t signed_of(uint64_t value)
{
    return static_cast<int64_t>(std::min<uint64_t>(value, INT64_MAX));
}

void lower(std::optional<int64_t>& limit, int64_t most, std::string_view property, Changes& changes)
{
    if (!is_above(limit, most))
        return;
    changes.add(std::string(property), limit_text(limit), std::to_string(most), fmt::format("allows {}", most));
    limit = most;
}

void tighten_memory(spec::Resources& resources, const Resources& policy, Changes& changes)
{
    if (!policy.memory_bytes)
        return;
    spec::Memory& memory = resources.memory ? *resources.memory : resources.memory.emplace();
    auto former_limit = memory.limit;
    lower(memory.limit, signed_of(*policy.memory_bytes), "linux.resources.memory.limit", changes);
    // The specification's swap is memory and swap together: with a lower limit the same sum would be more swap.
    std::optional<int64_t> swap;
    if (memory.swap && *memory.swap >= 0 && former_limit && *former_limit >= 0)
        swap = std::max<int64_t>(0, *memory.swap - *former_limit);
    if (policy.swap_bytes)
        swap = std::min(swap.value_or(INT64_MAX), signed_of(*policy.swap_bytes));
    if (swap)
        lower(memory.swap, *swap > INT64_MAX - *memory.limit ? INT64_MAX : *memory.limit + *swap, "linux.resources.memory.swap",
              changes);
    // A reservation above the limit is an error.
    if (memory.reservation && *memory.reservation > *memory.limit)
        lower(memory.reservation, *memory.limit, "linux.resources.memory.reservation", changes);
}

Result<> tighten_cpu(spec::Resources& resources, const Policy& policy, Changes& changes)
{
    if (!policy.privileges.real_time && resources.cpu && resources.cpu->realtime_runtime.value_or(0) != 0)
        return changes.refuse("linux.resources.cpu.realtimeRuntime", std::to_string(*resources.cpu->realtime_runtime),
                              "has privileges.realTime false", "leave it out");
    if (!policy.resources.milli_cpus)
        return {};
    spec::Cpu& cpu = resources.cpu ? *resources.cpu : resources.cpu.emplace();
    uint64_t period = cpu.period.value_or(0) == 0 ? default_period : std::min(*cpu.period, longest_period);
    auto wanted = [&] { return static_cast<int64_t>(*policy.resources.milli_cpus * period / thousandths); };
    if (cpu.quota && *cpu.quota > 0 && *cpu.quota <= wanted())
        return {};
    std::string before = cpu.quota && *cpu.quota > 0 ? fmt::format("{} of {} microseconds", *cpu.quota, period) : "unlimited";
    if (wanted() < shortest_quota)
        period = default_period;
    // A fraction below the kernel's resolution: a longer period has room for it.
    if (wanted() < shortest_quota)
        period = longest_period;
    cpu.period = period;
    cpu.quota = wanted();
    if (cpu.burst)
        cpu.burst = std::min(*cpu.burst, static_cast<uint64_t>(*cpu.quota));
    changes.add("linux.resources.cpu.quota", before, fmt::format("{} of {} microseconds", *cpu.quota, period),
                fmt::format("allows {} thousandths of a processor", *policy.resources.milli_cpus));
    return {};
}

void tighten_rates(std::vector<spec::ThrottleDevice>& rates, std::optional<uint64_t> most, std::string_view name,
                   const HostLimits& host, Changes& changes)
{
    if (!most)
        return;
    auto lower_rate = [&](spec::ThrottleDevice& device, bool given) {
        // 0 means unlimited.
        if (given && device.rate != 0 && device.rate <= *most)
            return;
        changes.add(fmt::format("linux.resources.blockIO.{} {}:{}", name, device.major, device.minor),
                    given && device.rate != 0 ? std::to_string(device.rate) : "unlimited", std::to_string(*most),
                    fmt::format("allows {}", *most));
        device.rate = *most;
    };
    for (auto& device : rates)
        lower_rate(device, true);
    for (const auto& disk : host.block_devices) {
        auto same = [&](const spec::ThrottleDevice& device) { return device.major == disk.major && device.minor == disk.minor; };
        if (std::ranges::any_of(rates, same))
            continue;
        rates.push_back({disk.major, disk.minor, 0});
        lower_rate(rates.back(), false);
    }
}

void tighten_io(spec::Resources& resources, const Io& io, const HostLimits& host, Changes& changes)
{
    if (io.empty())
        return;
    spec::BlockIo& block = resources.block_io ? *resources.block_io : resources.block_io.emplace();
    tighten_rates(block.throttle_read_bps, io.read_bytes_per_second, "throttleReadBpsDevice", host, changes);
    tighten_rates(block.throttle_write_bps, io.write_bytes_per_second, "throttleWriteBpsDevice", host, changes);
    tighten_rates(block.throttle_read_iops, io.read_operations_per_second, "throttleReadIOPSDevice", host, changes);
    tighten_rates(block.throttle_write_iops, io.write_operations_per_second, "throttleWriteIOPSDevice", host, changes);
}

// "unified" is written behind the named limits and would undo them.
Result<> tighten_unified(const spec::Resources& resources, const Resources& policy, Changes& changes)
{
    struct Owned {
        std::string_view file;
        bool limited;
    };
    for (const auto& [file, limited] :
         {Owned{"memory.", policy.memory_bytes.has_value()}, Owned{"cpu.max", policy.milli_cpus.has_value()},
          Owned{"pids.", policy.pids.has_value()}, Owned{"io.max", !policy.io.empty()}})
        for (const auto& [name, value] : resources.unified)
            if (limited && name.starts_with(file))
                return changes.refuse(fmt::format("linux.resources.unified[{}]", quoted(name)), quoted(value),
                                      "has a limit of its own there",
                                      "use the properties memory, cpu, pids and blockIO of linux.resources");
    return {};
}

} // namespace

Result<> tighten_resources(spec::Resources& resources, const Policy& policy, const HostLimits& host, Changes& changes)
{
    TRY(tighten_unified(resources, policy.resources, changes));
    tighten_memory(resources, policy.resources, changes);
    TRY(tighten_cpu(resources, policy, changes));
    if (policy.resources.pids)
        lower(resources.pids_limit, signed_of(*policy.resources.pids), "linux.resources.pids.limit", changes);
    tighten_io(resources, policy.resources.io, host, changes);
    return {};
}

Result<std::vector<Change>> tighten_update(spec::Resources& resources, const Policy& policy)
{
    Changes changes(policy);
    TRY(tighten_unified(resources, policy.resources, changes));
    if (policy.resources.memory_bytes && resources.memory) {
        int64_t most = signed_of(*policy.resources.memory_bytes);
        if (resources.memory->limit)
            lower(resources.memory->limit, most, "linux.resources.memory.limit", changes);
        if (resources.memory->swap && policy.resources.swap_bytes)
            lower(resources.memory->swap, signed_of(*policy.resources.memory_bytes + *policy.resources.swap_bytes),
                  "linux.resources.memory.swap", changes);
    }
    if (resources.cpu && (resources.cpu->quota || resources.cpu->period || resources.cpu->realtime_runtime))
        TRY(tighten_cpu(resources, policy, changes));
    if (policy.resources.pids && resources.pids_limit)
        lower(resources.pids_limit, signed_of(*policy.resources.pids), "linux.resources.pids.limit", changes);
    return changes.take();
}

} // namespace brig::policy
