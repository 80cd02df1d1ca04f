// Cgroups on this machine's hierarchies: created, limited, joined, filtered, frozen, killed and removed. Works on v1, hybrid
// and v2 hosts; what a layout lacks is skipped by name. Each test removes what it made.
#include "cgroup/cgroup.hpp"

#include "base/text.hpp"
#include "cgroup/device_filter.hpp"
#include "cgroup/directory.hpp"
#include "cgroup/freezer.hpp"
#include "kernel/child_process.hpp"
#include "kernel/file_events.hpp"
#include "kernel/files.hpp"
#include "plan/cgroup_plan.hpp"
#include "plan/device_rules.hpp"
#include "support/needs.hpp"
#include "support/scratch.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <criterion/criterion.h>
#include <csignal>
#include <spawn.h>
#include <sys/wait.h>

using namespace brig;
using kernel::working_directory;
using test::need;

namespace {

constexpr int64_t patience = 10000;

template<typename T> void expect_success(const Result<T>& result)
{
    cr_assert(result.has_value(), "%s", result ? "" : result.error().message().c_str());
}

HostFacts host()
{
    HostFacts facts = test::host_with_root();
    need(facts.cgroup_layout != CgroupLayout::none, "a cgroup hierarchy");
    return facts;
}

std::string unique_path()
{
    static int counter = 0;
    return fmt::format("/brig-test-{}-{}", ::getpid(), ++counter);
}

// Removed with everything inside when the test ends.
struct Guard {
    cgroup::Cgroup group;
    ~Guard()
    {
        (void)group.thaw();
        (void)group.kill_all(SIGKILL);
        (void)group.remove(patience);
    }
};

plan::Cgroup plan_for(const HostFacts& facts, const std::string& path, const spec::Resources& resources)
{
    plan::CgroupRequest request;
    request.id = "test";
    request.cgroups_path = path;
    auto plan = plan::make_cgroup_plan(request, &resources, facts);
    expect_success(plan);
    return *plan;
}

cgroup::Cgroup create(const HostFacts& facts, const std::string& path, const spec::Resources& resources = {})
{
    auto group = cgroup::Cgroup::create(plan_for(facts, path, resources));
    expect_success(group);
    return *group;
}

// The unified directory alone, as on a pure v2 host.
plan::Cgroup unified_plan(const HostFacts& facts, const std::string& path)
{
    plan::CgroupDirectory directory;
    directory.mount_point = facts.cgroup_v2_mount_point;
    directory.path = path;
    directory.unified = true;
    plan::Cgroup plan;
    plan.driver = plan::CgroupDriver::file_system;
    plan.directories = {directory};
    return plan;
}

cgroup::Cgroup create_unified(const HostFacts& facts, const std::string& path)
{
    need(!facts.cgroup_v2_mount_point.empty(), "a cgroup v2 hierarchy");
    auto group = cgroup::Cgroup::create(unified_plan(facts, path));
    expect_success(group);
    return *group;
}

// The v1 part alone, as on a host without cgroup v2.
cgroup::Cgroup create_v1(const HostFacts& facts, const std::string& path)
{
    need(!facts.cgroup_v1.empty(), "a cgroup v1 hierarchy");
    auto only_v1 = facts;
    only_v1.cgroup_v2_mount_point.clear();
    return create(only_v1, path);
}

// One test at a time enables controllers at the root, and leaves the root as it was.
class RootControllers {
public:
    explicit RootControllers(const HostFacts& facts) : m_file(facts.cgroup_v2_mount_point + "/cgroup.subtree_control")
    {
        need(std::count(facts.cgroup_v2_controllers.begin(), facts.cgroup_v2_controllers.end(), name) == 1,
             "the hugetlb controller on cgroup v2");
        m_lock = std::move(*kernel::open_at(working_directory, facts.cgroup_v2_mount_point, O_RDONLY | O_DIRECTORY));
        expect_success(kernel::lock_exclusive(m_lock));
        auto enabled = kernel::read_file(working_directory, m_file, 4096);
        m_was_enabled = contains(*enabled, name);
    }
    ~RootControllers()
    {
        if (!m_was_enabled)
            (void)kernel::write_control_file(working_directory, m_file, "-" + name);
    }

