#include "command/verb.hpp"

#include "base/text.hpp"
#include "command/table.hpp"
#include "inspect/confinement_document.hpp"
#include "inspect/container_confinement.hpp"
#include "inspect/read_confinement.hpp"

#include <algorithm>
#include <array>

namespace brig::command {

namespace {

using inspect::Confinement;
using inspect::Finding;
using inspect::Severity;
using Rows = std::vector<std::vector<std::string>>;

constexpr std::array options = {
    Option{"pid", 0, OptionType::text, "PID", "a process instead of a container: another runtime's, too"},
    Option{"json", 0, OptionType::flag, "", "show JSON, with everything that was seen"},
    Option{"fail-on", 0, OptionType::text, "SEVERITY", "exit with 1 for a finding of low, medium, high or critical, or above"},
};

// ---- text --------------------------------------------------------------------------------------------------------------

std::string text_of(const std::vector<std::string>& items)
{
    return items.empty() ? "none" : join(items, " ");
}

std::string limit_text(const std::optional<uint64_t>& limit, const std::optional<uint64_t>& used, std::string_view unit)
{
    std::string text = limit ? fmt::format("{} {}", *limit, unit) : "no limit";
    return used ? fmt::format("{}, {} in use", text, *used) : text;
}

std::string map_text(const std::vector<inspect::IdMapping>& map)
{
    std::vector<std::string> ranges;
    for (const auto& range : map)
        ranges.push_back(fmt::format("{}->{} ({})", range.inside, range.outside, range.count));
    return ranges.empty() ? "none" : join(ranges, ", ");
}

std::string namespaces_text(const Confinement& confinement, bool own)
{
    std::vector<std::string> names;
    for (const auto& one : confinement.namespaces)
        if (one.own == own)
            names.push_back(one.name);
    return text_of(names);
}

std::string filter_text(const Confinement& confinement)
{
    const auto& process = confinement.processes.front();
    std::string text(inspect::seccomp_mode_word(process.seccomp));
    if (process.filters)
        text += fmt::format(", {} loaded", *process.filters);
    if (confinement.first_process_is_brigs)
        text = "loaded when a program starts";
    if (confinement.has_filters)
        text += fmt::format(", {} calls let through", confinement.reach.allowed.size());
    return text;
}

void add_process_rows(Rows& rows, const Confinement& confinement)
{
    const auto& process = confinement.processes.front();
    rows.push_back({"namespaces", "own: " + namespaces_text(confinement, true)});
    rows.push_back({"", "the host's: " + namespaces_text(confinement, false)});
    rows.push_back({"user", fmt::format("{}:{} on the host", process.uid, process.gid)});
    rows.push_back({"user ids", map_text(confinement.uids)});
    rows.push_back({"group ids", map_text(confinement.gids)});
    rows.push_back({"capabilities", text_of(inspect::capability_names(process.capabilities.effective))});
    rows.push_back({"bounding set", text_of(inspect::capability_names(process.capabilities.bounding))});
    rows.push_back({"no_new_privs", process.no_new_privileges ? "on" : "off"});
    rows.push_back({"seccomp", filter_text(confinement)});
    rows.push_back({"label", process.label.empty() ? "none" : process.label});
}

void add_mount_rows(Rows& rows, const Confinement& confinement)
{
    std::string title = "mounts";
    for (const auto& mount : confinement.mounts.all) {
        std::string origin = mount.host_path.empty() ? "" : fmt::format(" from {}", mount.host_path);
        rows.push_back({std::exchange(title, ""),
                        fmt::format("{} {}{} ({})", mount.entry.mount_point, mount.entry.type, origin, mount.entry.options)});
    }
    for (const auto& device : confinement.devices)
        rows.push_back({"device", fmt::format("{} {} {}:{}", device.path, device.type, device.major, device.minor)});
}

void add_surrounding_rows(Rows& rows, const Confinement& confinement)
{
    const auto& limits = confinement.limits;
    rows.push_back({"cgroup", text_of(limits.paths)});
    rows.push_back({"memory", limit_text(limits.memory, limits.memory_used, "bytes")});
    rows.push_back({"swap", limit_text(limits.swap, {}, "bytes")});
    rows.push_back({"pids", limit_text(limits.pids, limits.pids_used, "processes")});
    rows.push_back({"cpu", limit_text(limits.milli_cpus, {}, "thousandths of a processor")});
    rows.push_back({"network", "devices but lo: " + text_of(confinement.sockets.interfaces)});
    if (confinement.has_own("net"))
        for (const auto& socket : confinement.sockets.listening)
            rows.push_back({"listening", socket.protocol + " " + socket.address});
}

Rows finding_rows(const std::vector<Finding>& findings)
{
    Rows rows = {{"SEVERITY", "TOPIC", "FINDING"}};
    for (const auto& finding : findings) {
        rows.push_back({std::string(severity_word(finding.severity)), std::string(topic_word(finding.topic)), finding.detail});
        if (!finding.remedy.empty())
            rows.push_back({"", "", "  remedy: " + finding.remedy});
    }
    return rows;
}

// A container chooses names, paths and addresses: none of them moves a terminal's cursor.
std::string table_of(Rows rows)
{
    for (auto& row : rows)
        for (auto& cell : row)
            cell = one_line(cell);
    return format_table(rows);
}

std::string text_of(const Confinement& confinement, const std::vector<Finding>& findings)
{
    Rows rows;
    if (!confinement.id.empty())
        rows.push_back({"container", fmt::format("{}, {}", confinement.id, confinement.status)});
    rows.push_back({"process", inspect::process_name(confinement.processes.front())});
    if (!confinement.policies.empty())
        rows.push_back({"policies", text_of(confinement.policies)});
    add_process_rows(rows, confinement);
    add_surrounding_rows(rows, confinement);
    add_mount_rows(rows, confinement);
    return table_of(rows) + "\n" + table_of(finding_rows(findings));
}

// ---- the verb ----------------------------------------------------------------------------------------------------------

Result<Confinement> read(const Invocation& invocation)
{
    auto pid = invocation.arguments.text_if_given("pid");
    if (pid.has_value() == !invocation.arguments.operands().empty())
        return failure(
            Error(ErrorKind::invalid, "brig inspect takes a container or --pid").with_hint("brig list shows containers"));
    if (!pid)
        return inspect::read_container_confinement(TRY(invocation.query_context()), invocation.operand(0));
    auto number = parse_unsigned(*pid);
    if (!number || *number == 0 || *number > std::numeric_limits<pid_t>::max())
        return failure(ErrorKind::invalid, fmt::format("{} is no process id", quoted(*pid)));
    return inspect::read_confinement({.pid = static_cast<pid_t>(*number)}, TRY(kernel::read_host_facts()));
}

Result<std::optional<Severity>> failing_severity(const Arguments& arguments)
{
    auto word = arguments.text_if_given("fail-on");
    if (!word)
        return std::optional<Severity>();
    auto severity = inspect::find_severity(*word);
    if (!severity || *severity < Severity::low)
        return failure(Error(ErrorKind::invalid, fmt::format("unknown severity {}", quoted(*word)))
                           .with_hint("low, medium, high or critical"));
    return severity;
}

Result<int> run(const Invocation& invocation)
{
    auto failing = TRY(failing_severity(invocation.arguments));
    auto confinement = TRY(read(invocation));
    auto findings = inspect::judge(confinement);
    bool json = invocation.arguments.flag("json");
    TRY(print(json ? confinement_document(confinement, findings).to_text(true) + "\n" : text_of(confinement, findings)));
    return failing && std::ranges::any_of(findings, [&](const auto& finding) { return finding.severity >= *failing; }) ? 1 : 0;
}

} // namespace

constinit const Verb inspect_verb = {
    .name = "inspect",
    .summary = "show what a container is really confined by, and what is weak",
    .usage = "[options] CONTAINER | --pid PID",
    .description =
        "Asks the kernel, not the configuration: namespaces, ids, capabilities, filters, mounts, limits and sockets of\n"
        "the container as it runs now. Every topic of a container audit gets an answer, the worst first.\n"
        "Nothing in the container is changed, stopped or entered.",
    .example = "  brig inspect web\n"
               "  brig inspect --fail-on high web\n"
               "  brig inspect --pid $(docker inspect -f '{{.State.Pid}}' web)",
    .options = options,
    .most_operands = 1,
    .run = run,
    .keeps_stderr_clean = true,
};

} // namespace brig::command
