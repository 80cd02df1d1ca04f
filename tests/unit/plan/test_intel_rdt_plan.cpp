#include "base/text.hpp"
#include "plan/annotations.hpp"
#include "plan/make_plan.hpp"

#include <criterion/criterion.h>

using namespace brig;
using namespace brig::plan;

namespace {

using Texts = std::vector<std::string>;

HostFacts host()
{
    HostFacts facts;
    facts.resctrl_mount_point = "/sys/fs/resctrl";
    facts.resctrl_monitoring = true;
    return facts;
}

IntelRdt planned(const spec::IntelRdt& asked)
{
    auto plan = plan_intel_rdt(asked, "box", host());
    cr_assert(plan.has_value(), "%s", plan ? "" : plan.error().message().c_str());
    return *plan;
}

} // namespace

Test(intel_rdt_plan, class_of_the_container_itself)
{
    auto plan = planned({.l3_cache_schema = "L3:0=f", .mem_bw_schema = "MB:0=50", .enable_monitoring = true});
    cr_expect(plan.directory == "/sys/fs/resctrl/box" && plan.may_make && plan.own);
    cr_expect(plan.schemata == (Texts{"L3:0=f", "MB:0=50"}));
    cr_expect(plan.directories() == (Texts{"/sys/fs/resctrl/box", "/sys/fs/resctrl/box/mon_groups/box"}));
    cr_expect(plan.own_directories() == (Texts{"/sys/fs/resctrl/box/mon_groups/box", "/sys/fs/resctrl/box"}));
}

Test(intel_rdt_plan, class_of_a_name_stays_when_the_container_goes)
{
    auto plan = planned({.clos_id = "gold", .schemata = {"L3:0=f"}});
    cr_expect(plan.directory == "/sys/fs/resctrl/gold" && plan.may_make && !plan.own && plan.own_directories().empty());
    plan = planned({.clos_id = "gold", .enable_monitoring = true});
    cr_expect(!plan.may_make, "nothing says what the class would be");
    cr_expect(plan.own_directories() == Texts{"/sys/fs/resctrl/gold/mon_groups/box"});
}

Test(intel_rdt_plan, root_class)
{
    auto plan = planned({.clos_id = "/", .schemata = {"L3:0=f"}, .enable_monitoring = true});
    cr_expect(plan.directory == "/sys/fs/resctrl" && !plan.may_make && !plan.own);
    cr_expect(plan.monitoring_directory == "/sys/fs/resctrl/mon_groups/box");
}

Test(intel_rdt_plan, each_resource_once)
{
    // The line for MB of l3CacheSchema yields to memBwSchema, and both to schemata.
    auto plan = planned({.l3_cache_schema = "L3:0=f\n MB:0=10\n", .mem_bw_schema = "MB:0=50"});
    cr_expect(plan.schemata == (Texts{"L3:0=f", "MB:0=50"}));
    plan = planned({.l3_cache_schema = "L3:0=f\nMB:0=10"});
    cr_expect(plan.schemata == (Texts{"L3:0=f", "MB:0=10"}));
    plan = planned({.l3_cache_schema = "L3:0=f", .mem_bw_schema = "MB:0=50", .schemata = {" L3 : 0=1;1=3", "L2:0=7"}});
    cr_expect(plan.schemata == (Texts{"MB:0=50", "L3 : 0=1;1=3", "L2:0=7"}));
}

Test(intel_rdt_plan, hosts_without_it)
{
    auto none = plan_intel_rdt({}, "box", HostFacts());
    cr_assert(!none.has_value());
    cr_expect(none.error().kind() == ErrorKind::not_supported);
    cr_expect(none.error().message().starts_with("linux.intelRdt: no resctrl file system is mounted at /sys/fs/resctrl (mount"));
    HostFacts blind = host();
    blind.resctrl_monitoring = false;
    cr_expect(plan_intel_rdt({.clos_id = "gold"}, "box", blind).has_value());
    auto refused = plan_intel_rdt({.enable_monitoring = true}, "box", blind);
    cr_expect(!refused && contains(refused.error().message(), "linux.intelRdt.enableMonitoring"));
}

Test(annotations, those_of_other_runtimes_are_warned_of)
{
    auto warnings =
        annotation_warnings({{"run.oci.handler", "krun"}, {"run.oci.news", "1"}, {"org.example.run.oci.handler", "x"}});
    cr_assert_eq(warnings.size(), 2u);
    cr_expect(warnings[0].starts_with("annotation \"run.oci.handler\" is not followed: the program runs as it is"));
    cr_expect(warnings[1] == "annotation \"run.oci.news\" is not followed: brig does not know it");
    cr_expect(annotation_warnings({{"io.kubernetes.cri.container-name", "x"}, {"run.ociX", "1"}}).empty());
}