    inline static const std::string name = "hugetlb"; // the one that v1 hierarchies leave to cgroup v2 most often

private:
    std::string m_file;
    Fd m_lock;
    bool m_was_enabled = false;
};

const cgroup::Location* location_with(const cgroup::Cgroup& group, const std::string& controller)
{
    for (const auto& location : group.locations())
        if (std::count(location.controllers.begin(), location.controllers.end(), controller) != 0)
            return &location;
    return nullptr;
}

std::string read(const std::string& path)
{
    auto text = kernel::read_file(working_directory, path, 1 << 20);
    return text ? std::string(trim(*text)) : text.error().message();
}

bool exists(const cgroup::Cgroup& group)
{
    return std::any_of(group.locations().begin(), group.locations().end(),
                       [](const auto& location) { return kernel::exists(working_directory, location.directory()); });
}

// The program beside this one.
class Probe {
public:
    Probe(const cgroup::Cgroup& group, std::string action, std::string argument = "")
    {
        auto self = kernel::read_link(working_directory, "/proc/self/exe");
        std::string path = std::string(parent_path(*self)) + "/probe-cgroup";
        std::string locations = cgroup::locations_to_json(group.locations()).to_text();
        char* arguments[] = {path.data(), locations.data(), action.data(), argument.data(), nullptr};
        int ends[2] = {-1, -1};
        cr_assert(::pipe2(ends, O_CLOEXEC) == 0);
        m_output = Fd(ends[0]);
        Fd input(ends[1]);
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, input.get(), 1);
        int code = ::posix_spawn(&m_pid, path.c_str(), &actions, nullptr, arguments, environ);
        posix_spawn_file_actions_destroy(&actions);
        cr_assert(code == 0, "spawn %s: %s", path.c_str(), std::strerror(code));
    }
    ~Probe() { end(); }

    // Up to the next pause of the probe.
    std::string line()
    {
        auto text = kernel::read_some(m_output, 4096);
        return text ? std::string(trim(*text)) : text.error().message();
    }

    void end()
    {
        if (m_pid <= 0)
            return;
        ::kill(m_pid, SIGKILL);
        wait();
    }

    int wait()
    {
        int status = 0;
        ::waitpid(std::exchange(m_pid, -1), &status, 0);
        return status;
    }

private:
    pid_t m_pid = -1;
    Fd m_output;
};

} // namespace

// ---- host facts ----------------------------------------------------------------------------------------------------------

Test(host_facts, every_mounted_hierarchy_is_found)
{
    auto facts = host();
    auto mounts = read("/proc/self/mountinfo");
    size_t v1 = 0, v2 = 0;
    for (auto line : split(mounts, '\n')) {
        v1 += contains(line, " - cgroup ") && contains(line, " /sys/fs/cgroup");
        v2 += contains(line, " - cgroup2 ") && contains(line, " /sys/fs/cgroup");
    }
    cr_expect_eq(facts.cgroup_v1.size(), v1);
    cr_expect_eq(!facts.cgroup_v2_mount_point.empty(), v2 != 0);
    for (const auto& hierarchy : facts.cgroup_v1) {
        cr_expect(kernel::exists(working_directory, hierarchy.mount_point + "/cgroup.procs"), "%s",
                  hierarchy.mount_point.c_str());
        cr_expect(kernel::exists(working_directory, hierarchy.mount_point + hierarchy.own_path), "%s%s",
                  hierarchy.mount_point.c_str(), hierarchy.own_path.c_str());
    }
    std::string controllers = join(facts.cgroup_v2_controllers, " ");
    if (v2 != 0)
        cr_expect(read(facts.cgroup_v2_mount_point + "/cgroup.controllers") == controllers);
}

Test(host_facts, identity_and_kernel)
{
    auto facts = host();
    cr_expect_eq(facts.uid, ::geteuid());
    auto status = read("/proc/self/status");
    cr_expect(contains(status, fmt::format("CapEff:\t{:016x}", facts.effective_capabilities)));
    cr_expect(read("/proc/sys/kernel/cap_last_cap") == std::to_string(facts.last_capability));
    cr_expect(read("/proc/sys/kernel/osrelease") == facts.kernel_release);
    bool whole_map = join({std::string(trim(read("/proc/self/uid_map")))}, "") == "0          0 4294967295";
    cr_expect_eq(facts.in_user_namespace, !whole_map);
}

// ---- create, join, remove ------------------------------------------------------------------------------------------------

Test(cgroup, is_made_joined_and_removed_in_every_hierarchy)
{
    auto facts = host();
    auto path = unique_path();
    Guard guard{create(facts, path + "/inner")};
    cr_expect_eq(guard.group.locations().size(), facts.cgroup_v1.size() + !facts.cgroup_v2_mount_point.empty());
    {
        Probe probe(guard.group, "show");
        auto shown = probe.line();
        for (auto line : split(shown, '\n'))
            cr_expect(line.ends_with(path + "/inner"), "%s", std::string(line).c_str());
        cr_expect_eq(probe.wait(), 0);
    }
    expect_success(guard.group.remove(patience));
    cr_expect(!exists(guard.group));
    expect_success(guard.group.remove(patience)); // missing is fine
    for (const auto& location : guard.group.locations())
        expect_success(kernel::remove_directory(working_directory, location.mount_point + path));
}

