// SLICE:PREFIX:NAME, slices, limits and annotations -> a systemd unit.
#include "base/text.hpp"
#include "plan/cgroup_plan.hpp"
#include "plan/unit_name.hpp"
#include "plan/unit_properties.hpp"

#include <criterion/criterion.h>

using namespace brig;
using namespace brig::plan;

namespace {

std::string place_text(const std::string& path, const std::string& id = "web", bool of_user = false)
{
    auto place = place_of_unit(path, id, of_user);
    return place ? fmt::format("{} in {} at {}", place->name, place->slice, place->path) : place.error().message();
}

std::string properties_text(const std::vector<UnitProperty>& properties)
{
    std::vector<std::string> texts;
    for (const auto& property : properties)
        texts.push_back(property_text(property));
    return join(texts, "; ");
}

CgroupWrite write_of(const std::string& file, const std::string& value)
{
    CgroupWrite write;
    write.file = file;
    write.value = value;
    write.property = "linux.resources.unified." + file;
    return write;
}

std::string limits_text(const std::vector<CgroupWrite>& writes)
{
    std::vector<UnitProperty> properties;
    auto added = add_limit_properties(properties, writes, 100000);
    return added ? properties_text(properties) : added.error().message();
}

std::string annotations_text(const std::map<std::string, std::string>& annotations, std::vector<UnitProperty> present = {})
{
    auto added = add_annotated_properties(present, annotations);
    return added ? properties_text(present) : added.error().message();
}

spec::DeviceRule rule_of(bool allow, char type, std::optional<int64_t> major, std::optional<int64_t> minor, const char* access)
{
    spec::DeviceRule rule;
    rule.allow = allow;
    rule.type = type;
    rule.major = major;
    rule.minor = minor;
    rule.access = access;
    return rule;
}

struct Row {
    const char* given;
    const char* expected;
};

void expect_same(const std::string& actual, const std::string& expected)
{
    cr_expect(actual == expected, "%s\ninstead of\n%s", actual.c_str(), expected.c_str());
}

} // namespace

Test(systemd_unit, names)
{
    for (const auto& row : {
             Row{"", "brig-web.scope in system.slice at /system.slice/brig-web.scope"},
             Row{"::n", "n.scope in system.slice at /system.slice/n.scope"},
             Row{"system.slice:docker:abc", "docker-abc.scope in system.slice at /system.slice/docker-abc.scope"},
             Row{"a-b-c.slice:cri:1", "cri-1.scope in a-b-c.slice at /a.slice/a-b.slice/a-b-c.slice/cri-1.scope"},
             Row{"-.slice:p:n", "p-n.scope in -.slice at /p-n.scope"},
             Row{":x:a-b.slice", "a-b.slice in  at /a.slice/a-b.slice"},
             Row{"a.slice:x:a-b.slice", "a-b.slice in  at /a.slice/a-b.slice"},
         })
        expect_same(place_text(row.given), row.expected);
    expect_same(place_text("", "web", true), "brig-web.scope in user.slice at /user.slice/brig-web.scope");
}

Test(systemd_unit, malformed_paths_are_refused_with_the_remedy)
{
    for (const char* path : {"/docker/abc", "a", "a:b", "a:b:c:d", "system.slice:p:"})
        cr_expect(contains(place_text(path), "SLICE:PREFIX:NAME"), "%s: %s", path, place_text(path).c_str());
    for (const char* path :
         {"a--b.slice:p:n", "-a.slice:p:n", "a-.slice:p:n", ".slice:p:n", "a:p:n", "a.slice/b.slice:p:n", ":p:-a.slice"})
        cr_expect(contains(place_text(path), "slice"), "%s: %s", path, place_text(path).c_str());
    for (const char* path : {"s.slice:p:a/b", "s.slice:p/..:b", "s.slice:p:a b", "s.slice:p:a\nb", "s.slice:p:a@b"})
        cr_expect(contains(place_text(path), "cannot be in the name"), "%s: %s", path, place_text(path).c_str());
    cr_expect(contains(place_text("", "a+b"), "A-Z a-z 0-9 _ . -"));
    cr_expect(contains(place_text("", std::string(300, 'a')), "more than 255"));
    cr_expect(contains(place_text(":p:-.slice"), "root slice"));
    cr_expect(contains(place_text("b.slice:p:a-b.slice"), "puts it elsewhere"));
}

