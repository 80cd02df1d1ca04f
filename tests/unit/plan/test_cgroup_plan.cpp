// linux.resources and cgroupsPath -> directories, files and values, on every layout of hierarchies.
#include "plan/cgroup_plan.hpp"

#include "base/text.hpp"
#include "plan/cgroup_limits.hpp"

#include <algorithm>
#include <criterion/criterion.h>
#include <functional>
#include <limits>

using namespace brig;
using namespace brig::plan;

namespace {

constexpr uint64_t all_capabilities = ~uint64_t(0);

HostFacts v2_host()
{
    HostFacts facts;
    facts.cgroup_layout = CgroupLayout::v2;
    facts.cgroup_v2_mount_point = "/sys/fs/cgroup";
    facts.cgroup_v2_own_path = "/system.slice/docker.service";
    facts.cgroup_v2_controllers = {"cpuset", "cpu", "io", "memory", "hugetlb", "pids", "rdma"};
    facts.effective_capabilities = all_capabilities;
    return facts;
}

HostFacts v1_host()
{
    HostFacts facts;
    facts.cgroup_layout = CgroupLayout::v1;
    facts.effective_capabilities = all_capabilities;
    for (const char* name : {"cpu,cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "hugetlb",
                             "net_cls,net_prio", "rdma", "name=systemd"}) {
        CgroupHierarchy hierarchy;
        for (auto part : split(name, ','))
            hierarchy.controllers.emplace_back(part);
        hierarchy.mount_point = fmt::format("/sys/fs/cgroup/{}", name);
        hierarchy.own_path = "/user/me";
        facts.cgroup_v1.push_back(hierarchy);
    }
    return facts;
}

HostFacts hybrid_host()
{
    HostFacts facts = v1_host();
    facts.cgroup_layout = CgroupLayout::hybrid;
    std::erase_if(facts.cgroup_v1, [](const CgroupHierarchy& hierarchy) { return hierarchy.controllers[0] == "hugetlb"; });
    facts.cgroup_v2_mount_point = "/sys/fs/cgroup/unified";
    facts.cgroup_v2_own_path = "/";
    facts.cgroup_v2_controllers = {"hugetlb"};
    return facts;
}

CgroupRequest request_for(const std::string& path)
{
    CgroupRequest request;
    request.id = "box";
    request.cgroups_path = path;
    return request;
}

const CgroupDirectory* find_directory(const Cgroup& plan, const std::string& mount_point)
{
    for (const auto& directory : plan.directories)
        if (directory.mount_point == mount_point)
            return &directory;
    return nullptr;
}

// "memory.max=100 pids.max=5?" in order; "?" marks optional writes.
std::string as_text(const std::vector<CgroupWrite>& writes)
{
    std::vector<std::string> parts;
    for (const auto& write : writes) {
        std::string part = write.file + "=" + write.value + (write.optional ? "?" : "");
        if (!write.other_file.empty())
            part += "|" + write.other_file + "=" + write.other_value;
        parts.push_back(part);
    }
    return join(parts, "; ");
}

std::string text_or_error(const Result<std::vector<CgroupWrite>>& writes)
{
    if (writes)
        return as_text(*writes);
    return fmt::format("{}: {}", error_kind_name(writes.error().kind()), writes.error().message());
}

struct Row {
    const char* name;
    std::function<void(spec::Resources&)> set;
    const char* v1; // the expected writes, or the beginning of the error
    const char* v2;
};

void check_rows(const char* controller, const std::vector<Row>& rows)
{
    for (const auto& row : rows) {
        spec::Resources resources;
        row.set(resources);
        auto v1 = text_or_error(cgroup_v1_writes(controller, resources));
        auto v2 = text_or_error(cgroup_v2_writes(resources));
        auto matches = [](const std::string& text, std::string_view expected) {
            bool is_error = expected.starts_with("not supported") || expected.starts_with("invalid");
            return is_error ? text.starts_with(expected) : text == expected;
        };
        cr_expect(matches(v1, row.v1), "%s on v1: %s, expected %s", row.name, v1.c_str(), row.v1);
        cr_expect(matches(v2, row.v2), "%s on v2: %s, expected %s", row.name, v2.c_str(), row.v2);
    }
}

auto memory(std::function<void(spec::Memory&)> set)
{
    return [set](spec::Resources& resources) { set(resources.memory.emplace()); };
}

auto cpu(std::function<void(spec::Cpu&)> set)
{
    return [set](spec::Resources& resources) { set(resources.cpu.emplace()); };
}

auto block_io(std::function<void(spec::BlockIo&)> set)
{
    return [set](spec::Resources& resources) { set(resources.block_io.emplace()); };
}

} // namespace

