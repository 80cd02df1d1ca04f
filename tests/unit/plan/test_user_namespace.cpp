// Id mappings of callers without privilege: which are chosen, who writes them, and the words of a refusal.
#include "plan/user_namespace.hpp"

#include "base/text.hpp"

#include <criterion/criterion.h>

using namespace brig;
using namespace brig::plan;

namespace {

HostFacts user_with_ranges()
{
    HostFacts facts;
    facts.uid = 1000;
    facts.gid = 1001;
    facts.may_mount = false;
    facts.subordinate_ids.user_name = "alice";
    facts.subordinate_ids.uids = {{100000, 65536}};
    facts.subordinate_ids.gids = {{200000, 65536}};
    facts.subordinate_ids.newuidmap = "/usr/bin/newuidmap";
    facts.subordinate_ids.newgidmap = "/usr/bin/newgidmap";
    return facts;
}

HostFacts user_without_ranges()
{
    HostFacts facts = user_with_ranges();
    facts.subordinate_ids.uids = {};
    facts.subordinate_ids.gids = {};
    return facts;
}

HostFacts host_root()
{
    HostFacts facts;
    facts.effective_capabilities = ~uint64_t{0};
    return facts;
}

spec::Spec bundle()
{
    spec::Spec spec;
    spec.linux = spec::Linux{};
    spec.linux->namespaces = {{spec::NamespaceType::pid, ""}, {spec::NamespaceType::mount, ""}};
    spec.process = spec::Process{};
    spec.mounts = {{"/dev/pts", "devpts", "devpts", {"newinstance", "gid=5"}, {}, {}}};
    return spec;
}

spec::Spec adapted(const HostFacts& facts, spec::Spec spec = bundle())
{
    auto done = adapt_to_caller(spec, facts);
    cr_assert(done.has_value(), "%s", done ? "" : done.error().message().c_str());
    return spec;
}

std::string text_of(const std::vector<spec::IdMapping>& mappings)
{
    std::vector<std::string> texts;
    for (const auto& mapping : mappings)
        texts.push_back(fmt::format("{}:{}:{}", mapping.container_id, mapping.host_id, mapping.size));
    return join(texts, " ");
}

void expect_text(const std::string& found, const char* expected)
{
    cr_expect_str_eq(found.c_str(), expected);
}

spec::Linux with_maps(const std::vector<spec::IdMapping>& uids, const std::vector<spec::IdMapping>& gids)
{
    spec::Linux linux;
    linux.uid_mappings = uids;
    linux.gid_mappings = gids;
    return linux;
}

Error refusal(const Result<IdMapWriters>& writers)
{
    cr_assert_not(writers.has_value());
    return writers.error();
}

} // namespace

// ---- a namespace for a bundle that has none --------------------------------------------------------------------------------

Test(user_namespace, of_a_user_with_ranges_has_all_of_them)
{
    auto spec = adapted(user_with_ranges());
    expect_text(text_of(spec.linux->uid_mappings), "0:1000:1 1:100000:65536");
    expect_text(text_of(spec.linux->gid_mappings), "0:1001:1 1:200000:65536");
    cr_expect(spec.linux->namespaces.size() == 4, "the user's and the cgroup's are new");
    expect_text(join(spec.mounts[0].options, " "), "newinstance gid=5");
}

Test(user_namespace, of_a_user_without_ranges_has_his_own_id)
{
    auto spec = adapted(user_without_ranges());
    expect_text(text_of(spec.linux->uid_mappings), "0:1000:1");
    expect_text(text_of(spec.linux->gid_mappings), "0:1001:1");
    expect_text(join(spec.mounts[0].options, " "), "newinstance");
}

Test(user_namespace, needs_both_ranges_and_both_programs)
{
    for (int missing = 0; missing < 4; missing++) {
        HostFacts facts = user_with_ranges();
        if (missing == 0)
            facts.subordinate_ids.uids = {};
        else if (missing == 1)
            facts.subordinate_ids.gids = {};
        else
            (missing == 2 ? facts.subordinate_ids.newuidmap : facts.subordinate_ids.newgidmap).clear();
        expect_text(text_of(adapted(facts).linux->uid_mappings), "0:1000:1");
    }
}

Test(user_namespace, ranges_that_overlap_are_used_once)
{
    HostFacts facts = user_with_ranges();
    facts.subordinate_ids.uids = {{100000, 10}, {100005, 10}, {999, 5}, {300000, 5}, {4294967290, 6}};
    expect_text(text_of(adapted(facts).linux->uid_mappings), "0:1000:1 1:100000:10 11:300000:5");
}