Test(systemd_unit, limits)
{
    struct Limits {
        std::vector<CgroupWrite> writes;
        const char* expected;
    };
    for (const auto& row : {
             Limits{{write_of("memory.max", "1048576"), write_of("memory.swap.max", "max")},
                    "MemoryMax=1048576; MemorySwapMax=infinity"},
             Limits{{write_of("memory.max", "1"), write_of("memory.max", "2M")}, "MemoryMax=2097152"},
             Limits{{write_of("memory.high", "1g"), write_of("memory.low", "0"), write_of("memory.min", "5")},
                    "MemoryHigh=1073741824; MemoryLow=0; MemoryMin=5"},
             Limits{{write_of("cpu.max", "50000 100000")}, "CPUQuotaPerSecUSec=500000; CPUQuotaPeriodUSec=100000"},
             Limits{{write_of("cpu.max", "12345 100000")}, "CPUQuotaPerSecUSec=130000; CPUQuotaPeriodUSec=100000"},
             Limits{{write_of("cpu.max", "1")}, "CPUQuotaPerSecUSec=10000; CPUQuotaPeriodUSec=100000"},
             Limits{{write_of("cpu.max", "max 50000")}, "CPUQuotaPerSecUSec=infinity; CPUQuotaPeriodUSec=50000"},
             Limits{{write_of("cpu.weight", "100"), write_of("cpu.idle", "1")}, "CPUWeight=0"},
             Limits{{write_of("cpu.weight", "39"), write_of("cpu.idle", "0")}, "CPUWeight=39"},
             Limits{{write_of("cpuset.cpus", "0-2,9"), write_of("cpuset.mems", "0")},
                    "AllowedCPUs=0 1 2 9; AllowedMemoryNodes=0"},
             Limits{{write_of("pids.max", "max")}, "TasksMax=infinity"},
             Limits{{write_of("io.weight", "default 50"), write_of("io.weight", "8:0 70")}, "IOWeight=50"},
             Limits{{write_of("io.max", "8:0 rbps=1"), write_of("hugetlb.2MB.max", "0"), write_of("cpu.max.burst", "5")}, ""},
             Limits{
                 {write_of("cpu.cfs_period_us", "50000"), write_of("cpu.cfs_quota_us", "25000"), write_of("cpu.shares", "512")},
                 "CPUQuotaPerSecUSec=500000; CPUQuotaPeriodUSec=50000; CPUShares=512"},
             Limits{{write_of("memory.limit_in_bytes", "-1")}, "MemoryLimit=infinity"},
         })
        expect_same(limits_text(row.writes), row.expected);
    for (const auto& write : {write_of("memory.max", "much"), write_of("cpu.max", "1 2 3"), write_of("cpu.max", "1 0"),
                              write_of("memory.high", "99999999999999999999"), write_of("memory.low", "20000000P")})
        cr_expect(contains(limits_text({write}), "linux.resources.unified." + write.file), "%s", limits_text({write}).c_str());
}

Test(systemd_unit, devices_allow_no_less_than_the_rules)
{
    auto text = [](const std::vector<spec::DeviceRule>& rules, bool exact) {
        std::vector<UnitProperty> properties;
        auto added = add_device_properties(properties, rules, exact);
        return added ? properties_text(properties) : added.error().message();
    };
    auto deny_all = rule_of(false, 'a', {}, {}, "rwm");
    auto allow_all = rule_of(true, 'a', {}, {}, "rwm");
    expect_same(
        text({deny_all, rule_of(true, 'c', 1, 3, "rw"), rule_of(true, 'b', 8, {}, "r"), rule_of(true, 'c', {}, {}, "m")}, true),
        "DevicePolicy=strict; DeviceAllow=/dev/char/1:3 rw, block-8 r, char-* m");
    expect_same(text({deny_all, rule_of(true, 'a', 7, 1, "r"), rule_of(false, 'c', 7, 1, "r")}, false),
                "DevicePolicy=strict; DeviceAllow=/dev/char/7:1 r, /dev/block/7:1 r");
    expect_same(text({rule_of(true, 'c', 1, 3, "r"), allow_all, rule_of(false, 'c', 1, 3, "r")}, false),
                "DevicePolicy=auto; DeviceAllow=");
    expect_same(text({rule_of(true, 'c', {}, 5, "r")}, false), "DevicePolicy=strict; DeviceAllow=char-* r");
    cr_expect(contains(text({rule_of(true, 'c', {}, 5, "r")}, true), "systemd cannot allow char *:5 alone"));
}

