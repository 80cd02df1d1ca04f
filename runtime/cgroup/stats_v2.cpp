// The files of cgroup v2 (Documentation/admin-guide/cgroup-v2.rst).
#include "base/text.hpp"
#include "cgroup/stats_reader.hpp"

#include <algorithm>
#include <array>

namespace brig::cgroup {

namespace {

uint64_t saturating_sum(uint64_t left, uint64_t right)
{
    return left > unlimited - right ? unlimited : left + right;
}

Result<> read_cpu(CpuStats& cpu, const StatsReader& reader)
{
    constexpr uint64_t microsecond = 1000;
    const std::array keys = {
        KeyedCount{"usage_usec", &cpu.total, microsecond},   KeyedCount{"user_usec", &cpu.user, microsecond},
        KeyedCount{"system_usec", &cpu.kernel, microsecond}, KeyedCount{"nr_periods", &cpu.periods},
        KeyedCount{"nr_throttled", &cpu.throttled_periods},  KeyedCount{"throttled_usec", &cpu.throttled_time, microsecond},
    };
    TRY(reader.fill(keys, "cpu.stat"));
    return reader.fill(cpu.pressure, "cpu.pressure");
}

// v1 counts memory and swap together, v2 swap alone: callers that know v1 get its sums. A peak of both is not known.
void add_swap(MemoryStats& memory, const MemoryUse& swap)
{
    if (!swap.usage || memory.memory_and_swap.usage)
        return;
    memory.memory_and_swap.usage = saturating_sum(*swap.usage, memory.memory.usage.value_or(0));
    memory.memory_and_swap.limit = saturating_sum(swap.limit.value_or(unlimited), memory.memory.limit.value_or(unlimited));
    memory.memory_and_swap.failures = swap.failures;
}

Result<> read_memory(MemoryStats& memory, const StatsReader& reader)
{
    TRY(fill_memory_stat(memory, reader, "file"));
    TRY(reader.fill(memory.memory.usage, "memory.current"));
    TRY(reader.fill(memory.memory.limit, "memory.max"));
    TRY(reader.fill(memory.memory.peak, "memory.peak"));
    TRY(reader.fill(std::array{KeyedCount{"max", &memory.memory.failures}}, "memory.events"));
    MemoryUse swap;
    TRY(reader.fill(swap.usage, "memory.swap.current"));
    TRY(reader.fill(swap.limit, "memory.swap.max"));
    TRY(reader.fill(std::array{KeyedCount{"max", &swap.failures}}, "memory.swap.events"));
    add_swap(memory, swap);
    return reader.fill(memory.pressure, "memory.pressure");
}

struct IoKey {
    std::string_view key;
    std::vector<BlockIoCount>* target;
    std::string_view operation;
};

// "8:16 rbytes=1459200 wbytes=314773504 rios=192 wios=353 dbytes=0 dios=0", in v1's words.
Result<> read_io(BlockIoStats& io, const StatsReader& reader)
{
    TRY(reader.fill(io.pressure, "io.pressure"));
    if (!io.service_bytes.empty() || !io.serviced.empty())
        return {};
    const std::array keys = {
        IoKey{"rbytes", &io.service_bytes, "Read"},    IoKey{"wbytes", &io.service_bytes, "Write"},
        IoKey{"dbytes", &io.service_bytes, "Discard"}, IoKey{"rios", &io.serviced, "Read"},
        IoKey{"wios", &io.serviced, "Write"},          IoKey{"dios", &io.serviced, "Discard"},
    };
    std::string text = TRY(reader.text("io.stat")).value_or("");
    for (auto line : split(text, '\n')) {
        auto words = words_of(line);
        auto device = split(words.empty() ? line : words[0], ':');
        auto major = parse_unsigned(device[0]);
        auto minor = parse_unsigned(device.back());
        if (device.size() != 2 || !major || !minor)
            continue;
        for (auto word : words) {
            auto name = word.substr(0, word.find('='));
            auto value = parse_unsigned(word.substr(std::min(name.size() + 1, word.size())));
            for (const auto& [key, target, operation] : keys)
                if (key == name && value)
                    target->push_back({*major, *minor, std::string(operation), *value});
        }
    }
    return {};
}

Result<> read_huge_pages(std::map<std::string, HugePageStats>& all, const StatsReader& reader)
{
    for (const auto& size : TRY(reader.huge_page_sizes(".current"))) {
        auto& pages = all[size];
        // Reserved pages are what a limit acts on first; older kernels count used ones only.
        TRY(reader.fill(pages.usage, "hugetlb." + size + ".rsvd.current"));
        TRY(reader.fill(pages.usage, "hugetlb." + size + ".current"));
        TRY(reader.fill(std::array{KeyedCount{"max", &pages.failures}}, "hugetlb." + size + ".events"));
    }
    return {};
}

} // namespace

Result<> read_stats_v2(Stats& stats, const StatsReader& reader)
{
    TRY(read_cpu(stats.cpu, reader));
    TRY(reader.fill_list(stats.cpuset.cpus, "cpuset.cpus.effective"));
    TRY(reader.fill_list(stats.cpuset.mems, "cpuset.mems.effective"));
    TRY(read_memory(stats.memory, reader));
    TRY(fill_pids(stats.pids, reader));
    TRY(read_io(stats.block_io, reader));
    return read_huge_pages(stats.huge_pages, reader);
}

} // namespace brig::cgroup
