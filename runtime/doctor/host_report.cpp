#include "doctor/host_report.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <array>

namespace brig::doctor {

namespace {

using Lines = std::vector<Line>;

class Section {
public:
    Section(Lines& lines, std::string name) : m_lines(lines), m_name(std::move(name)) {}

    void good(std::string name, std::string detail)
    {
        m_lines.push_back({m_name, std::move(name), State::good, std::move(detail), {}});
    }
    void gap(State state, std::string name, std::string detail, std::string remedy)
    {
        m_lines.push_back({m_name, std::move(name), state, std::move(detail), std::move(remedy)});
    }
    void either(bool there, std::string name, std::string detail, std::string otherwise, std::string remedy)
    {
        if (there)
            good(std::move(name), std::move(detail));
        else
            gap(State::limited, std::move(name), std::move(otherwise), std::move(remedy));
    }

private:
    Lines& m_lines;
    std::string m_name;
};

void report_calls(const std::vector<std::string>& missing, Section& section)
{
    const std::string remedy = "use Linux 5.12 or later, outside of a container whose filter hides them";
    std::string detail = "missing: " + join(missing, ", ");
    if (missing.empty())
        section.good("system calls", "all that brig uses");
    else if (missing == std::vector<std::string>{"openat2"})
        section.gap(State::limited, "system calls", detail + "; paths are resolved step by step instead", remedy);
    else
        section.gap(State::missing, "system calls", detail, remedy);
}

void report_kernel(const HostView& view, Lines& lines)
{
    Section section(lines, "kernel");
    section.good("release", view.facts.kernel_release);
    report_calls(view.missing_calls, section);
    if (view.seccomp_filters)
        section.good("seccomp", view.seccomp_notify ? "filters and listeners" : "filters");
    else
        section.gap(State::missing, "seccomp", "the kernel takes no filters", "use a kernel with CONFIG_SECCOMP_FILTER");
    section.either(view.pressure, "pressure", "events tell of stalls (PSI)", "events have no pressure", "boot with psi=1");
    section.either(view.criu, "criu", "checkpoint and restore", "no checkpoint and no restore", "install criu");
}

std::string layout_text(CgroupLayout layout)
{
    switch (layout) {
    case CgroupLayout::none: return "none";
    case CgroupLayout::v1: return "v1";
    case CgroupLayout::hybrid: return "hybrid";
    case CgroupLayout::v2: return "v2";
    }
    return "unknown";
}

// Those whose limits this caller can set.
std::vector<std::string> usable_controllers(const HostFacts& facts)
{
    std::vector<std::string> names;
    if (!facts.is_privileged())
        return facts.cgroup_v2_delegated_controllers;
    names = facts.cgroup_v2_controllers;
    for (const auto& hierarchy : facts.cgroup_v1)
        names.insert(names.end(), hierarchy.controllers.begin(), hierarchy.controllers.end());
    return names;
}

void report_cgroups(const HostView& view, Lines& lines)
{
    const HostFacts& facts = view.facts;
    Section section(lines, "cgroups");
    if (facts.cgroup_layout == CgroupLayout::none) {
        section.gap(State::missing, "layout", "no cgroup file system is mounted", "mount -t cgroup2 cgroup2 /sys/fs/cgroup");
        return;
    }
    section.good("layout", layout_text(facts.cgroup_layout));
    auto usable = usable_controllers(facts);
    auto has = [&](std::string_view name) { return std::ranges::find(usable, name) != usable.end(); };
    std::string remedy =
        facts.is_privileged()
            ? "enable the controller at boot, or let the outer container have it"
            : "systemd delegates it: set Delegate=cpu cpuset io memory pids for user@.service (docs/rootless.md)";
    for (auto [name, limit] : {std::pair{"memory", "memory"}, {"pids", "processes"}, {"cpu", "processor time"}})
        section.either(has(name), name, fmt::format("limits of {}", limit), fmt::format("no limits of {}", limit), remedy);
    section.either(has("io") || has("blkio"), "io", "limits of disks", "no limits of disks", remedy);
    section.either(view.swap_accounting, "swap", "limits of swap", "a memory limit does not bound swap",
                   "boot with swapaccount=1, or run without swap");
}

void report_identity(const HostView& view, Lines& lines)
{
    const HostFacts& facts = view.facts;
    Section section(lines, "users");
    section.good("caller", facts.is_privileged() ? "the host's root" : "without privilege: user namespaces stand in for it");
    section.either(view.most_user_namespaces > 0, "user namespaces", "can be made", "user.max_user_namespaces is 0",
                   "sysctl user.max_user_namespaces=15000");
    section.either(!view.restricted_user_namespaces, "unprivileged users", "may make user namespaces",
                   "may not make user namespaces: no rootless containers",
                   "sysctl kernel.unprivileged_userns_clone=1, or kernel.apparmor_restrict_unprivileged_userns=0");
    section.either(facts.time_namespaces, "time namespaces", "can be made", "not in this kernel", "use Linux 5.6 or later");
    if (facts.is_privileged())
        return;
    const SubordinateIds& ids = facts.subordinate_ids;
    bool ranges = !ids.uids.empty() && !ids.gids.empty();
    section.either(ranges || ids.elsewhere, "subordinate ids", "more than one user in a container", "one user in a container",
                   "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER");
    section.either(!ids.newuidmap.empty() && !ids.newgidmap.empty(), "newuidmap", "installed", "not installed", "install uidmap");
}

void report_security(const HostView& view, Lines& lines)
{
    Section section(lines, "security modules");
    section.either(view.landlock_version > 0, "landlock", fmt::format("version {}", view.landlock_version),
                   "policies with Landlock rules are refused", "boot with landlock in lsm=");
    if (view.facts.apparmor || view.facts.selinux)
        section.good("labels", view.facts.apparmor ? "AppArmor" : "SELinux");
    else
        section.gap(State::limited, "labels", "neither AppArmor nor SELinux", "boot with apparmor=1 security=apparmor");
}

void report_files(const HostView& view, Lines& lines)
{
    Section section(lines, "file systems");
    section.either(view.overlay, "overlay", "images are stacked, not copied", "brig run --image needs it", "modprobe overlay");
    bool idmap = std::ranges::find(view.missing_calls, "mount_setattr") == view.missing_calls.end();
    section.either(idmap, "id-mapped mounts", "where the file system takes part", "refused", "use Linux 5.12 or later");
    section.either(!view.facts.resctrl_mount_point.empty(), "resctrl", view.facts.resctrl_mount_point,
                   "linux.intelRdt is refused", "mount -t resctrl resctrl /sys/fs/resctrl, where the processor has it");
}

void report_engines(const HostView& view, Lines& lines)
{
    Section section(lines, "engines");
    for (const auto& engine : view.engines) {
        std::string command = "tools/register-" + engine.name;
        if (!engine.installed)
            section.good(engine.name, "not installed");
        else if (!engine.registered)
            section.gap(State::limited, engine.name, engine.settings + " cannot be read", "run brig doctor as root");
        else
            section.either(*engine.registered, engine.name, "brig is in " + engine.settings, "brig is not in " + engine.settings,
                           command);
    }
}

} // namespace

std::string_view state_word(State state)
{
    switch (state) {
    case State::good: return "ok";
    case State::limited: return "limited";
    case State::missing: return "missing";
    }
    return "missing";
}

std::vector<Line> host_report(const HostView& view)
{
    Lines lines;
    for (auto* part : {report_kernel, report_cgroups, report_identity, report_security, report_files, report_engines})
        part(view, lines);
    return lines;
}

} // namespace brig::doctor