// ---- conversions -------------------------------------------------------------------------------------------------------

Test(cgroup_plan, cpu_weight_meets_minimum_default_and_maximum)
{
    const std::pair<uint64_t, uint64_t> rows[] = {
        {0, 0}, {1, 1}, {2, 1}, {256, 35}, {512, 59}, {1024, 100}, {2048, 174}, {262144, 10000}, {1000000, 10000},
    };
    for (auto [shares, weight] : rows)
        cr_expect(cpu_weight_of_shares(shares) == weight, "%lu shares gave %lu, expected %lu", shares,
                  cpu_weight_of_shares(shares), weight);
    for (uint64_t shares = 3; shares < 262144; shares++)
        cr_assert(cpu_weight_of_shares(shares) >= cpu_weight_of_shares(shares - 1), "falls at %lu", shares);
}

Test(cgroup_plan, io_weight_is_linear)
{
    cr_expect(io_weight_of_blkio_weight(10) == 1);
    cr_expect(io_weight_of_blkio_weight(500) == 4950);
    cr_expect(io_weight_of_blkio_weight(1000) == 10000);
}

Test(cgroup_plan, memory_writes)
{
    check_rows("memory",
               {
                   {"nothing", memory([](auto&) {}), "", ""},
                   {"zero is unset", memory([](auto& m) {
                        m.limit = 0;
                        m.swap = 0;
                        m.reservation = 0;
                        m.kernel = 0;
                    }),
                    "", ""},
                   {"limit", memory([](auto& m) { m.limit = 100; }), "memory.limit_in_bytes=100", "memory.max=100"},
                   {"unlimited", memory([](auto& m) { m.limit = -1; }),
                    "memory.limit_in_bytes=-1; memory.memsw.limit_in_bytes=-1?", "memory.swap.max=max?; memory.max=max"},
                   {"limit and swap", memory([](auto& m) {
                        m.limit = 100;
                        m.swap = 300;
                    }),
                    "memory.limit_in_bytes=100; memory.memsw.limit_in_bytes=300", "memory.swap.max=200; memory.max=100"},
                   {"no swap", memory([](auto& m) {
                        m.limit = 100;
                        m.swap = 100;
                    }),
                    "memory.limit_in_bytes=100; memory.memsw.limit_in_bytes=100", "memory.swap.max=0?; memory.max=100"},
                   {"unlimited swap", memory([](auto& m) {
                        m.limit = 100;
                        m.swap = -1;
                    }),
                    "memory.limit_in_bytes=100; memory.memsw.limit_in_bytes=-1?", "memory.swap.max=max?; memory.max=100"},
                   {"swap alone", memory([](auto& m) { m.swap = 300; }), "memory.memsw.limit_in_bytes=300",
                    "invalid: linux.resources.memory.swap is set without memory.limit"},
                   {"swap below limit", memory([](auto& m) {
                        m.limit = 300;
                        m.swap = 100;
                    }),
                    "invalid: linux.resources.memory.swap is 100", "invalid: linux.resources.memory.swap is 100"},
                   {"reservation", memory([](auto& m) { m.reservation = 7; }), "memory.soft_limit_in_bytes=7", "memory.low=7"},
                   {"kernel", memory([](auto& m) { m.kernel = 9; }), "memory.kmem.limit_in_bytes=9",
                    "not supported: linux.resources.memory.kernel has no equal"},
                   {"kernel unlimited", memory([](auto& m) {
                        m.kernel = -1;
                        m.kernel_tcp = -1;
                    }),
                    "memory.kmem.limit_in_bytes=-1?; memory.kmem.tcp.limit_in_bytes=-1?", ""},
                   {"kernelTCP", memory([](auto& m) { m.kernel_tcp = 9; }), "memory.kmem.tcp.limit_in_bytes=9",
                    "not supported: linux.resources.memory.kernelTCP has no equal"},
                   {"swappiness", memory([](auto& m) { m.swappiness = 60; }), "memory.swappiness=60",
                    "not supported: linux.resources.memory.swappiness has no equal"},
                   {"swappiness 0", memory([](auto& m) { m.swappiness = 0; }), "memory.swappiness=0",
                    "not supported: linux.resources.memory.swappiness has no equal"},
                   {"swappiness -1", memory([](auto& m) { m.swappiness = std::numeric_limits<uint64_t>::max(); }), "", ""},
                   {"swappiness 101", memory([](auto& m) { m.swappiness = 101; }),
                    "invalid: linux.resources.memory.swappiness is 101", "not supported"},
                   {"OOM killer off", memory([](auto& m) { m.disable_oom_killer = true; }), "memory.oom_control=1",
                    "not supported: linux.resources.memory.disableOOMKiller has no equal"},
                   {"OOM killer on", memory([](auto& m) { m.disable_oom_killer = false; }), "", ""},
                   {"hierarchy", memory([](auto& m) { m.use_hierarchy = true; }), "memory.use_hierarchy=1?", ""},
                   {"no hierarchy", memory([](auto& m) { m.use_hierarchy = false; }), "memory.use_hierarchy=0",
                    "not supported: linux.resources.memory.useHierarchy has no equal"},
                   {"below -1", memory([](auto& m) { m.limit = -2; }), "invalid: linux.resources.memory.limit is -2",
                    "invalid: linux.resources.memory.limit is -2"},
               });
}

