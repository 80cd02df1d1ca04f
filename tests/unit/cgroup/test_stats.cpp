// The kernel's files of v1, v2 and hybrid hosts as one struct: samples in temporary directories.
#include "cgroup/oom_watch.hpp"
#include "cgroup/stats.hpp"
#include "cgroup/stats_reader.hpp"
#include "support/scratch.hpp"

#include <criterion/criterion.h>

using namespace brig;
using namespace brig::cgroup;

namespace {

Location v2(const test::Scratch& scratch, const std::string& name)
{
    return {scratch.path(), "/" + name, {}, true};
}

Location v1(const test::Scratch& scratch, const std::string& name, std::vector<std::string> controllers)
{
    return {scratch.path(), "/" + name, std::move(controllers), false};
}

Stats read(const std::vector<Location>& locations)
{
    auto stats = read_stats(locations);
    cr_assert(stats.has_value(), "%s", stats ? "" : stats.error().message().c_str());
    return *stats;
}

bool same(const BlockIoCount& count, uint64_t major, uint64_t minor, const char* operation, uint64_t value)
{
    return count.major == major && count.minor == minor && count.operation == operation && count.value == value;
}

void write_v2_samples(test::Scratch& scratch)
{
    scratch.directory("two");
    scratch.write("two/cpu.stat", "usage_usec 1234\nuser_usec 1000\nsystem_usec 234\nnice_usec 0\nnr_periods 7\n"
                                  "nr_throttled 3\nthrottled_usec 55\nnr_bursts 0\nburst_usec 0\n");
    scratch.write("two/cpu.pressure", "some avg10=0.07 avg60=1.50 avg300=100.00 total=987654\n"
                                      "full avg10=0.00 avg60=0.25 avg300=0.00 total=12\n");
    scratch.write("two/cpuset.cpus.effective", "0-2,7\n");
    scratch.write("two/cpuset.mems.effective", "0\n");
    scratch.write("two/memory.stat", "anon 100\nfile 4096\nkernel 300\n");
    scratch.write("two/memory.current", "5000\n");
    scratch.write("two/memory.max", "8192\n");
    scratch.write("two/memory.peak", "7000\n");
    scratch.write("two/memory.events", "low 0\nhigh 0\nmax 9\noom 2\noom_kill 1\n");
    scratch.write("two/memory.swap.current", "600\n");
    scratch.write("two/memory.swap.max", "1000\n");
    scratch.write("two/memory.swap.events", "high 0\nmax 4\nfail 0\n");
    scratch.write("two/pids.current", "3\n");
    scratch.write("two/pids.max", "max\n");
    scratch.write("two/pids.peak", "11\n");
    scratch.write("two/io.stat", "8:16 rbytes=1459200 wbytes=314773504 rios=192 wios=353 dbytes=0 dios=0\n"
                                 "253:0 \n7:1 rbytes=5 cost.usage=3\n");
    scratch.write("two/hugetlb.2MB.current", "2097152\n");
    scratch.write("two/hugetlb.2MB.rsvd.current", "4194304\n");
    scratch.write("two/hugetlb.2MB.events", "max 6\n");
    scratch.write("two/hugetlb.1GB.current", "0\n");
}

} // namespace

Test(stats_v2, cpu_is_in_nanoseconds)
{
    test::Scratch scratch;
    write_v2_samples(scratch);
    auto cpu = read({v2(scratch, "two")}).cpu;
    cr_expect(cpu.total == 1234000U && cpu.user == 1000000U && cpu.kernel == 234000U);
    cr_expect(cpu.periods == 7U && cpu.throttled_periods == 3U && cpu.throttled_time == 55000U);
    cr_expect(cpu.per_cpu.empty());
    cr_assert(cpu.pressure.has_value());
    cr_expect(cpu.pressure->some.average_10 == 0.07 && cpu.pressure->some.average_60 == 1.5);
    cr_expect(cpu.pressure->some.average_300 == 100 && cpu.pressure->some.total == 987654);
    cr_expect(cpu.pressure->full.average_60 == 0.25 && cpu.pressure->full.total == 12);
}

