#include "launch/id_maps.hpp"

#include "base/text.hpp"
#include "kernel/child_process.hpp"
#include "kernel/namespaces.hpp"

#include <cerrno>

namespace brig::launch {

namespace {

std::string id_map_lines(const std::vector<spec::IdMapping>& mappings)
{
    std::string lines;
    for (const auto& mapping : mappings)
        lines += fmt::format("{} {} {}\n", mapping.container_id, mapping.host_id, mapping.size);
    return lines;
}

Result<> run_mapper(const std::string& program, pid_t pid, const std::vector<spec::IdMapping>& mappings)
{
    kernel::SpawnRequest request;
    request.path = program;
    request.args = {program, std::to_string(pid)};
    for (const auto& mapping : mappings)
        for (uint32_t number : {mapping.container_id, mapping.host_id, mapping.size})
            request.args.push_back(std::to_string(number));
    // Nothing of the caller's environment: this program runs as root.
    request.environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"};
    request.timeout_milliseconds = 10000; // it may ask a directory service
    auto outcome = TRY(kernel::run_program(request));
    if (!outcome.timed_out && !outcome.status.signaled && outcome.status.value == 0)
        return {};
    std::string how = outcome.timed_out         ? "did not end within 10 s"
                      : outcome.status.signaled ? fmt::format("was killed by signal {}", outcome.status.value)
                                                : fmt::format("failed with exit code {}", outcome.status.value);
    return failure(Error(ErrorKind::system, fmt::format("{} {}: {}", program, how, one_line(trim(outcome.output))))
                       .with_hint("are the mappings within /etc/subuid and /etc/subgid, and is the program setuid root (or has "
                                  "it CAP_SETUID as a file capability)? NoNewPrivileges= of a service and nosuid mounts take "
                                  "that away"));
}

Error explain_refusal(Error error)
{
    if (error.code() != EPERM && error.code() != EACCES)
        return error;
    return std::move(error).with_hint("the host may restrict user namespaces of ordinary users: "
                                      "sysctl kernel.apparmor_restrict_unprivileged_userns=0 or an AppArmor profile for brig, or "
                                      "run as root");
}

} // namespace

Result<> write_id_maps(pid_t pid, const plan::Namespaces& namespaces, bool deny_setgroups)
{
    bool own_uids = namespaces.host_newuidmap.empty();
    bool own_gids = namespaces.host_newgidmap.empty();
    if (!own_uids)
        TRY_DURING("map user IDs", run_mapper(namespaces.host_newuidmap, pid, namespaces.uid_mappings));
    if (!own_gids)
        TRY_DURING("map group IDs", run_mapper(namespaces.host_newgidmap, pid, namespaces.gid_mappings));
    auto written = kernel::write_id_maps(pid, own_uids ? id_map_lines(namespaces.uid_mappings) : "",
                                         own_gids ? id_map_lines(namespaces.gid_mappings) : "", own_gids && deny_setgroups);
    if (!written)
        return failure(explain_refusal(std::move(written).error()).during("map user and group IDs"));
    return {};
}

} // namespace brig::launch