Test(cgroup_plan, cpu_writes)
{
    check_rows(
        "cpu",
        {
            {"zero is unset", cpu([](auto& c) {
                 c.shares = 0;
                 c.quota = 0;
                 c.period = 0;
                 c.realtime_period = 0;
             }),
             "", ""},
            {"shares", cpu([](auto& c) { c.shares = 1024; }), "cpu.shares=1024", "cpu.weight=100"},
            {"one share", cpu([](auto& c) { c.shares = 1; }),
             "invalid: linux.resources.cpu.shares 1: the minimum allowed cpu-shares is 2", "cpu.weight=1"},
            {"too many shares", cpu([](auto& c) { c.shares = 262145; }),
             "invalid: linux.resources.cpu.shares 262145: the maximum allowed cpu-shares is 262144", "cpu.weight=10000"},
            {"quota", cpu([](auto& c) { c.quota = 5000; }), "cpu.cfs_quota_us=5000", "cpu.max=5000"},
            {"quota and period", cpu([](auto& c) {
                 c.quota = 5000;
                 c.period = 10000;
             }),
             "cpu.cfs_period_us=10000; cpu.cfs_quota_us=5000", "cpu.max=5000 10000"},
            {"period", cpu([](auto& c) { c.period = 10000; }), "cpu.cfs_period_us=10000", "cpu.max=max 10000"},
            {"unlimited quota", cpu([](auto& c) { c.quota = -1; }), "cpu.cfs_quota_us=-1", "cpu.max=max"},
            {"burst", cpu([](auto& c) {
                 c.quota = 5000;
                 c.burst = 1000;
             }),
             "cpu.cfs_quota_us=5000; cpu.cfs_burst_us=1000", "cpu.max=5000; cpu.max.burst=1000"},
            {"no burst", cpu([](auto& c) { c.burst = 0; }), "cpu.cfs_burst_us=0?", "cpu.max.burst=0?"},
            {"burst above quota", cpu([](auto& c) {
                 c.quota = 5000;
                 c.burst = 6000;
             }),
             "invalid: linux.resources.cpu.burst", "invalid: linux.resources.cpu.burst"},
            {"real-time", cpu([](auto& c) {
                 c.realtime_period = 1000;
                 c.realtime_runtime = 500;
             }),
             "cpu.rt_period_us=1000; cpu.rt_runtime_us=500", "not supported: linux.resources.cpu.realtimeRuntime has no equal"},
            {"idle", cpu([](auto& c) { c.idle = 1; }), "cpu.idle=1", "cpu.idle=1"},
            {"idle 2", cpu([](auto& c) { c.idle = 2; }), "invalid: linux.resources.cpu.idle is 2",
             "invalid: linux.resources.cpu.idle is 2"},
        });
    check_rows("cpuset", {
                             {"cpuset", cpu([](auto& c) {
                                  c.cpus = "0-1";
                                  c.mems = "0";
                              }),
                              "cpuset.cpus=0-1; cpuset.mems=0", "cpuset.cpus=0-1; cpuset.mems=0"},
                         });
}

Test(cgroup_plan, pids_writes)
{
    check_rows("pids", {
                           {"limit", [](auto& r) { r.pids_limit = 64; }, "pids.max=64", "pids.max=64"},
                           {"zero is a limit", [](auto& r) { r.pids_limit = 0; }, "pids.max=1", "pids.max=1"},
                           {"unlimited", [](auto& r) { r.pids_limit = -1; }, "pids.max=max", "pids.max=max"},
                       });
}