Test(stats_v2, memory_swap_is_told_as_v1_does)
{
    test::Scratch scratch;
    write_v2_samples(scratch);
    auto memory = read({v2(scratch, "two")}).memory;
    cr_expect(memory.cache == 4096U);
    cr_expect(memory.memory.usage == 5000U && memory.memory.limit == 8192U && memory.memory.peak == 7000U);
    cr_expect(memory.memory.failures == 9U);
    cr_expect(memory.memory_and_swap.usage == 5600U && memory.memory_and_swap.limit == 9192U);
    cr_expect(memory.memory_and_swap.failures == 4U && !memory.memory_and_swap.peak);
    cr_expect(memory.raw == (std::vector<std::pair<std::string, uint64_t>>{{"anon", 100}, {"file", 4096}, {"kernel", 300}}));
    cr_expect(!memory.pressure);

    scratch.write("two/memory.swap.max", "max\n");
    cr_expect(read({v2(scratch, "two")}).memory.memory_and_swap.limit == unlimited);
    scratch.write("two/memory.swap.max", "1\n");
    scratch.write("two/memory.max", "max\n");
    memory = read({v2(scratch, "two")}).memory;
    cr_expect(memory.memory.limit == unlimited && memory.memory_and_swap.limit == unlimited);
}

Test(stats_v2, cpuset_pids_io_and_huge_pages)
{
    test::Scratch scratch;
    write_v2_samples(scratch);
    auto stats = read({v2(scratch, "two")});
    cr_expect(stats.cpuset.cpus == (std::vector<uint32_t>{0, 1, 2, 7}) && stats.cpuset.mems == std::vector<uint32_t>{0});
    cr_expect(stats.pids.current == 3U && stats.pids.limit == unlimited && stats.pids.peak == 11U);
    cr_assert(stats.block_io.service_bytes.size() == 4 && stats.block_io.serviced.size() == 3);
    cr_expect(same(stats.block_io.service_bytes[0], 8, 16, "Read", 1459200));
    cr_expect(same(stats.block_io.service_bytes[1], 8, 16, "Write", 314773504));
    cr_expect(same(stats.block_io.service_bytes[3], 7, 1, "Read", 5));
    cr_expect(same(stats.block_io.serviced[1], 8, 16, "Write", 353));
    cr_assert(stats.huge_pages.size() == 2);
    cr_expect(stats.huge_pages["2MB"].usage == 4194304U && stats.huge_pages["2MB"].failures == 6U);
    cr_expect(stats.huge_pages["1GB"].usage == 0U && !stats.huge_pages["1GB"].failures);
}

Test(stats, missing_files_and_directories_are_absent)
{
    test::Scratch scratch;
    scratch.directory("empty");
    for (const char* name : {"empty", "gone"}) {
        auto controllers = std::vector<std::string>{"cpu", "cpuacct", "cpuset", "memory", "pids", "blkio", "hugetlb"};
        auto stats = read({v1(scratch, name, controllers), v2(scratch, name)});
        cr_expect(!stats.cpu.total && !stats.cpu.periods && !stats.cpu.pressure);
        cr_expect(stats.cpuset.cpus.empty() && !stats.cpuset.sched_relax_domain_level);
        cr_expect(!stats.memory.memory.usage && !stats.memory.memory_and_swap.limit && stats.memory.raw.empty());
        cr_expect(!stats.pids.current && stats.block_io.serviced.empty() && stats.huge_pages.empty());
    }
    cr_expect(!read({}).cpu.total);
}

Test(stats, what_is_no_number_is_an_error_that_names_the_file)
{
    test::Scratch scratch;
    scratch.directory("two");
    for (const char* file : {"memory.current", "cpu.pressure", "cpuset.cpus.effective"}) {
        scratch.write(std::string("two/") + file, "some avg10=many\n");
        auto stats = read_stats({v2(scratch, "two")});
        cr_assert(!stats.has_value(), "%s", file);
        cr_expect(stats.error().kind() == ErrorKind::internal);
        cr_expect(contains(stats.error().message(), scratch.path(std::string("two/") + file)), "%s",
                  stats.error().message().c_str());
        cr_assert(kernel::remove_file(kernel::working_directory, scratch.path(std::string("two/") + file)).has_value());
    }
    scratch.directory("two/memory.current");
    cr_expect(!read_stats({v2(scratch, "two")}).has_value());
}