Test(cgroup, a_failed_create_leaves_nothing)
{
    auto facts = host();
    auto path = unique_path();
    auto plan = plan_for(facts, path + "/inner", {});
    plan::CgroupWrite write;
    write.file = "no.such.file";
    write.value = "1";
    write.property = "linux.resources.test";
    plan.directories.back().writes.push_back(write);
    plan.directories.back().controllers.clear();
    auto group = cgroup::Cgroup::create(plan);
    cr_assert(!group.has_value());
    cr_expect(contains(group.error().message(), "linux.resources.test"), "%s", group.error().message().c_str());
    for (const auto& directory : plan.directories)
        cr_expect(!kernel::exists(working_directory, directory.mount_point + path), "%s", directory.mount_point.c_str());
}

Test(cgroup, one_with_processes_is_not_shared)
{
    auto facts = host();
    auto path = unique_path();
    Guard guard{create(facts, path)};
    expect_success(cgroup::Cgroup::create(plan_for(facts, path, {}))); // an empty one may exist
    Probe probe(guard.group, "hold");
    cr_expect(probe.line() == "ready");
    auto again = cgroup::Cgroup::create(plan_for(facts, path, {}));
    cr_assert(!again.has_value());
    cr_expect_eq(again.error().kind(), ErrorKind::wrong_state);
    cr_expect(contains(again.error().message(), "container's cgroup is not empty: 1 process"), "%s",
              again.error().message().c_str());
    probe.end();
}

Test(cgroup, a_frozen_one_is_refused)
{
    auto facts = host();
    auto path = unique_path();
    Guard guard{create(facts, path)};
    expect_success(guard.group.freeze(patience));
    auto again = cgroup::Cgroup::create(plan_for(facts, path, {}));
    cr_expect(!again && contains(again.error().message(), "unexpectedly frozen"));
}

Test(cgroup, remove_waits_for_processes_and_takes_children_along)
{
    auto facts = host();
    for (bool v1 : {false, true}) {
        Guard guard{v1 ? create_v1(facts, unique_path()) : create(facts, unique_path())};
        for (const auto& location : guard.group.locations())
            expect_success(kernel::make_directories(location.directory() + "/a/b", 0755));
        Probe probe(guard.group, "hold");
        cr_expect(probe.line() == "ready");
        auto early = guard.group.remove(50);
        cr_assert(!early.has_value());
        cr_expect_eq(early.error().kind(), ErrorKind::timed_out, "%s", early.error().message().c_str());
        cr_expect(contains(early.error().message(), "still inside"), "%s", early.error().message().c_str());
        expect_success(guard.group.kill_all(SIGKILL));
        expect_success(guard.group.remove(patience));
        cr_expect(!exists(guard.group));
    }
}

// ---- limits --------------------------------------------------------------------------------------------------------------

Test(cgroup, limits_are_in_the_files)
{
    auto facts = host();
    spec::Resources resources;
    resources.memory.emplace().limit = 64 << 20;
    resources.pids_limit = 17;
    resources.cpu.emplace().quota = 50000;
    resources.cpu->period = 100000;
    resources.cpu->cpus = "0";
    Guard guard{create(facts, unique_path(), resources)};
    const auto* memory = location_with(guard.group, "memory");
    const auto* pids = location_with(guard.group, "pids");
    const auto* cpu = location_with(guard.group, "cpu");
    const auto* cpuset = location_with(guard.group, "cpuset");
    cr_assert(memory && pids && cpu && cpuset);
    cr_expect(read(memory->directory() + (memory->unified ? "/memory.max" : "/memory.limit_in_bytes")) == "67108864");
    cr_expect(read(pids->directory() + "/pids.max") == "17");
    if (cpu->unified)
        cr_expect(read(cpu->directory() + "/cpu.max") == "50000 100000");
    else
        cr_expect(read(cpu->directory() + "/cpu.cfs_quota_us") == "50000");
    cr_expect(read(cpuset->directory() + "/cpuset.cpus") == "0");
}

Test(cgroup, the_pids_limit_holds_and_zero_is_one)
{
    auto facts = host();
    for (auto [limit, children] : {std::pair<int64_t, const char*>(4, "3"), {0, "0"}, {-1, "6"}}) {
        spec::Resources resources;
        resources.pids_limit = limit;
        Guard guard{create(facts, unique_path(), resources)};
        Probe probe(guard.group, "children", "6");
        auto made = probe.line();
        cr_expect(made == children, "limit %ld allowed %s children", limit, made.c_str());
        expect_success(guard.group.kill_all(SIGKILL));
    }
}