Test(cgroup_plan, block_io_writes)
{
    check_rows("blkio",
               {
                   {"zero weight is unset", block_io([](auto& b) { b.weight = 0; }), "", ""},
                   {"weight", block_io([](auto& b) { b.weight = 500; }), "blkio.weight=500|blkio.bfq.weight=500",
                    "io.bfq.weight=default 500|io.weight=default 4950"},
                   {"weight 9", block_io([](auto& b) { b.weight = 9; }), "invalid: linux.resources.blockIO.weight is 9",
                    "invalid: linux.resources.blockIO.weight is 9"},
                   {"leaf weight", block_io([](auto& b) { b.leaf_weight = 300; }), "blkio.leaf_weight=300",
                    "not supported: linux.resources.blockIO.leafWeight has no equal"},
                   {"weight of a device", block_io([](auto& b) {
                        b.weight_devices = {{8, 0, 100, std::nullopt}};
                    }),
                    "blkio.weight_device=8:0 100|blkio.bfq.weight_device=8:0 100", "io.bfq.weight=8:0 100|io.weight=8:0 910"},
                   {"throttles", block_io([](auto& b) {
                        b.throttle_read_bps = {{8, 0, 1}};
                        b.throttle_write_bps = {{8, 16, 2}};
                        b.throttle_read_iops = {{8, 32, 3}};
                        b.throttle_write_iops = {{8, 48, 4}};
                    }),
                    "blkio.throttle.read_bps_device=8:0 1; blkio.throttle.write_bps_device=8:16 2; "
                    "blkio.throttle.read_iops_device=8:32 3; blkio.throttle.write_iops_device=8:48 4",
                    "io.max=8:0 rbps=1; io.max=8:16 wbps=2; io.max=8:32 riops=3; io.max=8:48 wiops=4"},
               });
}

Test(cgroup_plan, huge_page_rdma_and_network_writes)
{
    check_rows("hugetlb",
               {
                   {"2MB",
                    [](auto& r) {
                        r.hugepage_limits = {{"2MB", 4096}};
                    },
                    "hugetlb.2MB.limit_in_bytes=4096; hugetlb.2MB.rsvd.limit_in_bytes=4096?",
                    "hugetlb.2MB.max=4096; hugetlb.2MB.rsvd.max=4096?"},
                   {"not a size",
                    [](auto& r) {
                        r.hugepage_limits = {{"../memory.max\n", 1}};
                    },
                    "invalid: linux.resources.hugepageLimits.pageSize", "invalid: linux.resources.hugepageLimits.pageSize"},
                   {"02MB",
                    [](auto& r) {
                        r.hugepage_limits = {{"02MB", 1}};
                    },
                    "invalid", "invalid"},
                   {"MB",
                    [](auto& r) {
                        r.hugepage_limits = {{"MB", 1}};
                    },
                    "invalid", "invalid"},
                   {"2TB",
                    [](auto& r) {
                        r.hugepage_limits = {{"2TB", 1}};
                    },
                    "invalid", "invalid"},
               });
    check_rows("rdma", {
                           {"both",
                            [](auto& r) {
                                r.rdma["mlx5_1"] = {3, 10000};
                            },
                            "rdma.max=mlx5_1 hca_handle=3 hca_object=10000", "rdma.max=mlx5_1 hca_handle=3 hca_object=10000"},
                           {"one", [](auto& r) { r.rdma["rxe3"].hca_objects = 5; }, "rdma.max=rxe3 hca_object=5",
                            "rdma.max=rxe3 hca_object=5"},
                           {"two devices in a name", [](auto& r) { r.rdma["a b"].hca_objects = 5; }, "invalid", "invalid"},
                       });
    check_rows("net_cls", {
                              {"class", [](auto& r) { r.network.emplace().class_id = 1048577; }, "net_cls.classid=1048577",
                               "not supported: linux.resources.network has no equal"},
                              {"class 0", [](auto& r) { r.network.emplace().class_id = 0; }, "", ""},
                          });
    check_rows("net_prio", {
                               {"priorities",
                                [](auto& r) {
                                    r.network.emplace().priorities = {{"eth0", 5}, {"eth1", 6}};
                                },
                                "net_prio.ifpriomap=eth0 5; net_prio.ifpriomap=eth1 6",
                                "not supported: linux.resources.network has no equal"},
                           });
}

Test(cgroup_plan, every_write_names_its_property)
{
    spec::Resources resources;
    resources.memory.emplace().limit = 1;
    resources.cpu.emplace().shares = 2;
    resources.pids_limit = 3;
    resources.block_io.emplace().weight = 10;
    resources.hugepage_limits = {{"2MB", 4}};
    auto writes = cgroup_v2_writes(resources);
    cr_assert(writes.has_value());
    for (const auto& write : *writes)
        cr_expect(write.property.starts_with("linux.resources."), "%s names %s", write.file.c_str(), write.property.c_str());
    cr_expect(writes->front().property == "linux.resources.memory.limit");
}