// ---- v1 ----------------------------------------------------------------------------------------------------------------

Test(stats_v1, cpu)
{
    test::Scratch scratch;
    scratch.directory("cpu");
    scratch.write("cpu/cpu.stat", "nr_periods 10\nnr_throttled 4\nthrottled_time 123456789\n");
    scratch.write("cpu/cpuacct.usage", "4235891\n");
    scratch.write("cpu/cpuacct.stat", "user 3\nsystem 2\n");
    scratch.write("cpu/cpuacct.usage_percpu", "4000000 235891 \n");
    scratch.write("cpu/cpuacct.usage_all", "cpu user system\n0 3000000 1000000\n1 200000 35891\n");
    auto cpu = read({v1(scratch, "cpu", {"cpu", "cpuacct"})}).cpu;
    cr_expect(cpu.total == 4235891U && cpu.user == 30000000U && cpu.kernel == 20000000U);
    cr_expect(cpu.periods == 10U && cpu.throttled_periods == 4U && cpu.throttled_time == 123456789U);
    cr_expect(cpu.per_cpu == (std::vector<uint64_t>{4000000, 235891}));
    cr_expect(cpu.per_cpu_user == (std::vector<uint64_t>{3000000, 200000}));
    cr_expect(cpu.per_cpu_kernel == (std::vector<uint64_t>{1000000, 35891}));
}

Test(stats_v1, memory)
{
    test::Scratch scratch;
    scratch.directory("memory");
    scratch.write("memory/memory.stat", "cache 8192\nrss 1\ntotal_cache 9000\n");
    uint64_t number = 1;
    for (const char* prefix : {"memory", "memory.memsw", "memory.kmem", "memory.kmem.tcp"})
        for (const char* name : {"usage_in_bytes", "max_usage_in_bytes", "failcnt", "limit_in_bytes"})
            scratch.write(fmt::format("memory/{}.{}", prefix, name), fmt::format("{}\n", number++));
    auto memory = read({v1(scratch, "memory", {"memory"})}).memory;
    cr_expect(memory.cache == 8192U && memory.raw.size() == 3);
    for (const auto& [use, first] : {std::pair(&memory.memory, 1U), std::pair(&memory.memory_and_swap, 5U),
                                     std::pair(&memory.kernel, 9U), std::pair(&memory.kernel_tcp, 13U)})
        cr_expect(use->usage == first && use->peak == first + 1 && use->failures == first + 2 && use->limit == first + 3);
}

Test(stats_v1, cpuset_and_pids)
{
    test::Scratch scratch;
    scratch.directory("rest");
    scratch.write("rest/cpuset.cpus", "0-1\n");
    scratch.write("rest/cpuset.mems", "\n");
    scratch.write("rest/cpuset.sched_load_balance", "1\n");
    scratch.write("rest/cpuset.sched_relax_domain_level", "-1\n");
    scratch.write("rest/pids.current", "2\n");
    scratch.write("rest/pids.max", "100\n");
    auto stats = read({v1(scratch, "rest", {"cpuset", "pids"})});
    cr_expect(stats.cpuset.cpus == (std::vector<uint32_t>{0, 1}) && stats.cpuset.mems.empty());
    cr_expect(stats.cpuset.sched_load_balance == 1U && stats.cpuset.sched_relax_domain_level == -1);
    cr_expect(!stats.cpuset.cpu_exclusive);
    cr_expect(stats.pids.current == 2U && stats.pids.limit == 100U && !stats.pids.peak);
}

Test(stats_v1, block_io_comes_from_whoever_counts)
{
    test::Scratch scratch;
    scratch.directory("io");
    scratch.write("io/blkio.bfq.io_service_bytes_recursive", "Total 0\n");
    scratch.write("io/blkio.throttle.io_service_bytes_recursive", "8:0 Read 1282048\n8:0 Total 1282048\nTotal 1282048\n");
    scratch.write("io/blkio.throttle.io_serviced", "8:0 Read 124\n");
    scratch.write("io/blkio.bfq.sectors_recursive", "8:0 6792\n");
    scratch.write("io/blkio.sectors_recursive", "8:0 1\n");
    auto io = read({v1(scratch, "io", {"blkio"})}).block_io;
    cr_assert(io.service_bytes.size() == 2 && io.serviced.size() == 1 && io.sectors.size() == 1);
    cr_expect(same(io.service_bytes[0], 8, 0, "Read", 1282048) && same(io.service_bytes[1], 8, 0, "Total", 1282048));
    cr_expect(same(io.serviced[0], 8, 0, "Read", 124));
    cr_expect(same(io.sectors[0], 8, 0, "", 6792));
    cr_expect(io.queued.empty());
}

