// The files of cgroup v1 (Documentation/admin-guide/cgroup-v1/).
#include "base/text.hpp"
#include "cgroup/stats_reader.hpp"

#include <algorithm>
#include <array>

namespace brig::cgroup {

namespace {

Result<> read_cpu(CpuStats& cpu, const StatsReader& reader)
{
    const std::array keys = {
        KeyedCount{"nr_periods", &cpu.periods},
        KeyedCount{"nr_throttled", &cpu.throttled_periods},
        KeyedCount{"throttled_time", &cpu.throttled_time},
    };
    return reader.fill(keys, "cpu.stat");
}

// A heading, then "CPU USER SYSTEM" a line.
Result<> read_usage_all(CpuStats& cpu, const StatsReader& reader)
{
    std::string text = TRY(reader.text("cpuacct.usage_all")).value_or("");
    for (auto line : split(text, '\n')) {
        auto words = words_of(line);
        if (words.size() != 3)
            continue;
        auto user = parse_unsigned(words[1]);
        auto kernel = parse_unsigned(words[2]);
        if (!user || !kernel)
            continue;
        cpu.per_cpu_user.push_back(*user);
        cpu.per_cpu_kernel.push_back(*kernel);
    }
    return {};
}

Result<> read_cpu_use(CpuStats& cpu, const StatsReader& reader)
{
    // In ticks of USER_HZ, which is 100 on every architecture that containers run on.
    constexpr uint64_t tick = 10'000'000;
    TRY(reader.fill(cpu.total, "cpuacct.usage"));
    TRY(reader.fill(std::array{KeyedCount{"user", &cpu.user, tick}, KeyedCount{"system", &cpu.kernel, tick}}, "cpuacct.stat"));
    std::string text = TRY(reader.text("cpuacct.usage_percpu")).value_or("");
    for (auto word : words_of(trim(text)))
        if (auto value = parse_unsigned(word))
            cpu.per_cpu.push_back(*value);
    return read_usage_all(cpu, reader);
}

Result<> read_cpuset(CpusetStats& cpuset, const StatsReader& reader)
{
    TRY(reader.fill_list(cpuset.cpus, "cpuset.cpus"));
    TRY(reader.fill_list(cpuset.mems, "cpuset.mems"));
    TRY(reader.fill(cpuset.cpu_exclusive, "cpuset.cpu_exclusive"));
    TRY(reader.fill(cpuset.mem_exclusive, "cpuset.mem_exclusive"));
    TRY(reader.fill(cpuset.mem_hardwall, "cpuset.mem_hardwall"));
    TRY(reader.fill(cpuset.memory_migrate, "cpuset.memory_migrate"));
    TRY(reader.fill(cpuset.memory_spread_page, "cpuset.memory_spread_page"));
    TRY(reader.fill(cpuset.memory_spread_slab, "cpuset.memory_spread_slab"));
    TRY(reader.fill(cpuset.memory_pressure, "cpuset.memory_pressure"));
    TRY(reader.fill(cpuset.sched_load_balance, "cpuset.sched_load_balance"));
    return reader.fill(cpuset.sched_relax_domain_level, "cpuset.sched_relax_domain_level");
}

Result<> read_memory_use(MemoryUse& use, const StatsReader& reader, const std::string& prefix)
{
    TRY(reader.fill(use.usage, prefix + ".usage_in_bytes"));
    TRY(reader.fill(use.peak, prefix + ".max_usage_in_bytes"));
    TRY(reader.fill(use.failures, prefix + ".failcnt"));
    return reader.fill(use.limit, prefix + ".limit_in_bytes");
}

Result<> read_memory(MemoryStats& memory, const StatsReader& reader)
{
    TRY(fill_memory_stat(memory, reader, "cache"));
    TRY(read_memory_use(memory.memory, reader, "memory"));
    TRY(read_memory_use(memory.memory_and_swap, reader, "memory.memsw"));
    TRY(read_memory_use(memory.kernel, reader, "memory.kmem"));
    return read_memory_use(memory.kernel_tcp, reader, "memory.kmem.tcp");
}

// "8:0 Read 1282048", or "8:0 6792"; a last line "Total 3477504" is left out.
std::vector<BlockIoCount> parse_block_io(std::string_view text)
{
    std::vector<BlockIoCount> counts;
    for (auto line : split(text, '\n')) {
        auto words = words_of(line);
        if (words.size() != 2 && words.size() != 3)
            continue;
        auto device = split(words[0], ':');
        auto major = parse_unsigned(device[0]);
        auto minor = parse_unsigned(device.back());
        auto value = parse_unsigned(words.back());
        if (device.size() != 2 || !major || !minor || !value)
            continue;
        counts.push_back({*major, *minor, std::string(words.size() == 3 ? words[1] : ""), *value});
    }
    return counts;
}

struct BlockIoFiles {
    std::vector<BlockIoCount>* target;
    std::string_view name;
};

// Which scheduler counts is another matter on each host and device: BFQ, CFQ (before Linux 5.0), or the throttling layer,
// which counts always but only bytes and requests. The first file with a line has it.
Result<> read_block_io(BlockIoStats& io, const StatsReader& reader)
{
    const std::array files = {
        BlockIoFiles{&io.service_bytes, "io_service_bytes"},
        BlockIoFiles{&io.serviced, "io_serviced"},
        BlockIoFiles{&io.queued, "io_queued"},
        BlockIoFiles{&io.service_time, "io_service_time"},
        BlockIoFiles{&io.wait_time, "io_wait_time"},
        BlockIoFiles{&io.merged, "io_merged"},
        BlockIoFiles{&io.time, "time"},
        BlockIoFiles{&io.sectors, "sectors"},
    };
    for (const auto& [target, name] : files)
        for (auto pattern :
             {"blkio.bfq.{}_recursive", "blkio.{}_recursive", "blkio.throttle.{}_recursive", "blkio.throttle.{}"}) {
            if (!target->empty())
                break;
            auto text = TRY(reader.text(fmt::format(fmt::runtime(pattern), name)));
            *target = parse_block_io(text.value_or(std::string()));
        }
    return {};
}

Result<> read_huge_pages(std::map<std::string, HugePageStats>& all, const StatsReader& reader)
{
    for (const auto& size : TRY(reader.huge_page_sizes(".usage_in_bytes"))) {
        auto& pages = all[size];
        // Reserved pages are what a limit acts on first; older kernels count used ones only.
        for (const std::string& prefix : {"hugetlb." + size + ".rsvd", "hugetlb." + size}) {
            TRY(reader.fill(pages.usage, prefix + ".usage_in_bytes"));
            TRY(reader.fill(pages.peak, prefix + ".max_usage_in_bytes"));
            TRY(reader.fill(pages.failures, prefix + ".failcnt"));
        }
    }
    return {};
}

} // namespace

Result<> read_stats_v1(Stats& stats, const StatsReader& reader, const std::vector<std::string>& controllers)
{
    for (const auto& controller : controllers) {
        if (controller == "cpu")
            TRY(read_cpu(stats.cpu, reader));
        else if (controller == "cpuacct")
            TRY(read_cpu_use(stats.cpu, reader));
        else if (controller == "cpuset")
            TRY(read_cpuset(stats.cpuset, reader));
        else if (controller == "memory")
            TRY(read_memory(stats.memory, reader));
        else if (controller == "pids")
            TRY(fill_pids(stats.pids, reader));
        else if (controller == "blkio")
            TRY(read_block_io(stats.block_io, reader));
        else if (controller == "hugetlb")
            TRY(read_huge_pages(stats.huge_pages, reader));
    }
    return {};
}

} // namespace brig::cgroup