// ---- unified -------------------------------------------------------------------------------------------------------------

Test(cgroup_plan, unified_is_written_line_by_line_and_last)
{
    spec::Resources resources;
    resources.pids_limit = 5;
    resources.unified["io.max"] = "259:0 rbps=1\n253:0 wiops=2\n";
    resources.unified["cgroup.max.depth"] = "3";
    auto plan = make_cgroup_plan(request_for("/a"), &resources, v2_host());
    cr_assert(plan.has_value());
    auto text = as_text(plan->directories[0].writes);
    cr_expect(text == "pids.max=5; cgroup.max.depth=3; io.max=259:0 rbps=1; io.max=253:0 wiops=2", "%s", text.c_str());
}

Test(cgroup_plan, unified_refuses_what_is_not_a_limit)
{
    struct {
        const char* name;
        ErrorKind kind;
    } rows[] = {
        {"cgroup.procs", ErrorKind::invalid},
        {"cgroup.kill", ErrorKind::invalid},
        {"cgroup.type", ErrorKind::invalid},
        {"cgroup.freeze", ErrorKind::invalid},
        {"cgroup.subtree_control", ErrorKind::invalid},
        {"../memory.max", ErrorKind::invalid},
        {"memory", ErrorKind::invalid},
        {".max", ErrorKind::invalid},
        {"", ErrorKind::invalid},
        {"misc.max", ErrorKind::not_supported},
    };
    for (const auto& row : rows) {
        spec::Resources resources;
        resources.unified[row.name] = "1";
        auto plan = make_cgroup_plan(request_for("/a"), &resources, v2_host());
        cr_expect(!plan && plan.error().kind() == row.kind, "unified %s", row.name);
    }
}

Test(cgroup_plan, unified_needs_a_v2_hierarchy_with_the_controller)
{
    spec::Resources resources;
    resources.unified["memory.high"] = "1";
    auto on_v1 = make_cgroup_plan(request_for("/a"), &resources, v1_host());
    cr_expect(!on_v1 && on_v1.error().kind() == ErrorKind::not_supported);
    auto on_hybrid = make_cgroup_plan(request_for("/a"), &resources, hybrid_host());
    cr_expect(!on_hybrid && on_hybrid.error().kind() == ErrorKind::not_supported);
    resources.unified = {{"hugetlb.2MB.max", "0"}};
    cr_expect(make_cgroup_plan(request_for("/a"), &resources, hybrid_host()).has_value());
}

// ---- directories ---------------------------------------------------------------------------------------------------------

Test(cgroup_plan, paths_on_every_layout)
{
    struct {
        const char* path;
        const char* v1;
        const char* v2;
    } rows[] = {
        {"", "/user/me/box", "/system.slice/box"},
        {"/docker/abc", "/docker/abc", "/docker/abc"},
        {"//docker///abc/.", "/docker/abc", "/docker/abc"},
        {"pod/abc", "/user/me/pod/abc", "/system.slice/pod/abc"},
    };
    for (const auto& row : rows) {
        auto v1 = make_cgroup_plan(request_for(row.path), nullptr, v1_host());
        auto v2 = make_cgroup_plan(request_for(row.path), nullptr, v2_host());
        cr_assert(v1 && v2, "%s", row.path);
        cr_expect(v1->directories.size() == v1_host().cgroup_v1.size());
        for (const auto& directory : v1->directories)
            cr_expect(directory.path == row.v1, "%s gave %s", row.path, directory.path.c_str());
        cr_assert(v2->directories.size() == 1);
        cr_expect(v2->directories[0].path == row.v2, "%s gave %s", row.path, v2->directories[0].path.c_str());
    }
}

Test(cgroup_plan, dangerous_paths_are_refused)
{
    for (const char* path : {"/", "//", "/.", "/..", "../x", "/a/../b", "a/..", "/a\nb", "."}) {
        auto plan = make_cgroup_plan(request_for(path), nullptr, v1_host());
        cr_expect(!plan && plan.error().kind() == ErrorKind::invalid, "%s", path);
    }
    cr_expect(make_cgroup_plan(request_for("/a..b/..."), nullptr, v1_host()).has_value());
}

