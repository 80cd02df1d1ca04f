// A plain directory stands for resctrl here: it shows what is written where, not what a processor makes of it.
#include "setup/intel_rdt.hpp"

#include "base/text.hpp"
#include "kernel/files.hpp"
#include "support/scratch.hpp"

#include <criterion/criterion.h>

using namespace brig;

namespace {

struct Resctrl : test::Scratch {
    void make_class(const std::string& name, const std::string& schemata)
    {
        directory(name);
        write(name + "/schemata", schemata);
        write(name + "/tasks", "");
    }
    plan::IntelRdt planned(const std::string& name) const
    {
        plan::IntelRdt rdt;
        rdt.directory = path(name);
        return rdt;
    }
};

std::string message(const Result<>& result)
{
    return result ? "" : result.error().message();
}

} // namespace

Test(intel_rdt, class_and_monitoring_group_are_made_and_removed)
{
    Resctrl resctrl;
    auto rdt = resctrl.planned("box");
    rdt.own = true;
    cr_assert(setup::make_resctrl_groups(rdt).has_value());
    cr_expect(resctrl.has("box"));
    cr_assert(setup::remove_resctrl_groups(rdt.own_directories()).has_value());
    cr_expect(!resctrl.has("box"));
    cr_expect(setup::remove_resctrl_groups(rdt.own_directories()).has_value(), "missing is fine");
}

Test(intel_rdt, process_joins_class_and_group)
{
    Resctrl resctrl;
    resctrl.make_class("gold", "L3:0=f\n");
    resctrl.make_class("gold/mon_groups/box", "");
    auto rdt = resctrl.planned("gold");
    rdt.monitoring_directory = resctrl.path("gold/mon_groups/box");
    cr_assert(setup::make_resctrl_groups(rdt).has_value());
    cr_assert(setup::join_resctrl_groups(rdt.directories(), 4711).has_value());
    cr_expect(resctrl.read("gold/tasks") == "4711");
    cr_expect(resctrl.read("gold/mon_groups/box/tasks") == "4711");
}

Test(intel_rdt, schemata_are_written_in_one_go)
{
    Resctrl resctrl;
    resctrl.make_class("gold", "");
    cr_assert(setup::write_schemata(resctrl.path("gold"), {"L3:0=f", "MB:0=50"}).has_value());
    cr_expect(resctrl.read("gold/schemata") == "L3:0=f\nMB:0=50\n");
}

Test(intel_rdt, class_that_exists_must_have_the_schemata)
{
    Resctrl resctrl;
    resctrl.make_class("gold", "    MB:0= 50;1=100\n    L3:0=00f;1=ff\n");
    auto rdt = resctrl.planned("gold");
    rdt.schemata = {"L3:0=f", "MB:1=100;0=50"};
    cr_expect(setup::make_resctrl_groups(rdt).has_value(), "%s", message(setup::make_resctrl_groups(rdt)).c_str());
    rdt.schemata = {"L3:0=f;1=7"};
    auto refused = setup::make_resctrl_groups(rdt);
    cr_expect(message(refused).starts_with("linux.intelRdt: the class"), "%s", message(refused).c_str());
    cr_expect(contains(message(refused), "it has no L3:1=7 (name another closID"), "%s", message(refused).c_str());
    cr_expect(resctrl.read("gold/schemata") == "    MB:0= 50;1=100\n    L3:0=00f;1=ff\n", "it is somebody else's");
}

Test(intel_rdt, class_that_must_be_there)
{
    Resctrl resctrl;
    auto rdt = resctrl.planned("absent");
    rdt.may_make = false;
    auto refused = setup::make_resctrl_groups(rdt);
    cr_expect(contains(message(refused), "there is no class"), "%s", message(refused).c_str());
    cr_expect(contains(message(refused), "schemata to make it with"));
}

Test(intel_rdt, refused_schema_leaves_no_class)
{
    Resctrl resctrl;
    auto rdt = resctrl.planned("box");
    rdt.schemata = {"L3:0=f"}; // a plain directory has no file schemata
    resctrl.write("placeholder", "");
    cr_expect(!setup::make_resctrl_groups(rdt).has_value());
    cr_expect(!resctrl.has("box"));
}

Test(intel_rdt, words_of_the_kernel_are_told)
{
    Resctrl resctrl;
    resctrl.directory("info");
    resctrl.write("info/last_cmd_status", "Mask 0 out of range\n");
    auto refused = setup::write_schemata(resctrl.path("absent"), {"L3:0=0"});
    cr_expect(contains(message(refused), "(the kernel says: Mask 0 out of range)"), "%s", message(refused).c_str());
}
