#include "base/text.hpp"
#include "plan/make_plan.hpp"

#include <algorithm>

namespace brig::plan {

namespace {

std::string_view resource_of(std::string_view line)
{
    return trim(line.substr(0, line.find(':')));
}

void add_line(std::vector<std::string>& lines, std::string_view line)
{
    if (!trim(line).empty())
        lines.emplace_back(trim(line));
}

// A line of `schemata` replaces the older properties' lines for the same resource: the kernel refuses a resource twice.
std::vector<std::string> schemata_lines(const spec::IntelRdt& asked)
{
    std::vector<std::string> lines;
    for (auto line : split(asked.l3_cache_schema, '\n'))
        if (asked.mem_bw_schema.empty() || resource_of(line) != "MB")
            add_line(lines, line);
    add_line(lines, asked.mem_bw_schema);
    for (const auto& line : asked.schemata)
        std::erase_if(lines, [&](const std::string& older) { return resource_of(older) == resource_of(line); });
    for (const auto& line : asked.schemata)
        add_line(lines, line);
    return lines;
}

} // namespace

Result<IntelRdt> plan_intel_rdt(const spec::IntelRdt& asked, const std::string& id, const HostFacts& facts)
{
    if (facts.resctrl_mount_point.empty())
        return failure(
            Error(ErrorKind::not_supported, "linux.intelRdt: no resctrl file system is mounted at /sys/fs/resctrl")
                .with_hint("mount -t resctrl resctrl /sys/fs/resctrl, where the processor has it; or remove intelRdt"));
    if (asked.enable_monitoring && !facts.resctrl_monitoring)
        return failure(
            Error(ErrorKind::not_supported, "linux.intelRdt.enableMonitoring: this processor or kernel does not monitor")
                .with_hint("remove enableMonitoring"));
    IntelRdt planned;
    planned.schemata = schemata_lines(asked);
    planned.own = asked.clos_id.empty();
    planned.directory = facts.resctrl_mount_point;
    if (asked.clos_id != "/")
        planned.directory = join_path(planned.directory, planned.own ? id : asked.clos_id);
    planned.may_make = planned.own || (asked.clos_id != "/" && !planned.schemata.empty());
    if (asked.enable_monitoring)
        planned.monitoring_directory = join_path(join_path(planned.directory, "mon_groups"), id);
    return planned;
}

} // namespace brig::plan