Test(cgroup_plan, hybrid_has_every_v1_hierarchy_and_the_unified_one)
{
    spec::Resources resources;
    resources.memory.emplace().limit = 100;
    auto plan = make_cgroup_plan(request_for("/docker/x"), &resources, hybrid_host());
    cr_assert(plan.has_value());
    cr_expect(plan->directories.size() == hybrid_host().cgroup_v1.size() + 1);
    const auto* unified = find_directory(*plan, "/sys/fs/cgroup/unified");
    cr_assert(unified != nullptr);
    cr_expect(unified->unified && unified->writes.empty() && unified->controllers.empty());
    cr_expect(plan->directories[0].unified, "the init is cloned into it before v1 is set up");
    const auto* limited = find_directory(*plan, "/sys/fs/cgroup/memory");
    cr_assert(limited != nullptr);
    cr_expect(as_text(limited->writes) == "memory.limit_in_bytes=100");
    cr_expect(!plan->filter_devices);
}

Test(cgroup_plan, hybrid_sends_a_limit_to_the_hierarchy_that_has_the_controller)
{
    spec::Resources resources;
    resources.hugepage_limits = {{"2MB", 0}};
    auto plan = make_cgroup_plan(request_for("/x"), &resources, hybrid_host());
    cr_assert(plan.has_value());
    const auto* unified = find_directory(*plan, "/sys/fs/cgroup/unified");
    cr_expect(as_text(unified->writes) == "hugetlb.2MB.max=0; hugetlb.2MB.rsvd.max=0?");
    cr_expect(unified->controllers == std::vector<std::string>{"hugetlb"});
}

Test(cgroup_plan, a_missing_controller_is_named_with_its_property)
{
    auto facts = v1_host();
    std::erase_if(facts.cgroup_v1, [](const CgroupHierarchy& hierarchy) { return hierarchy.controllers[0] == "pids"; });
    spec::Resources resources;
    resources.pids_limit = 5;
    auto plan = make_cgroup_plan(request_for("/x"), &resources, facts);
    cr_assert(!plan.has_value());
    cr_expect(plan.error().kind() == ErrorKind::not_supported);
    cr_expect(contains(plan.error().message(), "linux.resources.pids.limit needs the cgroup controller pids"), "%s",
              plan.error().message().c_str());
    facts = v2_host();
    facts.cgroup_v2_controllers = {"cpu"};
    plan = make_cgroup_plan(request_for("/x"), &resources, facts);
    cr_expect(!plan && contains(plan.error().message(), "controller pids"));
}

Test(cgroup_plan, no_hierarchy_is_an_error_with_a_remedy)
{
    HostFacts facts;
    facts.effective_capabilities = all_capabilities;
    auto plan = make_cgroup_plan(request_for("/x"), nullptr, facts);
    cr_expect(!plan && plan.error().kind() == ErrorKind::not_supported && !plan.error().hint().empty());
}

// ---- drivers and privilege -------------------------------------------------------------------------------------------------

Test(cgroup_plan, the_systemd_driver_refuses_a_path_of_directories_with_the_remedy)
{
    auto request = request_for("/x");
    request.driver = CgroupDriver::systemd;
    auto plan = make_cgroup_plan(request, nullptr, v2_host());
    cr_expect(!plan && plan.error().kind() == ErrorKind::invalid && contains(plan.error().hint(), "cgroupfs"));
}

Test(cgroup_plan, without_a_driver_no_limit_is_accepted)
{
    auto request = request_for("/x");
    request.driver = CgroupDriver::none;
    auto plan = make_cgroup_plan(request, nullptr, v2_host());
    cr_expect(plan && plan->directories.empty() && plan->driver == CgroupDriver::none);

    spec::Resources resources;
    resources.memory.emplace().limit = 100;
    plan = make_cgroup_plan(request, &resources, v2_host());
    cr_expect(!plan && contains(plan.error().message(), "linux.resources.memory.limit"));

    resources.memory.reset();
    resources.devices = {spec::DeviceRule()};
    plan = make_cgroup_plan(request, &resources, v2_host());
    cr_expect(!plan && contains(plan.error().message(), "linux.resources.devices"));
    auto rootless = v2_host();
    rootless.in_user_namespace = true;
    cr_expect(make_cgroup_plan(request, &resources, rootless).has_value());
}

Test(cgroup_plan, without_privilege_a_cgroup_is_made_where_one_is_delegated)
{
    auto facts = v2_host();
    facts.in_user_namespace = true;
    facts.cgroup_v2_own_path = "/user.slice/me.service/app";
    facts.cgroup_v2_delegated_path = "/user.slice/me.service";
    facts.cgroup_v2_delegated_controllers = {"memory", "pids"};
    auto plan = make_cgroup_plan(request_for(""), nullptr, facts);
    cr_assert(plan && plan->directories.size() == 1);
    cr_expect(plan->directories[0].path == "/user.slice/me.service/box");
    cr_expect(!plan->filter_devices);

    spec::Resources resources;
    resources.pids_limit = 5;
    cr_expect(make_cgroup_plan(request_for(""), &resources, facts).has_value());
    resources.cpu.emplace().shares = 100;
    plan = make_cgroup_plan(request_for(""), &resources, facts);
    cr_expect(!plan && contains(plan.error().message(), "controller cpu"), "this one is not delegated");
}

