// What cgroup files announce, waited for together with other things: changes, and the end of the cgroup.
#include "base/text.hpp"
#include "cgroup/oom_watch.hpp"
#include "kernel/events.hpp"
#include "kernel/file_events.hpp"
#include "kernel/files.hpp"
#include "support/needs.hpp"

#include <algorithm>
#include <array>
#include <criterion/criterion.h>
#include <cstdlib>
#include <unistd.h>

using namespace brig;
using kernel::working_directory;

namespace {

constexpr int64_t patience = 10000;

// A cgroup of this test, removed at its end.
class OwnCgroup {
public:
    explicit OwnCgroup(cgroup::Location location) : m_location(std::move(location))
    {
        auto made = kernel::make_directory(working_directory, m_location.directory(), 0755);
        cr_assert(made.has_value(), "%s", made ? "" : made.error().message().c_str());
    }
    OwnCgroup(const OwnCgroup&) = delete;
    OwnCgroup& operator=(const OwnCgroup&) = delete;
    ~OwnCgroup() { (void)remove(); }

    const cgroup::Location& location() const { return m_location; }
    bool remove() const { return kernel::remove_directory(working_directory, m_location.directory()).has_value(); }

private:
    cgroup::Location m_location;
};

std::string own_name(const char* purpose)
{
    return fmt::format("/brig-test-{}-{}", purpose, ::getpid());
}

bool changes_within(kernel::Watch watch, int64_t milliseconds)
{
    std::array watches = {watch};
    auto happened = kernel::wait_for_events(watches, milliseconds);
    cr_assert(happened.has_value());
    return watches[0].changed || (watch.for_reading && watches[0].readable);
}

cgroup::Location with_memory(const HostFacts& facts, const std::string& path)
{
    for (const auto& hierarchy : facts.cgroup_v1)
        if (std::find(hierarchy.controllers.begin(), hierarchy.controllers.end(), "memory") != hierarchy.controllers.end())
            return {hierarchy.mount_point, path, hierarchy.controllers, false};
    return {facts.cgroup_v2_mount_point, path, {"memory"}, true};
}

} // namespace

Test(change_events, a_cgroup_file_that_changes_wakes_once)
{
    auto facts = test::host_with_root();
    test::need(!facts.cgroup_v2_mount_point.empty(), "cgroup v2");
    OwnCgroup group({facts.cgroup_v2_mount_point, own_name("change"), {}, true});
    auto events = kernel::open_at(working_directory, group.location().directory() + "/cgroup.events", O_RDONLY);
    cr_assert(events.has_value() && kernel::read_from_start(*events, 4096).has_value());
    kernel::Watch watch = {.fd = events->get(), .for_change = true};
    cr_expect(!changes_within(watch, 0));
    cr_assert(kernel::write_control_file(working_directory, group.location().directory() + "/cgroup.freeze", "1").has_value());
    cr_expect(changes_within(watch, patience));
    cr_assert(kernel::read_from_start(*events, 4096).has_value());
    cr_expect(!changes_within(watch, 0));
}

Test(change_events, a_watch_without_a_wish_is_passed_over)
{
    std::array<int, 2> ends = {};
    cr_assert(::pipe(ends.data()) == 0);
    Fd reader(ends[0]);
    Fd writer(ends[1]);
    std::array watches = {kernel::Watch{.fd = writer.get()}, kernel::Watch{}};
    auto happened = kernel::wait_for_events(watches, 0);
    cr_assert(happened.has_value());
    cr_expect(!*happened && !watches[0].changed && !watches[0].writable);
}

Test(event_counter, is_readable_when_something_was_added)
{
    auto counter = kernel::open_event_counter();
    cr_assert(counter.has_value());
    auto nothing = kernel::read_available(*counter, sizeof(uint64_t));
    cr_assert(nothing.has_value());
    cr_expect(!nothing->has_value());
    constexpr uint64_t two = 2;
    cr_assert(::write(counter->get(), &two, sizeof(two)) == sizeof(two));
    cr_expect(changes_within({.fd = counter->get(), .for_reading = true}, 0));
    auto read = kernel::read_available(*counter, sizeof(uint64_t));
    cr_assert(read.has_value() && read->has_value());
    cr_expect((*read)->size() == sizeof(uint64_t));
}

Test(oom_watch, the_end_of_the_cgroup_is_no_kill)
{
    auto facts = test::host_with_root();
    test::need(facts.cgroup_layout != CgroupLayout::none, "a cgroup hierarchy");
    OwnCgroup group(with_memory(facts, own_name("oom")));
    auto watch = cgroup::OomWatch::open({group.location()});
    cr_assert(watch.has_value(), "%s", watch ? "" : watch.error().message().c_str());
    test::need(watch->works(), "the memory controller in cgroups below the root");
    cr_assert(watch->watch().fd >= 0, "this kernel announces");
    cr_expect(!changes_within(watch->watch(), 0));
    cr_assert(group.remove());
    cr_expect(changes_within(watch->watch(), patience));
    auto killed = watch->take();
    cr_assert(killed.has_value(), "%s", killed ? "" : killed.error().message().c_str());
    cr_expect(!*killed);
    cr_expect(!changes_within(watch->watch(), 0), "it must not wake again and again");
}