Test(user_namespace, is_left_alone_where_the_bundle_or_the_caller_has_one)
{
    spec::Spec own = bundle();
    own.linux->namespaces.push_back({spec::NamespaceType::user, "/proc/7/ns/user"});
    cr_expect(adapted(user_with_ranges(), own).linux->uid_mappings.empty());
    cr_expect(adapted(host_root()).linux->namespaces.size() == 2);
    HostFacts empowered = user_with_ranges();
    empowered.effective_capabilities = uint64_t{1} << 21;
    cr_expect(adapted(empowered).linux->namespaces.size() == 2);
}

Test(user_namespace, of_the_caller_decides_about_the_terminal_group)
{
    HostFacts facts = host_root();
    facts.in_user_namespace = true;
    facts.own_gids = {{0, 5}};
    auto spec = adapted(facts);
    expect_text(join(spec.mounts[0].options, " "), "newinstance");
    cr_expect(spec.linux->namespaces.size() == 2);
    facts.own_gids = {{0, 6}};
    expect_text(join(adapted(facts).mounts[0].options, " "), "newinstance gid=5");
}

Test(user_namespace, a_user_of_the_process_that_cannot_be_had_is_refused_with_the_remedy)
{
    spec::Spec spec = bundle();
    spec.process->user.uid = 1000;
    auto done = adapt_to_caller(spec, user_without_ranges());
    cr_assert_not(done.has_value());
    cr_expect(done.error().kind() == ErrorKind::not_supported);
    cr_expect(contains(done.error().message(), "user ID 1000, but user alice"), "%s", done.error().message().c_str());
    cr_expect(contains(done.error().hint(), "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 alice"));
    spec::Spec mapped = bundle();
    mapped.process->user.uid = 1000;
    cr_expect(adapt_to_caller(mapped, user_with_ranges()).has_value());
}

// ---- who writes the maps ---------------------------------------------------------------------------------------------------

Test(id_map_writers, own_id_alone_is_written_directly_and_groups_stay)
{
    auto writers = choose_id_map_writers(with_maps({{0, 1000, 1}}, {{0, 1001, 1}}), user_without_ranges());
    cr_assert(writers.has_value());
    cr_expect(writers->host_newuidmap.empty() && writers->host_newgidmap.empty());
    cr_expect_not(writers->set_groups);
}

Test(id_map_writers, more_ids_take_the_programs)
{
    auto writers = choose_id_map_writers(with_maps({{0, 1000, 1}, {1, 100000, 65536}}, {{0, 200000, 10}}), user_with_ranges());
    cr_assert(writers.has_value());
    expect_text(writers->host_newuidmap, "/usr/bin/newuidmap");
    expect_text(writers->host_newgidmap, "/usr/bin/newgidmap");
    cr_expect(writers->set_groups);
}

Test(id_map_writers, one_kind_of_ids_may_take_a_program_alone)
{
    auto writers = choose_id_map_writers(with_maps({{0, 100000, 1}}, {{5, 1001, 1}}), user_with_ranges());
    cr_assert(writers.has_value());
    expect_text(writers->host_newuidmap, "/usr/bin/newuidmap");
    cr_expect(writers->host_newgidmap.empty());
    cr_expect_not(writers->set_groups, "only the caller's own group was given");
}

Test(id_map_writers, root_writes_any_map)
{
    auto writers = choose_id_map_writers(with_maps({{0, 5, 70000}}, {{0, 7, 70000}}), host_root());
    cr_assert(writers.has_value());
    cr_expect(writers->host_newuidmap.empty() && writers->host_newgidmap.empty() && writers->set_groups);
}

Test(id_map_writers, a_missing_range_is_named_with_the_remedy)
{
    auto error = refusal(choose_id_map_writers(with_maps({{0, 1000, 1}, {1, 165000, 1000}}, {{0, 1001, 1}}), user_with_ranges()));
    cr_expect(error.kind() == ErrorKind::not_supported);
    expect_text(error.message(), "linux.uidMappings[1] maps host user IDs 165000-165999, but /etc/subuid gives user alice only "
                                 "100000-165535 (165536-165999 are missing; as root: usermod --add-subuids 165536-165999 alice)");
    error = refusal(choose_id_map_writers(with_maps({{0, 1000, 1}}, {{0, 7, 1}}), user_without_ranges()));
    expect_text(error.message(),
                "linux.gidMappings[0] maps host group ID 7, but /etc/subgid gives user alice none (7 is missing; "
                "as root: usermod --add-subgids 7-7 alice)");
}