Test(cgroup_plan, without_privilege_and_delegation_no_limit_is_accepted)
{
    auto facts = v2_host();
    facts.in_user_namespace = true;
    spec::Resources resources;
    resources.pids_limit = 5;
    for (const char* path : {"", "/x", "x"}) {
        auto plan = make_cgroup_plan(request_for(path), nullptr, facts);
        cr_expect(plan && plan->directories.empty() && plan->driver == CgroupDriver::none);
        plan = make_cgroup_plan(request_for(path), &resources, facts);
        cr_assert(!plan);
        cr_expect(plan.error().kind() == ErrorKind::not_supported);
        cr_expect(contains(plan.error().message(), "linux.resources.pids.limit"), "%s", plan.error().message().c_str());
        cr_expect(contains(plan.error().hint(), "systemd-run --user"));
    }
    facts.cgroup_v2_delegated_path = "/user.slice/me.service";
    auto plan = make_cgroup_plan(request_for("/user.slice/me.service-of-another/x"), &resources, facts);
    cr_expect(!plan && contains(plan.error().message(), "not below /user.slice/me.service,"));
    cr_expect_not(make_cgroup_plan(request_for("/user.slice/me.service"), &resources, facts), "its processes are others");

    auto v1 = v1_host();
    v1.in_user_namespace = true;
    plan = make_cgroup_plan(request_for("/x"), &resources, v1);
    cr_expect(!plan && contains(plan.error().message(), "cgroup v1"));
    cr_expect(make_cgroup_plan(request_for("/x"), nullptr, v1)->directories.empty());
}

// ---- devices ---------------------------------------------------------------------------------------------------------------

namespace {

spec::DeviceRule rule(bool allow, char type, std::optional<int64_t> major, std::optional<int64_t> minor, const char* access)
{
    spec::DeviceRule made;
    made.allow = allow;
    made.type = type;
    made.major = major;
    made.minor = minor;
    made.access = access;
    return made;
}

std::string device_writes(const std::vector<spec::DeviceRule>& rules)
{
    spec::Resources resources;
    resources.devices = rules;
    auto plan = make_cgroup_plan(request_for("/x"), &resources, v1_host());
    if (!plan)
        return plan.error().message();
    return as_text(find_directory(*plan, "/sys/fs/cgroup/devices")->writes);
}

const std::string default_devices =
    "devices.allow=c *:* m; devices.allow=b *:* m; devices.allow=c 1:3 rwm; devices.allow=c 1:8 rwm; "
    "devices.allow=c 1:7 rwm; devices.allow=c 5:0 rwm; devices.allow=c 1:5 rwm; devices.allow=c 1:9 rwm; "
    "devices.allow=c 136:* rwm; devices.allow=c 5:2 rwm; devices.allow=c 10:200 rwm";

} // namespace

Test(cgroup_plan, devices_are_denied_but_for_the_default_ones)
{
    cr_expect(device_writes({}) == "devices.deny=a; " + default_devices, "%s", device_writes({}).c_str());
    cr_expect(device_writes({rule(false, 'a', {}, {}, "rwm")}) == device_writes({}));
    cr_expect(device_writes({rule(false, 'a', -1, -1, "mwr")}) == device_writes({}));
}

Test(cgroup_plan, equal_devices_become_one_exception)
{
    auto text = device_writes({rule(true, 'b', 8, 0, "r"), rule(true, 'b', 8, 0, "w")});
    cr_expect(text == "devices.deny=a; devices.allow=b 8:0 rw; " + default_devices, "%s", text.c_str());
}

Test(cgroup_plan, all_devices_allowed_needs_no_exception)
{
    cr_expect(device_writes({rule(true, 'a', {}, {}, "rwm")}) == "devices.allow=a");
    auto text = device_writes({rule(true, 'a', {}, {}, "rwm"), rule(false, 'b', 8, {}, "rwm")});
    cr_expect(text == "devices.allow=a; devices.deny=b 8:* rwm", "%s", text.c_str());
    text = device_writes({rule(true, 'a', {}, {}, "rwm"), rule(false, 'c', 1, 3, "w")});
    cr_expect(text == "devices.allow=a; devices.deny=c 1:3 w", "%s", text.c_str());
}