Test(cgroup, the_memory_limit_holds)
{
    auto facts = host();
    spec::Resources resources;
    resources.memory.emplace().limit = 32 << 20;
    Guard guard{create(facts, unique_path(), resources)};
    Probe small(guard.group, "touch", std::to_string(8 << 20));
    cr_expect(small.line() == "ok");
    Probe large(guard.group, "touch", std::to_string(256 << 20));
    cr_expect(large.line().empty(), "the kernel should have killed it");
    int status = large.wait();
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGKILL, "status %x", static_cast<unsigned>(status));
}

Test(cgroup, a_cpuset_outside_of_the_machine_is_explained)
{
    auto facts = host();
    spec::Resources resources;
    resources.cpu.emplace().cpus = "4090";
    auto group = cgroup::Cgroup::create(plan_for(facts, unique_path(), resources));
    cr_assert(!group.has_value());
    cr_expect(contains(group.error().message(), "linux.resources.cpu.cpus"), "%s", group.error().message().c_str());
    cr_expect(!group.error().hint().empty());
}

Test(cgroup, new_cpusets_inherit_from_their_parents)
{
    auto facts = host();
    auto only = facts;
    std::erase_if(only.cgroup_v1, [](const auto& hierarchy) { return hierarchy.controllers[0] != "cpuset"; });
    need(only.cgroup_v1.size() == 1, "the cpuset hierarchy of cgroup v1");
    auto path = unique_path();
    plan::Cgroup plan;
    plan.directories.resize(1);
    plan.directories[0].mount_point = only.cgroup_v1[0].mount_point;
    plan.directories[0].controllers = {"cpuset"};
    plan.directories[0].path = path + "/a/b";
    auto group = cgroup::Cgroup::create(plan);
    expect_success(group);
    auto root = only.cgroup_v1[0].mount_point;
    for (const char* name : {"/cpuset.cpus", "/cpuset.mems"})
        for (const char* below : {"", "/a", "/a/b"})
            cr_expect(read(root + path + below + name) == read(root + name), "%s%s", below, name);
    cr_expect(read(root + path + "/a/cgroup.clone_children") == "1", "the next one costs less");
    cr_expect(read(root + "/cgroup.clone_children") == "0", "parents of others stay as they are");
    plan.directories[0].path = path + "/a/c";
    auto next = cgroup::Cgroup::create(plan);
    expect_success(next);
    cr_expect(read(root + path + "/a/c/cpuset.cpus") == read(root + "/cpuset.cpus"));
    expect_success(next->remove(patience));
    expect_success(group->remove(patience));
    expect_success(kernel::remove_directory(working_directory, root + path + "/a"));
    expect_success(kernel::remove_directory(working_directory, root + path));
}

Test(cgroup, update_raises_and_lowers_pairs_that_bound_each_other)
{
    auto facts = host();
    Guard guard{create(facts, unique_path())};
    const auto* memory = location_with(guard.group, "memory");
    const auto* cpu = location_with(guard.group, "cpu");
    need(memory != nullptr && !memory->unified && cpu != nullptr && !cpu->unified, "cpu and memory of cgroup v1");
    need(kernel::exists(working_directory, memory->directory() + "/memory.memsw.limit_in_bytes"), "swap accounting");
    struct {
        int64_t limit, swap, quota;
        uint64_t burst;
    } rows[] = {
        {64 << 20, 96 << 20, 50000, 20000},
        {128 << 20, 256 << 20, 90000, 80000},
        {32 << 20, 32 << 20, 10000, 1000},
        {-1, -1, -1, 0},
    };
    for (const auto& row : rows) {
        spec::Resources resources;
        resources.memory.emplace().limit = row.limit;
        resources.memory->swap = row.swap;
        resources.cpu.emplace().quota = row.quota;
        resources.cpu->burst = row.burst;
        expect_success(guard.group.update(resources));
        if (row.limit > 0) {
            cr_expect(read(memory->directory() + "/memory.limit_in_bytes") == std::to_string(row.limit));
            cr_expect(read(memory->directory() + "/memory.memsw.limit_in_bytes") == std::to_string(row.swap));
        }
        cr_expect(read(cpu->directory() + "/cpu.cfs_quota_us") == std::to_string(row.quota));
        cr_expect(read(cpu->directory() + "/cpu.cfs_burst_us") == std::to_string(row.burst));
    }
}

