#include <criterion/criterion.h>

#include "doctor/host_report.hpp"

#include <algorithm>

using namespace brig;
using namespace brig::doctor;

namespace {

HostView complete_host()
{
    HostView view;
    view.facts.kernel_release = "6.12.0";
    view.facts.cgroup_layout = CgroupLayout::v2;
    view.facts.cgroup_v2_controllers = {"cpu", "io", "memory", "pids"};
    view.facts.effective_capabilities = ~uint64_t{0};
    view.facts.time_namespaces = true;
    view.facts.apparmor = true;
    view.facts.resctrl_mount_point = "/sys/fs/resctrl";
    view.landlock_version = 4;
    view.seccomp_filters = view.seccomp_notify = view.overlay = view.swap_accounting = view.pressure = view.criu = true;
    view.most_user_namespaces = 100;
    view.engines = {{"docker", "/etc/docker/daemon.json", true, true}, {"podman", "/etc/containers/containers.conf", false, {}}};
    return view;
}

const Line& line_of(const std::vector<Line>& lines, std::string_view name)
{
    auto found = std::ranges::find(lines, name, &Line::name);
    cr_assert(found != lines.end(), "%.*s", static_cast<int>(name.size()), name.data());
    return *found;
}

State state_of(const HostView& view, std::string_view name)
{
    auto lines = host_report(view);
    return line_of(lines, name).state;
}

} // namespace

Test(host_report, complete_host_has_no_gap)
{
    for (const auto& line : host_report(complete_host())) {
        cr_expect(line.state == State::good, "%s", line.name.c_str());
        cr_expect(line.remedy.empty() && !line.detail.empty(), "%s", line.name.c_str());
    }
}

Test(host_report, each_gap_is_a_line_with_a_remedy)
{
    struct Row {
        const char* name;
        State state;
        void (*take_away)(HostView& view);
    };
    const Row rows[] = {
        {"system calls", State::limited, [](HostView& view) { view.missing_calls = {"openat2"}; }},
        {"system calls", State::missing,
         [](HostView& view) {
             view.missing_calls = {"openat2", "clone3"};
         }},
        {"seccomp", State::missing, [](HostView& view) { view.seccomp_filters = false; }},
        {"pressure", State::limited, [](HostView& view) { view.pressure = false; }},
        {"criu", State::limited, [](HostView& view) { view.criu = false; }},
        {"layout", State::missing, [](HostView& view) { view.facts.cgroup_layout = CgroupLayout::none; }},
        {"memory", State::limited, [](HostView& view) { view.facts.cgroup_v2_controllers = {"pids"}; }},
        {"pids", State::limited, [](HostView& view) { view.facts.cgroup_v2_controllers = {"memory"}; }},
        {"swap", State::limited, [](HostView& view) { view.swap_accounting = false; }},
        {"user namespaces", State::limited, [](HostView& view) { view.most_user_namespaces = 0; }},
        {"unprivileged users", State::limited, [](HostView& view) { view.restricted_user_namespaces = true; }},
        {"subordinate ids", State::limited, [](HostView& view) { view.facts.effective_capabilities = 0; }},
        {"newuidmap", State::limited, [](HostView& view) { view.facts.effective_capabilities = 0; }},
        {"landlock", State::limited, [](HostView& view) { view.landlock_version = 0; }},
        {"labels", State::limited, [](HostView& view) { view.facts.apparmor = false; }},
        {"overlay", State::limited, [](HostView& view) { view.overlay = false; }},
        {"id-mapped mounts", State::limited, [](HostView& view) { view.missing_calls = {"mount_setattr"}; }},
        {"docker", State::limited, [](HostView& view) { view.engines[0].registered = false; }},
        {"docker", State::limited, [](HostView& view) { view.engines[0].registered.reset(); }},
    };
    for (const auto& row : rows) {
        HostView view = complete_host();
        row.take_away(view);
        auto lines = host_report(view);
        const Line& line = line_of(lines, row.name);
        cr_expect(line.state == row.state, "%s", row.name);
        cr_expect(!line.remedy.empty() && !line.detail.empty(), "%s", row.name);
    }
}

Test(host_report, an_ordinary_user_has_the_delegated_controllers_only)
{
    HostView view = complete_host();
    view.facts.effective_capabilities = 0;
    cr_expect(state_of(view, "memory") == State::limited);
    view.facts.cgroup_v2_delegated_controllers = {"memory"};
    cr_expect(state_of(view, "memory") == State::good);
    cr_expect(state_of(view, "pids") == State::limited);
}

Test(host_report, controllers_of_version_1_count)
{
    HostView view = complete_host();
    view.facts.cgroup_layout = CgroupLayout::hybrid;
    view.facts.cgroup_v2_controllers.clear();
    view.facts.cgroup_v1 = {{"/sys/fs/cgroup/memory", {"memory"}, "/"}};
    auto lines = host_report(view);
    cr_expect(line_of(lines, "memory").state == State::good);
    cr_expect(line_of(lines, "pids").state == State::limited);
}