Test(cgroup_plan, a_wider_denial_takes_back_what_it_covers)
{
    auto text = device_writes({rule(true, 'c', 10, 229, "rwm"), rule(false, 'c', 10, {}, "w")});
    cr_expect(text.starts_with("devices.deny=a; devices.allow=c 10:229 rm; "), "%s", text.c_str());
}

Test(cgroup_plan, v1_refuses_a_hole_in_a_range)
{
    auto text = device_writes({rule(true, 'c', 10, {}, "rwm"), rule(false, 'c', 10, 229, "rwm")});
    cr_expect(contains(text, "cgroup v1 cannot apply the rule deny c 10:229 rwm inside"), "%s", text.c_str());
    spec::Resources resources;
    resources.devices = {rule(true, 'c', 10, {}, "rwm"), rule(false, 'c', 10, 229, "rwm")};
    cr_expect(make_cgroup_plan(request_for("/x"), &resources, v2_host()).has_value(), "v2 can");
}

Test(cgroup_plan, type_a_with_numbers_means_both_types)
{
    auto text = device_writes({rule(true, 'a', 7, 1, "r")});
    cr_expect(text.starts_with("devices.deny=a; devices.allow=c 7:1 r; devices.allow=b 7:1 r; "), "%s", text.c_str());
}

Test(cgroup_plan, a_denied_default_device_stays_denied)
{
    auto text = device_writes({rule(false, 'a', {}, {}, "rwm"), rule(false, 'c', 10, 200, "rwm")});
    cr_expect(!contains(text, "10:200"), "%s", text.c_str());
    cr_expect(contains(text, "c 5:2 rwm"));
}

Test(cgroup_plan, malformed_device_rules_are_refused)
{
    for (const auto& bad : {rule(true, 'x', 1, 1, "r"), rule(true, 'c', 1, 1, "q"), rule(true, 'c', 1, 1, ""),
                            rule(true, 'c', -2, 1, "r"), rule(true, 'c', 1, int64_t(1) << 32, "r")})
        cr_expect(contains(device_writes({bad}), "linux.resources.devices"), "%c", bad.type);
}

Test(cgroup_plan, v2_filters_devices_unless_all_are_allowed)
{
    auto plan = make_cgroup_plan(request_for("/x"), nullptr, v2_host());
    cr_expect(plan && plan->filter_devices && plan->directories[0].writes.empty());
    cr_expect(plan->directories[0].controllers == v2_host().cgroup_v2_controllers);
    spec::Resources resources;
    resources.devices = {rule(true, 'a', {}, {}, "rwm")};
    plan = make_cgroup_plan(request_for("/x"), &resources, v2_host());
    cr_expect(plan && !plan->filter_devices);
}

Test(cgroup_plan, devices_need_a_hierarchy_that_can_filter)
{
    auto facts = v1_host();
    std::erase_if(facts.cgroup_v1, [](const auto& hierarchy) { return hierarchy.controllers[0] == "devices"; });
    auto plan = make_cgroup_plan(request_for("/x"), nullptr, facts);
    cr_expect(!plan && contains(plan.error().message(), "linux.resources.devices needs the cgroup controller devices"));
    facts = hybrid_host();
    std::erase_if(facts.cgroup_v1, [](const auto& hierarchy) { return hierarchy.controllers[0] == "devices"; });
    plan = make_cgroup_plan(request_for("/x"), nullptr, facts);
    cr_expect(plan && plan->filter_devices, "cgroup v2 filters in its place");
}

// ---- update ------------------------------------------------------------------------------------------------------------------

Test(cgroup_plan, update_writes_new_limits_and_leaves_devices_alone)
{
    auto plan = make_cgroup_plan(request_for("/x"), nullptr, v1_host());
    cr_assert(plan.has_value());
    spec::Resources resources;
    resources.memory.emplace().limit = 100;
    resources.devices = {rule(true, 'a', {}, {}, "rwm")};
    auto update = make_cgroup_update(plan->directories, resources);
    cr_assert(update.has_value());
    cr_expect(as_text(find_directory(*update, "/sys/fs/cgroup/memory")->writes) == "memory.limit_in_bytes=100");
    cr_expect(find_directory(*update, "/sys/fs/cgroup/devices")->writes.empty());
    cr_expect(!update->filter_devices);
    auto nowhere = make_cgroup_update({}, resources);
    cr_expect(!nowhere && nowhere.error().kind() == ErrorKind::not_supported);
    cr_expect(make_cgroup_update({}, spec::Resources()).has_value());
}