Test(systemd_unit, annotations)
{
    auto one = [](const char* name, const char* value) {
        return annotations_text({{std::string("org.systemd.property.") + name, value}, {"other", "x"}});
    };
    for (const auto& [name, value, expected] : std::initializer_list<std::tuple<const char*, const char*, const char*>>{
             {"TimeoutStopUSec", "uint64 5", "TimeoutStopUSec=5"},
             {"TimeoutStopUSec", "@t 5", "TimeoutStopUSec=5"},
             {"TimeoutStopSec", "7", "TimeoutStopUSec=7000000"},
             {"TimeoutStopSec", "1.5", "TimeoutStopUSec=1500000"},
             {"TimeoutStopSec", "uint64 2", "TimeoutStopUSec=2000000"},
             {"CollectMode", "'inactive'", "CollectMode=inactive"},
             {"CollectMode", "\"inactive\"", "CollectMode=inactive"},
             {"After", "['a.service', \"b.service\"]", "After=a.service b.service"},
             {"After", "@as []", "After="},
             {"SendSIGHUP", "true", "SendSIGHUP=true"},
             {"KillSignal", "int32 2", "KillSignal=2"},
             {"ManagedOOMMemoryPressureLimit", "uint32 9", "ManagedOOMMemoryPressureLimit=9"},
         })
        expect_same(one(name, value), expected);
    // Values of another type, or cut off.
    for (const auto& row :
         {Row{"TimeoutStopUSec", "'5'"}, Row{"TimeoutStopUSec", "-1"}, Row{"TimeoutStopUSec", ""}, Row{"TimeoutStopSec", "1.x"},
          Row{"CollectMode", "inactive"}, Row{"CollectMode", "'a' 'b'"}, Row{"CollectMode", "'a"}, Row{"CollectMode", "'a\\"},
          Row{"CollectMode", "'a\nb'"}, Row{"After", "['a'"}, Row{"After", "['a' 'b']"}, Row{"After", "'a'"},
          Row{"SendSIGHUP", "1"}, Row{"KillSignal", "int32 99999999999"}})
        cr_expect(contains(one(row.given, row.expected), "GVariant"), "%s=%s: %s", row.given, row.expected,
                  one(row.given, row.expected).c_str());
    // What could end other units, or loosen what brig sets.
    for (const char* name : {"Conflicts", "BindsTo", "OnFailure", "FailureAction", "SuccessAction", "JobTimeoutAction", "Slice",
                             "Delegate", "PIDs", "DeviceAllow", "DevicePolicy", "BPFProgram", "Description", "User", "", "Sec"})
        cr_expect(contains(one(name, "'x'"), "is not for containers"), "%s: %s", name, one(name, "'x'").c_str());
    auto conflict = annotations_text({{"org.systemd.property.MemoryMax", "uint64 5"}}, {{"MemoryMax", uint64_t{1}}});
    cr_expect(contains(conflict, "sets what config.json sets already"));
    expect_same(annotations_text({{"org.systemd.property.DefaultDependencies", "true"}}, {{"DefaultDependencies", false}}),
                "DefaultDependencies=true");
}

Test(systemd_unit, plan_on_cgroup_v2)
{
    HostFacts facts;
    facts.cgroup_layout = CgroupLayout::v2;
    facts.cgroup_v2_mount_point = "/sys/fs/cgroup";
    facts.cgroup_v2_own_path = "/system.slice/docker.service";
    facts.cgroup_v2_controllers = {"cpuset", "cpu", "io", "memory", "hugetlb", "pids"};
    facts.effective_capabilities = ~uint64_t(0);
    CgroupRequest request{
        .id = "web", .cgroups_path = "a-b.slice:docker:web", .driver = CgroupDriver::systemd, .unit_description = "d"};
    spec::Resources resources;
    resources.pids_limit = 7;
    auto plan = make_cgroup_plan(request, &resources, facts);
    cr_assert(plan, "%s", plan ? "" : plan.error().message().c_str());
    cr_expect(plan->driver == CgroupDriver::systemd && plan->unit && plan->filter_devices);
    expect_same(plan->directories.at(0).path, "/a.slice/a-b.slice/docker-web.scope");
    std::string text = properties_text(plan->unit->properties);
    cr_expect(text.starts_with("Description=d; Slice=a-b.slice; Delegate=true; "), "%s", text.c_str());
    cr_expect(contains(text, "TasksMax=7; DevicePolicy=strict; DeviceAllow=char-* m, block-* m, /dev/char/1:3 rwm"), "%s",
              text.c_str());

    // An ordinary user's manager: its own cgroup, the controllers that it was given, no device filter.
    facts.effective_capabilities = 0;
    facts.uid = 1000;
    facts.systemd_cgroup = "/user.slice/user-1000.slice/user@1000.service";
    facts.cgroup_v2_delegated_controllers = {"pids"};
    request.cgroups_path.clear();
    plan = make_cgroup_plan(request, &resources, facts);
    cr_assert(plan, "%s", plan ? "" : plan.error().message().c_str());
    expect_same(plan->directories.at(0).path, "/user.slice/user-1000.slice/user@1000.service/user.slice/brig-web.scope");
    cr_expect(plan->unit->of_user && !contains(properties_text(plan->unit->properties), "Device"));
    resources.memory.emplace().limit = 1 << 20;
    plan = make_cgroup_plan(request, &resources, facts);
    cr_expect(!plan && contains(plan.error().message(), "controller memory"));
}
