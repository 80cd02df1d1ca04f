// The JSON that callers of `runc events` decode, byte for byte.
#include "container/events.hpp"

#include <criterion/criterion.h>

using namespace brig;
using namespace brig::container;

Test(event_documents, nothing_counted)
{
    constexpr std::string_view expected =
        R"({"type":"stats","id":"web","data":{"cpu":{"usage":{"kernel":0,"user":0},"throttling":{}},)"
        R"("cpuset":{"cpu_exclusive":0,"mem_hardwall":0,"mem_exclusive":0,"memory_migrate":0,"memory_spread_page":0,)"
        R"("memory_spread_slab":0,"memory_pressure":0,"sched_load_balance":0,"sched_relax_domain_level":0},)"
        R"("memory":{"usage":{"limit":0,"failcnt":0},"swap":{"limit":0,"failcnt":0},"kernel":{"limit":0,"failcnt":0},)"
        R"("kernelTCP":{"limit":0,"failcnt":0}},"pids":{},"blkio":{},"hugetlb":{},"intel_rdt":{},"network_interfaces":null}})";
    auto text = stats_event("web", {}).to_text();
    cr_expect(text == expected, "%s", text.c_str());
}

Test(event_documents, everything_counted)
{
    Stats stats;
    auto& counted = stats.cgroup;
    cgroup::Pressure pressure{{0.07, 1.5, 100, 987654}, {}};
    counted.cpu = {.total = 7,
                   .kernel = 2,
                   .user = 5,
                   .per_cpu = {3, 4},
                   .per_cpu_kernel = {1, 1},
                   .per_cpu_user = {2, 3},
                   .periods = 10,
                   .throttled_periods = 4,
                   .throttled_time = 99,
                   .pressure = pressure};
    counted.cpuset.cpus = {0, 7};
    counted.cpuset.mems = {0};
    counted.cpuset.sched_relax_domain_level = -1;
    counted.memory.cache = 1;
    counted.memory.memory = {.limit = cgroup::unlimited, .usage = 5, .peak = 6, .failures = 1};
    counted.memory.memory_and_swap = {.limit = 9, .usage = 8, .peak = 7, .failures = 0};
    counted.memory.raw = {{"anon", 0}, {"file", 1}};
    counted.pids = {.current = 3, .limit = cgroup::unlimited, .peak = 11};
    counted.block_io.service_bytes = {{8, 0, "Read", 512}};
    counted.block_io.queued = {{8, 0, "", 0}};
    counted.huge_pages["2MB"] = {.usage = 4, .peak = 5, .failures = 6};
    stats.interfaces = {{"eth0", {1, 2, 3, 4}, {5, 6, 7, 8}}};
    constexpr std::string_view expected =
        R"({"type":"stats","id":"web","data":{"cpu":{"usage":{"total":7,"percpu":[3,4],"percpu_kernel":[1,1],)"
        R"("percpu_user":[2,3],"kernel":2,"user":5},"throttling":{"periods":10,"throttledPeriods":4,"throttledTime":99},)"
        R"("psi":{"some":{"avg10":0.07,"avg60":1.5,"avg300":100,"total":987654},)"
        R"("full":{"avg10":0,"avg60":0,"avg300":0,"total":0}}},)"
        R"("cpuset":{"cpus":[0,7],"cpu_exclusive":0,"mems":[0],"mem_hardwall":0,"mem_exclusive":0,"memory_migrate":0,)"
        R"("memory_spread_page":0,"memory_spread_slab":0,"memory_pressure":0,"sched_load_balance":0,)"
        R"("sched_relax_domain_level":-1},)"
        R"("memory":{"cache":1,"usage":{"limit":18446744073709551615,"usage":5,"max":6,"failcnt":1,"peak":6},)"
        R"("swap":{"limit":9,"usage":8,"max":7,"failcnt":0},"kernel":{"limit":0,"failcnt":0},)"
        R"("kernelTCP":{"limit":0,"failcnt":0},"raw":{"anon":0,"file":1}},"pids":{"current":3,"peak":11},)"
        R"("blkio":{"ioServiceBytesRecursive":[{"major":8,"op":"Read","value":512}],"ioQueueRecursive":[{"major":8}]},)"
        R"("hugetlb":{"2MB":{"usage":4,"max":5,"failcnt":6}},"intel_rdt":{},)"
        R"("network_interfaces":[{"Name":"eth0","RxBytes":1,"RxPackets":2,"RxErrors":3,"RxDropped":4,)"
        R"("TxBytes":5,"TxPackets":6,"TxErrors":7,"TxDropped":8}]}})";
    auto text = stats_event("web", stats).to_text();
    cr_expect(text == expected, "%s", text.c_str());
}

Test(event_documents, out_of_memory)
{
    cr_expect(out_of_memory_event("web").to_text() == R"({"type":"oom","id":"web"})");
}

Test(network_interfaces, received_and_sent)
{
    auto interfaces = parse_network_interfaces("Inter-|   Receive                                                |  Transmit\n"
                                               " face |bytes    packets errs drop fifo frame compressed multicast|bytes    "
                                               "packets errs drop fifo colls carrier compressed\n"
                                               "    lo:     104       2    0    0    0     0          0         0      104       "
                                               "2    0    0    0     0       0          0\n"
                                               "  eth0:1         2    3    4    5     6          7         8        9      10   "
                                               "11   12   13    14      15         16\n");
    cr_assert(interfaces.size() == 2);
    cr_expect(interfaces[0].name == "lo" && interfaces[0].received.bytes == 104 && interfaces[0].sent.packets == 2);
    const auto& [name, received, sent] = interfaces[1];
    cr_expect(name == "eth0");
    cr_expect(received.bytes == 1 && received.packets == 2 && received.errors == 3 && received.dropped == 4);
    cr_expect(sent.bytes == 9 && sent.packets == 10 && sent.errors == 11 && sent.dropped == 12);
}

Test(network_interfaces, names_of_the_containers_choice_stay_valid_json)
{
    auto interfaces = parse_network_interfaces("a\xff\"\x01: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\nshort: 1 2\nnone\n");
    cr_assert(interfaces.size() == 1);
    cr_expect(interfaces[0].name == "a\\xff\"\\x01", "%s", interfaces[0].name.c_str());
}