Test(id_map_writers, the_hosts_root_is_never_given)
{
    for (uint32_t id : {0U, 1001U})
        cr_expect_not(choose_id_map_writers(with_maps({{0, id, 1}}, {{0, 1001, 1}}), user_with_ranges()).has_value());
}

Test(id_map_writers, another_source_of_ranges_is_left_to_the_programs)
{
    HostFacts facts = user_without_ranges();
    facts.subordinate_ids.elsewhere = true;
    auto writers = choose_id_map_writers(with_maps({{0, 100000, 65536}}, {{0, 1001, 1}}), facts);
    cr_assert(writers.has_value());
    expect_text(writers->host_newuidmap, "/usr/bin/newuidmap");
}

Test(id_map_writers, a_missing_program_is_named_with_the_package)
{
    HostFacts facts = user_with_ranges();
    facts.subordinate_ids.newgidmap.clear();
    auto error = refusal(choose_id_map_writers(with_maps({{0, 1000, 1}}, {{0, 200000, 10}}), facts));
    cr_expect(contains(error.message(), "newgidmap") && contains(error.hint(), "install uidmap"), "%s", error.message().c_str());
}

Test(id_map_writers, a_nested_namespace_has_only_the_ids_around_it)
{
    HostFacts facts = host_root();
    facts.in_user_namespace = true;
    facts.own_uids = {{0, 1}, {1, 65536}};
    facts.own_gids = {{0, 1}};
    facts.setgroups_allowed = false;
    auto writers = choose_id_map_writers(with_maps({{0, 0, 65537}}, {{0, 0, 1}}), facts);
    cr_assert(writers.has_value());
    cr_expect_not(writers->set_groups, "what a namespace forbids, those in it forbid too");
    auto error = refusal(choose_id_map_writers(with_maps({{0, 0, 1}}, {{0, 100000, 5}}), facts));
    cr_expect(contains(error.message(), "a user namespace that has only 0"), "%s", error.message().c_str());
}

Test(first_missing, finds_the_first_gap)
{
    const std::vector<IdRange> owned = {{30, 10}, {10, 10}, {20, 5}};
    cr_expect_not(first_missing({10, 15}, owned).has_value());
    auto gap = first_missing({10, 30}, owned);
    cr_assert(gap.has_value());
    cr_expect(gap->first == 25 && gap->count == 5);
    gap = first_missing({0, 100}, owned);
    cr_expect(gap && gap->first == 0 && gap->count == 10);
    gap = first_missing({39, 10}, owned);
    cr_expect(gap && gap->first == 40 && gap->count == 9);
    cr_expect_not(first_missing({4294967295, 1}, {{4294967295, 1}}).has_value());
}

Test(ids, of_the_process_have_to_be_mapped)
{
    auto linux = with_maps({{0, 1000, 1}, {5, 2000, 5}}, {{0, 1000, 3}});
    spec::User user;
    cr_expect(check_ids_mapped(user, linux).has_value());
    user.uid = 9;
    user.additional_gids = {1, 2};
    cr_expect(check_ids_mapped(user, linux).has_value());
    user.additional_gids = {1, 3};
    cr_expect(contains(check_ids_mapped(user, linux).error().message(), "additionalGids 3 is not mapped"));
    user.gid = 3;
    cr_expect(contains(check_ids_mapped(user, linux).error().message(), "gid 3 is not mapped"));
    user.uid = 10;
    cr_expect(contains(check_ids_mapped(user, linux).error().message(), "uid 10 is not mapped by linux.uidMappings"));
}

Test(ids, that_do_not_exist_around_the_container_are_refused)
{
    HostFacts facts = host_root();
    facts.in_user_namespace = true;
    facts.own_uids = {{0, 1}};
    facts.own_gids = {{0, 10}};
    spec::User user;
    cr_expect(check_ids_exist(user, facts).has_value());
    user.uid = 1;
    cr_expect(contains(check_ids_exist(user, facts).error().message(), "process.user.uid 1 does not exist"));
    user = {};
    user.additional_gids = {3, 11};
    cr_expect(contains(check_ids_exist(user, facts).error().message(), "additionalGids 11"));
    facts.in_user_namespace = false;
    cr_expect(check_ids_exist(user, facts).has_value());
}