Test(cgroup, update_reaches_controllers_that_create_did_not_need)
{
    auto facts = host();
    need(facts.cgroup_layout == CgroupLayout::hybrid, "a hybrid host");
    RootControllers controllers(facts);
    Guard guard{create(facts, unique_path())};
    spec::Resources resources;
    resources.hugepage_limits = {{"2MB", 4 << 20}};
    expect_success(guard.group.update(resources));
    auto path = guard.group.locations()[0].path;
    cr_expect(read(facts.cgroup_v2_mount_point + path + "/hugetlb.2MB.max") == "4194304");
    cr_expect(read(facts.cgroup_v2_mount_point + path + "/hugetlb.2MB.rsvd.max") == "4194304");
}

Test(cgroup, unified_limits_of_the_core)
{
    auto facts = host();
    need(!facts.cgroup_v2_mount_point.empty(), "a cgroup v2 hierarchy");
    spec::Resources resources;
    resources.unified["cgroup.max.descendants"] = "3";
    Guard guard{create(facts, unique_path(), resources)};
    cr_expect(read(guard.group.locations()[0].directory() + "/cgroup.max.descendants") == "3");
}

// ---- controllers of v2 -----------------------------------------------------------------------------------------------------

Test(cgroup, controllers_are_enabled_on_the_way_down)
{
    auto facts = host();
    RootControllers controllers(facts);
    auto controller = RootControllers::name;
    auto root = facts.cgroup_v2_mount_point;
    auto path = unique_path();
    auto plan = unified_plan(facts, path + "/a/b");
    plan.directories[0].controllers = {controller};
    Guard guard{*cgroup::Cgroup::create(plan)};
    cr_expect(contains(read(root + path + "/a/b/cgroup.controllers"), controller));
    expect_success(guard.group.remove(patience));
    expect_success(kernel::remove_directory(working_directory, root + path + "/a"));
    expect_success(kernel::remove_directory(working_directory, root + path));
}

Test(cgroup, processes_in_the_way_of_a_controller_are_explained)
{
    auto facts = host();
    RootControllers controllers(facts);
    auto root = facts.cgroup_v2_mount_point;
    Guard parent{create_unified(facts, unique_path())};
    auto path = parent.group.locations()[0].path;
    Probe probe(parent.group, "hold");
    cr_expect(probe.line() == "ready");
    auto plan = unified_plan(facts, path + "/inner");
    plan.directories[0].controllers = {"hugetlb"};
    // Not needed: no harm.
    auto fine = cgroup::Cgroup::create(plan);
    expect_success(fine);
    expect_success(fine->remove(patience));
    plan::CgroupWrite write;
    write.file = "hugetlb.2MB.max";
    write.value = "0";
    write.property = "linux.resources.hugepageLimits";
    plan.directories[0].writes = {write};
    auto refused = cgroup::Cgroup::create(plan);
    cr_assert(!refused.has_value());
    cr_expect_eq(refused.error().code(), EBUSY, "%s", refused.error().message().c_str());
    cr_expect(contains(refused.error().hint(), "holds processes itself"));
    cr_expect(!kernel::exists(working_directory, root + path + "/inner"));
    probe.end();
}

Test(cgroup, a_cgroup_that_gives_its_controllers_away_takes_no_process)
{
    auto facts = host();
    RootControllers controllers(facts);
    auto root = facts.cgroup_v2_mount_point;
    auto plan = unified_plan(facts, unique_path());
    plan.directories[0].controllers = {"hugetlb"};
    auto made = cgroup::Cgroup::create(plan);
    expect_success(made);
    Guard guard{*made};
    auto directory = guard.group.locations()[0].directory();
    expect_success(kernel::make_directory(working_directory, directory + "/inner", 0755));
    Probe inside(*guard.group.below("inner"), "hold");
    cr_expect(inside.line() == "ready");
    expect_success(kernel::write_control_file(working_directory, directory + "/cgroup.subtree_control", "+hugetlb"));
    {
        Probe probe(guard.group, "show");
        auto text = probe.line();
        cr_expect(contains(text, "the container moved its own processes down"), "%s", text.c_str());
    }
    // exec goes where the init went.
    auto processes = guard.group.processes();
    cr_assert(processes && processes->size() == 1);
    auto of_init = guard.group.open_unified_directory_of(processes->front());
    expect_success(of_init);
    cr_expect(kernel::path_of(*of_init) == directory + "/inner");
    cr_expect(!guard.group.open_unified_directory_of(::getpid()).has_value(), "outside is refused");
    inside.end();
}

// ---- devices ---------------------------------------------------------------------------------------------------------------

