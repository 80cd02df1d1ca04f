#include <criterion/criterion.h>

#include "inspect/process_status.hpp"

using namespace brig::inspect;

namespace {

constexpr const char* status_text = "Name:\tsleep\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t42\nPid:\t42\nPPid:\t1\n"
                                    "Uid:\t1000\t1001\t1002\t1003\nGid:\t5\t6\t7\t8\nGroups:\t4 24 \nNStgid:\t42\t1\n"
                                    "CapInh:\t0000000000000001\nCapPrm:\t0000000000000002\nCapEff:\t0000000000000004\n"
                                    "CapBnd:\t000001ffffffffff\nCapAmb:\t0000000000000008\nNoNewPrivs:\t1\nSeccomp:\t2\n"
                                    "Seccomp_filters:\t3\n";

} // namespace

Test(process_status, reads_what_a_process_may)
{
    auto status = parse_process_status(status_text);
    cr_assert(status.has_value(), "%s", status ? "" : status.error().message().c_str());
    cr_expect(status->pid == 42 && status->name == "sleep" && status->uid == 1001 && status->gid == 6);
    cr_expect((status->groups == std::vector<uint64_t>{4, 24}));
    const CapabilitySets& sets = status->capabilities;
    cr_expect(sets.inheritable == 1 && sets.permitted == 2 && sets.effective == 4 && sets.ambient == 8);
    cr_expect(sets.bounding == 0x1ffffffffff);
    cr_expect(status->no_new_privileges && status->seccomp == SeccompMode::filter && status->filters == 3);
}

Test(process_status, kernels_before_5_9_count_no_filters)
{
    auto status = parse_process_status("Pid:\t1\nSeccomp:\t0\n");
    cr_assert(status.has_value());
    cr_expect(status->seccomp == SeccompMode::none && !status->filters);
}

Test(process_status, other_text_is_an_error)
{
    for (const char* text :
         {"", "Name:\tx\n", "Pid:\tx\n", "Pid:\t1\nUid:\t0\n", "Pid:\t1\nCapEff:\t12g\n", "Pid:\t1\nGroups:\t-1\n"})
        cr_expect(!parse_process_status(text).has_value(), "%s", text);
}

Test(process_status, without_no_new_privs_the_bounding_set_can_be_got)
{
    CapabilitySets sets;
    sets.bounding = 6;
    sets.inheritable = 9;
    sets.permitted = 1;
    cr_expect(sets.reachable(false) == 7);
    cr_expect(sets.reachable(true) == 1);
}

Test(id_maps, are_read_and_followed)
{
    auto map = parse_id_map("         0       1000          1\n         1     100000      65536\n");
    cr_assert(map.has_value() && map->size() == 2);
    cr_expect(id_inside(*map, 1000) == 0);
    cr_expect(id_inside(*map, 100000) == 1);
    cr_expect(id_inside(*map, 165535) == 65536);
    cr_expect(!id_inside(*map, 165536) && !id_inside(*map, 0) && !id_inside(*map, 99999));
    cr_expect(parse_id_map("")->empty());
    cr_expect(!parse_id_map("0 1\n").has_value());
    cr_expect(!parse_id_map("0 1 x\n").has_value());
}
