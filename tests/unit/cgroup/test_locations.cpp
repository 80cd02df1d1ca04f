// What the state file keeps of a cgroup, and what it may never contain.
#include "cgroup/cgroup.hpp"
#include "cgroup/directory.hpp"
#include "cgroup/limit_hints.hpp"

#include <cerrno>
#include <criterion/criterion.h>

using namespace brig;
using namespace brig::cgroup;

Test(locations, survive_the_state_file)
{
    std::vector<Location> locations = {
        {"/sys/fs/cgroup/cpu,cpuacct", "/docker/x", {"cpu", "cpuacct"}, false},
        {"/sys/fs/cgroup/unified", "/docker/x", {}, true},
    };
    auto text = locations_to_json(locations).to_text();
    auto json = Json::parse(text);
    cr_assert(json.has_value());
    auto read = locations_from_json(json->view());
    cr_assert(read.has_value());
    cr_assert(read->size() == 2);
    cr_expect(read->at(0).directory() == "/sys/fs/cgroup/cpu,cpuacct/docker/x");
    cr_expect(read->at(0).controllers == locations[0].controllers);
    cr_expect(!read->at(0).unified && read->at(1).unified);
}

Test(locations, never_name_a_root_cgroup_or_climb)
{
    for (const char* bad : {"", "/", "/a/..", "/../a", "/a/", "a", "/a//b", "/."}) {
        auto text = locations_to_json({{"/sys/fs/cgroup", bad, {}, true}}).to_text();
        auto json = Json::parse(text);
        cr_assert(json.has_value());
        cr_expect(!locations_from_json(json->view()).has_value(), "%s", bad);
    }
    auto json = Json::parse("{}");
    cr_expect(!locations_from_json(json->view()).has_value());
}

Test(locations, sub_cgroups_stay_below)
{
    auto group = Cgroup::at({{"/sys/fs/cgroup", "/docker/x", {}, true}});
    auto below = group.below("/a/b");
    cr_assert(below.has_value());
    cr_expect(below->locations()[0].path == "/docker/x/a/b");
    cr_expect(!group.below("../y").has_value());
}

Test(locations, no_cgroup_does_nothing)
{
    Cgroup none;
    cr_expect(none.empty());
    cr_expect(none.kill_all(9).has_value());
    cr_expect(none.remove(0).has_value());
    cr_expect(none.freeze(0).has_value());
    cr_expect(none.thaw().has_value());
    cr_expect(none.processes()->empty());
    cr_expect(!*none.frozen());
    cr_expect(!none.open_unified_directory()->valid());
    cr_expect(none.open_join_files(false)->empty());
}

Test(directory, values_of_keys)
{
    cr_expect(value_of_key("populated 1\nfrozen 0\n", "populated") == "1");
    cr_expect(value_of_key("populated 1\nfrozen 0\n", "frozen") == "0");
    cr_expect(value_of_key("populated 1\n", "froze").empty());
    cr_expect(value_of_key("", "x").empty());
}

Test(limit_hints, name_the_property_the_file_and_the_remedy)
{
    plan::CgroupWrite write;
    write.file = "memory.memsw.limit_in_bytes";
    write.property = "linux.resources.memory.swap";
    auto missing = missing_limit_file(write, "/sys/fs/cgroup/memory/x");
    cr_expect(missing.kind() == ErrorKind::not_supported);
    cr_expect(missing.what()
              == "linux.resources.memory.swap needs /sys/fs/cgroup/memory/x/memory.memsw.limit_in_bytes, "
                 "which does not exist");
    cr_expect(missing.hint().find("swapaccount=1") != std::string::npos);

    write.file = "memory.limit_in_bytes";
    write.property = "linux.resources.memory.limit";
    auto busy = explain_limit(write, Error::system_call(EBUSY, "write"));
    cr_expect(busy.code() == EBUSY && !busy.hint().empty());
    cr_expect(busy.message().find("linux.resources.memory.limit") != std::string::npos);
    auto plain = explain_limit(write, Error::system_call(EIO, "write"));
    cr_expect(plain.hint().empty());
}