namespace {

void check_devices(const cgroup::Cgroup& group)
{
    struct {
        const char* action;
        const char* argument;
        const char* expected;
    } rows[] = {
        {"open", "/dev/null", "ok"}, {"open", "/dev/zero", "ok"},    {"open", "/dev/urandom", "ok"},
        {"open", "/dev/full", "ok"}, {"open", "/dev/kmsg", "EPERM"},
    };
    for (const auto& row : rows) {
        Probe probe(group, row.action, row.argument);
        auto answer = probe.line();
        cr_expect(answer == row.expected, "%s %s: %s", row.action, row.argument, answer.c_str());
    }
    test::Scratch scratch;
    auto node = scratch.path("disk");
    Probe make(group, "mknod", node);
    cr_expect(make.line() == "ok", "nodes may be made");
    Probe open(group, "open", node);
    cr_expect(open.line() == "EPERM", "but not opened");
}

} // namespace

Test(cgroup, devices_are_filtered)
{
    auto facts = host();
    Guard control{create(facts, unique_path(), [] {
        spec::Resources all;
        all.devices.emplace_back().allow = true;
        all.devices[0].access = "rwm";
        return all;
    }())};
    Probe probe(control.group, "open", "/dev/kmsg");
    cr_expect(probe.line() == "ok", "without the filter it would open");
    Guard guard{create(facts, unique_path())};
    check_devices(guard.group);
}

Test(cgroup, devices_are_filtered_by_ebpf)
{
    auto facts = host();
    need(!facts.cgroup_v2_mount_point.empty(), "a cgroup v2 hierarchy");
    auto plan = unified_plan(facts, unique_path());
    plan.filter_devices = true;
    plan.device_rules = *plan::effective_device_rules({});
    auto group = cgroup::Cgroup::create(plan);
    expect_success(group);
    Guard guard{*group};
    check_devices(guard.group);
    Guard control{create_unified(facts, unique_path())};
    Probe probe(control.group, "open", "/dev/kmsg");
    cr_expect(probe.line() == "ok", "without the filter it would open");
}

Test(cgroup, the_verifier_takes_every_kind_of_filter)
{
    auto facts = host();
    Guard guard{create_unified(facts, unique_path())};
    auto rule = [](bool allow, char type, std::optional<int64_t> major, std::optional<int64_t> minor, const char* access) {
        spec::DeviceRule made;
        made.allow = allow;
        made.type = type;
        made.major = major;
        made.minor = minor;
        made.access = access;
        return made;
    };
    std::vector<spec::DeviceRule> many(200, rule(true, 'b', 8, 3, "rw"));
    const std::vector<std::vector<spec::DeviceRule>> filters = {
        {},
        {rule(true, 'a', {}, {}, "rwm")},
        {rule(false, 'a', {}, {}, "rwm"), rule(true, 'a', {}, {}, "r")},
        {rule(true, 'a', {}, {}, "rwm"), rule(false, 'b', {}, 3, "w"), rule(true, 'c', 1, {}, "m")},
        many,
    };
    for (size_t i = 0; i < filters.size(); i++) {
        auto directory = guard.group.open_unified_directory();
        expect_success(directory);
        auto attached = cgroup::attach_device_filter(*directory, filters[i]);
        cr_expect(attached.has_value(), "filter %zu: %s", i, attached ? "" : attached.error().message().c_str());
    }
}

// ---- signals and freezing --------------------------------------------------------------------------------------------------

Test(cgroup, kill_all_ends_every_process)
{
    auto facts = host();
    for (bool v1 : {false, true}) {
        Guard guard{v1 ? create_v1(facts, unique_path()) : create(facts, unique_path())};
        Probe probe(guard.group, "children", "10");
        cr_expect(probe.line() == "10");
        cr_expect_eq(guard.group.processes()->size(), 11u);
        expect_success(guard.group.kill_all(SIGKILL));
        expect_success(guard.group.remove(patience));
        cr_expect(!exists(guard.group));
        expect_success(guard.group.kill_all(SIGKILL)); // of a removed one
    }
}

Test(cgroup, kill_all_sends_other_signals_too)
{
    auto facts = host();
    for (bool v1 : {false, true}) {
        Guard guard{v1 ? create_v1(facts, unique_path()) : create(facts, unique_path())};
        Probe probe(guard.group, "children", "5");
        cr_expect(probe.line() == "5");
        expect_success(guard.group.kill_all(SIGTERM));
        cr_expect(!*guard.group.frozen(), "it thaws what it froze");
        expect_success(guard.group.remove(patience));
    }
}

