// Stats as the JSON of `runc events`. Callers decode it with Go's encoding/json: a member that is left out is 0 there.
#include "container/events.hpp"

#include <string_view>

namespace brig::container {

namespace {

using cgroup::Count;

// Most members are left out when they are 0 (Go's omitempty); a few are always there.
void add(Json& json, std::string_view name, const Count& count)
{
    if (count.value_or(0) != 0)
        json.set(name, Json::unsigned_number(*count));
}

void add_always(Json& json, std::string_view name, const Count& count)
{
    json.set(name, Json::unsigned_number(count.value_or(0)));
}

template<typename Number> void add(Json& json, std::string_view name, const std::vector<Number>& numbers)
{
    if (numbers.empty())
        return;
    auto list = Json::array();
    for (auto number : numbers)
        list.append(Json::unsigned_number(number));
    json.set(name, std::move(list));
}

Json pressure_line(const cgroup::Pressure::Line& line)
{
    auto json = Json::object();
    json.set("avg10", Json::real(line.average_10))
        .set("avg60", Json::real(line.average_60))
        .set("avg300", Json::real(line.average_300))
        .set("total", Json::unsigned_number(line.total));
    return json;
}

void add(Json& json, const std::optional<cgroup::Pressure>& pressure)
{
    if (!pressure)
        return;
    auto member = Json::object();
    member.set("some", pressure_line(pressure->some)).set("full", pressure_line(pressure->full));
    json.set("psi", std::move(member));
}

Json cpu_document(const cgroup::CpuStats& cpu)
{
    auto usage = Json::object();
    add(usage, "total", cpu.total);
    add(usage, "percpu", cpu.per_cpu);
    add(usage, "percpu_kernel", cpu.per_cpu_kernel);
    add(usage, "percpu_user", cpu.per_cpu_user);
    add_always(usage, "kernel", cpu.kernel);
    add_always(usage, "user", cpu.user);
    auto throttling = Json::object();
    add(throttling, "periods", cpu.periods);
    add(throttling, "throttledPeriods", cpu.throttled_periods);
    add(throttling, "throttledTime", cpu.throttled_time);
    auto json = Json::object();
    json.set("usage", std::move(usage)).set("throttling", std::move(throttling));
    add(json, cpu.pressure);
    return json;
}

Json cpuset_document(const cgroup::CpusetStats& cpuset)
{
    auto json = Json::object();
    add(json, "cpus", cpuset.cpus);
    add_always(json, "cpu_exclusive", cpuset.cpu_exclusive);
    add(json, "mems", cpuset.mems);
    add_always(json, "mem_hardwall", cpuset.mem_hardwall);
    add_always(json, "mem_exclusive", cpuset.mem_exclusive);
    add_always(json, "memory_migrate", cpuset.memory_migrate);
    add_always(json, "memory_spread_page", cpuset.memory_spread_page);
    add_always(json, "memory_spread_slab", cpuset.memory_spread_slab);
    add_always(json, "memory_pressure", cpuset.memory_pressure);
    add_always(json, "sched_load_balance", cpuset.sched_load_balance);
    json.set("sched_relax_domain_level", Json::number(cpuset.sched_relax_domain_level.value_or(0)));
    return json;
}

Json memory_use(const cgroup::MemoryUse& use)
{
    auto json = Json::object();
    add_always(json, "limit", use.limit);
    add(json, "usage", use.usage);
    add(json, "max", use.peak);
    add_always(json, "failcnt", use.failures);
    return json;
}

Json memory_document(const cgroup::MemoryStats& memory)
{
    auto json = Json::object();
    add(json, "cache", memory.cache);
    auto usage = memory_use(memory.memory);
    add(usage, "peak", memory.memory.peak);
    json.set("usage", std::move(usage))
        .set("swap", memory_use(memory.memory_and_swap))
        .set("kernel", memory_use(memory.kernel))
        .set("kernelTCP", memory_use(memory.kernel_tcp));
    if (!memory.raw.empty()) {
        auto raw = Json::object();
        for (const auto& [key, value] : memory.raw)
            raw.set(key, Json::unsigned_number(value));
        json.set("raw", std::move(raw));
    }
    add(json, memory.pressure);
    return json;
}

Json pids_document(const cgroup::PidsStats& pids)
{
    auto json = Json::object();
    add(json, "current", pids.current);
    add(json, "limit", pids.limit == cgroup::unlimited ? Count() : pids.limit);
    add(json, "peak", pids.peak);
    return json;
}

void add(Json& json, std::string_view name, const std::vector<cgroup::BlockIoCount>& counts)
{
    if (counts.empty())
        return;
    auto list = Json::array();
    for (const auto& count : counts) {
        auto item = Json::object();
        add(item, "major", count.major);
        add(item, "minor", count.minor);
        if (!count.operation.empty())
            item.set("op", Json::string(count.operation));
        add(item, "value", count.value);
        list.append(std::move(item));
    }
    json.set(name, std::move(list));
}

Json block_io_document(const cgroup::BlockIoStats& io)
{
    auto json = Json::object();
    add(json, "ioServiceBytesRecursive", io.service_bytes);
    add(json, "ioServicedRecursive", io.serviced);
    add(json, "ioQueueRecursive", io.queued);
    add(json, "ioServiceTimeRecursive", io.service_time);
    add(json, "ioWaitTimeRecursive", io.wait_time);
    add(json, "ioMergedRecursive", io.merged);
    add(json, "ioTimeRecursive", io.time);
    add(json, "sectorsRecursive", io.sectors);
    add(json, io.pressure);
    return json;
}

Json huge_pages_document(const std::map<std::string, cgroup::HugePageStats>& sizes)
{
    auto json = Json::object();
    for (const auto& [size, pages] : sizes) {
        auto item = Json::object();
        add(item, "usage", pages.usage);
        add(item, "max", pages.peak);
        add_always(item, "failcnt", pages.failures);
        json.set(size, std::move(item));
    }
    return json;
}

// Capitalised: the structure that callers decode into has no names of its own for these.
Json interfaces_document(const std::vector<NetworkInterface>& interfaces)
{
    if (interfaces.empty())
        return {};
    auto list = Json::array();
    for (const auto& interface : interfaces) {
        auto item = Json::object();
        item.set("Name", Json::string(interface.name))
            .set("RxBytes", Json::unsigned_number(interface.received.bytes))
            .set("RxPackets", Json::unsigned_number(interface.received.packets))
            .set("RxErrors", Json::unsigned_number(interface.received.errors))
            .set("RxDropped", Json::unsigned_number(interface.received.dropped))
            .set("TxBytes", Json::unsigned_number(interface.sent.bytes))
            .set("TxPackets", Json::unsigned_number(interface.sent.packets))
            .set("TxErrors", Json::unsigned_number(interface.sent.errors))
            .set("TxDropped", Json::unsigned_number(interface.sent.dropped));
        list.append(std::move(item));
    }
    return list;
}

} // namespace

Json stats_event(const std::string& id, const Stats& stats)
{
    auto data = Json::object();
    data.set("cpu", cpu_document(stats.cgroup.cpu))
        .set("cpuset", cpuset_document(stats.cgroup.cpuset))
        .set("memory", memory_document(stats.cgroup.memory))
        .set("pids", pids_document(stats.cgroup.pids))
        .set("blkio", block_io_document(stats.cgroup.block_io))
        .set("hugetlb", huge_pages_document(stats.cgroup.huge_pages))
        .set("intel_rdt", Json::object())
        .set("network_interfaces", interfaces_document(stats.interfaces));
    auto event = Json::object();
    event.set("type", Json::string("stats")).set("id", Json::string(id)).set("data", std::move(data));
    return event;
}

Json out_of_memory_event(const std::string& id)
{
    auto event = Json::object();
    event.set("type", Json::string("oom")).set("id", Json::string(id));
    return event;
}

} // namespace brig::container