Test(stats_v1, huge_pages)
{
    test::Scratch scratch;
    scratch.directory("huge");
    for (const char* size : {"2MB", "2MB.rsvd", "64KB"}) {
        int number = std::string_view(size) == "2MB.rsvd" ? 10 : 1;
        for (const char* name : {"usage_in_bytes", "max_usage_in_bytes", "failcnt"})
            scratch.write(fmt::format("huge/hugetlb.{}.{}", size, name), std::to_string(number++));
    }
    auto pages = read({v1(scratch, "huge", {"hugetlb"})}).huge_pages;
    cr_assert(pages.size() == 2);
    cr_expect(pages["2MB"].usage == 10U && pages["2MB"].peak == 11U && pages["2MB"].failures == 12U);
    cr_expect(pages["64KB"].usage == 1U);
}

Test(stats_v1, only_its_own_controllers_are_read)
{
    test::Scratch scratch;
    scratch.directory("pids");
    scratch.write("pids/pids.current", "2\n");
    scratch.write("pids/cpuacct.usage", "9\n");
    auto stats = read({v1(scratch, "pids", {"pids"})});
    cr_expect(stats.pids.current == 2U && !stats.cpu.total);
}

Test(stats_hybrid, v1_counts_and_v2_adds_pressure)
{
    test::Scratch scratch;
    scratch.directory("cpuacct");
    scratch.write("cpuacct/cpuacct.usage", "42\n");
    scratch.directory("unified");
    scratch.write("unified/cpu.stat", "usage_usec 1\nuser_usec 1\nsystem_usec 0\n");
    scratch.write("unified/cpu.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=1\n");
    auto cpu = read({v2(scratch, "unified"), v1(scratch, "cpuacct", {"cpuacct"})}).cpu;
    cr_expect(cpu.total == 42U);
    cr_expect(cpu.user == 1000U, "what v1 lacks comes from v2");
    cr_expect(cpu.pressure.has_value() && cpu.pressure->some.total == 1);
}

// ---- out of memory -----------------------------------------------------------------------------------------------------

Test(oom_watch, tells_each_growth_of_the_count_once)
{
    test::Scratch scratch;
    scratch.directory("two");
    scratch.write("two/memory.events", "oom 1\noom_kill 5\noom_group_kill 0\n");
    auto watch = OomWatch::open({v2(scratch, "two")});
    cr_assert(watch.has_value() && watch->works());
    cr_expect(watch->watch().for_change && watch->watch().fd >= 0);
    cr_expect(!*watch->take(), "kills before open are not told");
    scratch.write("two/memory.events", "oom 9\noom_kill 5\noom_group_kill 0\n");
    cr_expect(!*watch->take(), "a limit that was met is no kill");
    scratch.write("two/memory.events", "oom 9\noom_kill 7\noom_group_kill 0\n");
    cr_expect(*watch->take());
    cr_expect(!*watch->take());
}

Test(oom_watch, v1_that_announces_nothing_counts)
{
    test::Scratch scratch;
    scratch.directory("memory");
    scratch.write("memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n");
    auto watch = OomWatch::open({v1(scratch, "cpu", {"cpu"}), v1(scratch, "memory", {"memory"})});
    cr_assert(watch.has_value() && watch->works());
    cr_expect(watch->watch().fd == -1);
    cr_expect(!*watch->take());
    scratch.write("memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
    cr_expect(*watch->take() && !*watch->take());
}

Test(oom_watch, without_a_memory_controller_nothing_is_told)
{
    test::Scratch scratch;
    scratch.directory("two");
    auto watch = OomWatch::open({v2(scratch, "two"), v1(scratch, "cpu", {"cpu"})});
    cr_assert(watch.has_value());
    cr_expect(!watch->works() && watch->watch().fd == -1 && !*watch->take());
}