Test(cgroup, kill_all_works_without_a_freezer)
{
    auto facts = host();
    Guard guard{create_v1(facts, unique_path())};
    const auto* pids = location_with(guard.group, "pids");
    need(pids != nullptr, "the pids hierarchy of cgroup v1");
    auto alone = cgroup::Cgroup::at({*pids});
    cr_expect_eq(alone.freeze(patience).error().kind(), ErrorKind::not_supported);
    Probe probe(alone, "children", "10");
    cr_expect(probe.line() == "10");
    expect_success(alone.kill_all(SIGKILL));
    expect_success(alone.remove(patience));
}

Test(cgroup, frozen_processes_stop_and_still_die)
{
    auto facts = host();
    for (bool v1 : {false, true}) {
        Guard guard{v1 ? create_v1(facts, unique_path()) : create(facts, unique_path())};
        Probe probe(guard.group, "children", "3");
        cr_expect(probe.line() == "3");
        cr_expect(!*guard.group.frozen());
        expect_success(guard.group.freeze(patience));
        cr_expect(*guard.group.frozen());
        expect_success(guard.group.kill_all(SIGTERM));
        cr_expect(*guard.group.frozen(), "only SIGKILL thaws");
        // cgroup v2 lets a fatal signal end a frozen process, the freezer of v1 does not.
        if (v1)
            cr_expect_eq(guard.group.processes()->size(), 4u);
        expect_success(guard.group.kill_all(SIGKILL));
        expect_success(guard.group.remove(patience));
    }
}

Test(cgroup, thawed_processes_run_again)
{
    auto facts = host();
    for (bool v1 : {false, true}) {
        Guard guard{v1 ? create_v1(facts, unique_path()) : create(facts, unique_path())};
        Probe probe(guard.group, "hold");
        cr_expect(probe.line() == "ready");
        expect_success(guard.group.freeze(patience));
        expect_success(guard.group.kill_all(SIGTERM));
        expect_success(guard.group.thaw());
        cr_expect(!*guard.group.frozen());
        expect_success(guard.group.remove(patience)); // the signal that waited has ended it
    }
}

// ---- plain directories, where only files matter ------------------------------------------------------------------------------

Test(cgroup, limits_fall_back_to_the_other_file)
{
    test::Scratch scratch;
    scratch.write("io.weight", "");
    plan::CgroupWrite write;
    write.file = "io.bfq.weight";
    write.value = "default 500";
    write.other_file = "io.weight";
    write.other_value = "default 4950";
    write.property = "linux.resources.blockIO.weight";
    auto directory = kernel::open_at(working_directory, scratch.path(), O_RDONLY | O_DIRECTORY);
    expect_success(cgroup::write_limits(*directory, {write}));
    cr_expect(scratch.read("io.weight") == "default 4950");
    scratch.write("io.bfq.weight", "");
    expect_success(cgroup::write_limits(*directory, {write}));
    cr_expect(scratch.read("io.bfq.weight") == "default 500");
}

Test(cgroup, a_missing_file_is_an_error_unless_it_changes_nothing)
{
    test::Scratch scratch;
    auto directory = kernel::open_at(working_directory, scratch.path(), O_RDONLY | O_DIRECTORY);
    plan::CgroupWrite write;
    write.file = "memory.swap.max";
    write.value = "max";
    write.property = "linux.resources.memory.swap";
    write.optional = true;
    expect_success(cgroup::write_limits(*directory, {write}));
    write.optional = false;
    auto refused = cgroup::write_limits(*directory, {write});
    cr_assert(!refused.has_value());
    cr_expect_eq(refused.error().kind(), ErrorKind::not_supported);
    cr_expect(contains(refused.error().message(), "linux.resources.memory.swap needs"));
}

namespace {

// A directory that looks like a cgroup v2 hierarchy with one container, as far as files go.
class PlainHierarchy {
public:
    explicit PlainHierarchy(const std::string& controllers_of_container)
    {
        for (const char* place : {"", "pod/", "pod/box/"}) {
            scratch.directory(std::string("tree/") + place);
            for (const char* file : {"cgroup.procs", "cgroup.subtree_control"})
                scratch.write(std::string("tree/") + place + file, "");
            scratch.write(std::string("tree/") + place + "cgroup.controllers", "cpu io memory pids\n");
        }
        scratch.write("tree/pod/box/cgroup.controllers", controllers_of_container);
        for (const char* file : {"memory.max", "memory.low", "memory.swap.max", "cpu.max", "cpu.weight", "pids.max", "io.max",
                                 "io.weight", "memory.high"})
            scratch.write(std::string("tree/pod/box/") + file, "");
    }

    HostFacts facts() const
    {
        HostFacts facts;
        facts.cgroup_layout = CgroupLayout::v2;
        facts.cgroup_v2_mount_point = scratch.path("tree");
        facts.cgroup_v2_controllers = {"cpu", "io", "memory", "pids"};
        // Without privilege: no device filter on plain files.
        facts.cgroup_v2_delegated_path = "/pod";
        facts.cgroup_v2_delegated_controllers = facts.cgroup_v2_controllers;
        return facts;
    }

    std::string read(const std::string& file) const { return scratch.read("tree/" + file); }

    test::Scratch scratch;
};

} // namespace

Test(cgroup, the_files_of_a_pure_v2_host)
{
    PlainHierarchy host("cpu io memory pids\n");
    spec::Resources resources;
    resources.memory.emplace().limit = 100;
    resources.memory->swap = 150;
    resources.memory->reservation = 60;
    resources.cpu.emplace().shares = 1024;
    resources.cpu->quota = 5000;
    resources.cpu->period = 10000;
    resources.pids_limit = 0;
    resources.block_io.emplace().weight = 10;
    resources.block_io->throttle_read_bps = {{8, 0, 7}};
    resources.unified["memory.high"] = "90";
    expect_success(cgroup::Cgroup::create(plan_for(host.facts(), "/pod/box", resources)));
    const std::pair<const char*, const char*> rows[] = {
        {"memory.max", "100"},      {"memory.swap.max", "50"}, {"memory.low", "60"},
        {"cpu.weight", "100"},      {"cpu.max", "5000 10000"}, {"pids.max", "1"},
        {"io.weight", "default 1"}, {"io.max", "8:0 rbps=7"},  {"memory.high", "90"},
    };
    for (auto [file, value] : rows)
        cr_expect(host.read(std::string("pod/box/") + file) == value, "%s is %s", file,
                  host.read(std::string("pod/box/") + file).c_str());
    cr_expect(host.read("pod/cgroup.subtree_control").empty(), "nothing to enable");
}

Test(cgroup, missing_controllers_are_enabled_from_the_root_down)
{
    PlainHierarchy host("cpu\n");
    auto plan = plan_for(host.facts(), "/pod/box", {});
    expect_success(cgroup::Cgroup::create(plan)); // not needed by a limit, so it is no error that plain files cannot
    for (const char* place : {"", "pod/"})
        cr_expect(host.read(std::string(place) + "cgroup.subtree_control") == "+cpu +io +memory +pids");
    cr_expect(host.read("pod/box/cgroup.subtree_control").empty(), "the container's own cgroup keeps its processes");
    spec::Resources resources;
    resources.memory.emplace().limit = 100;
    auto refused = cgroup::Cgroup::create(plan_for(host.facts(), "/pod/box", resources));
    cr_assert(!refused.has_value());
    cr_expect_eq(refused.error().kind(), ErrorKind::not_supported);
    cr_expect(contains(refused.error().message(), "enable the cgroup controller memory"), "%s",
              refused.error().message().c_str());
}

Test(cgroup, check_before_update_compares_with_the_present_use)
{
    PlainHierarchy host("cpu io memory pids\n");
    host.scratch.write("tree/pod/box/memory.current", "500\n");
    auto group = cgroup::Cgroup::at({{host.scratch.path("tree"), "/pod/box", {}, true}});
    spec::Resources resources;
    resources.memory.emplace().limit = 500;
    resources.memory->check_before_update = true;
    auto refused = group.update(resources);
    cr_expect(!refused && contains(refused.error().message(), "rejecting linux.resources.memory.limit 500 <= usage 500"));
    cr_expect(host.read("pod/box/memory.max").empty());
    resources.memory->limit = 501;
    expect_success(group.update(resources));
    cr_expect(host.read("pod/box/memory.max") == "501");
    resources.memory->limit = 499;
    resources.memory->check_before_update = false;
    expect_success(group.update(resources));
}

Test(cgroup, delegation_gives_away_only_what_the_kernel_lists)
{
    auto facts = host();
    Guard guard{create(facts, unique_path())};
    need(guard.group.has_unified(), "a cgroup v2 hierarchy");
    expect_success(guard.group.delegate(4711));
    for (const auto& location : guard.group.locations()) {
        uid_t expected = location.unified ? 4711 : 0;
        cr_expect_eq(kernel::status_at(working_directory, location.directory(), 0)->st_uid, expected);
        cr_expect_eq(kernel::status_at(working_directory, location.directory() + "/cgroup.procs", 0)->st_uid, expected);
    }
    auto directory = guard.group.locations()[0].directory();
    cr_expect_eq(kernel::status_at(working_directory, directory + "/cgroup.max.depth", 0)->st_uid, 0u);
}
