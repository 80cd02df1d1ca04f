#include "container/exec.hpp"

#include "base/text.hpp"
#include "container/creation.hpp"
#include "container/policies.hpp"
#include "container/state_store.hpp"
#include "kernel/child_process.hpp"
#include "kernel/files.hpp"
#include "kernel/procfs.hpp"
#include "kernel/sockets.hpp"
#include "launch/process_start.hpp"
#include "plan/make_plan.hpp"
#include "setup/intel_rdt.hpp"
#include "spec/check_spec.hpp"
#include "spec/read_spec.hpp"
#include "spec/vocabulary.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <sched.h>

namespace brig::container {

namespace {

Result<uint32_t> parse_id(std::string_view text, std::string_view whole)
{
    constexpr uint64_t largest = UINT32_MAX - 1; // -1 means "no change" to the kernel
    auto id = parse_unsigned(text);
    if (!id || *id > largest)
        return failure(
            Error(ErrorKind::invalid, fmt::format("--user {}: {} is not a user or group ID", quoted(whole), quoted(text)))
                .with_hint("give numbers, uid[:gid], from 0 to 4294967294"));
    return static_cast<uint32_t>(*id);
}

// A user without a group keeps the container's group, as with runc (CVE-2026-30892: never fall back to 0).
Result<> apply_user(spec::User& user, const std::string& text)
{
    auto colon = text.find(':');
    user.uid = TRY(parse_id(std::string_view(text).substr(0, colon), text));
    if (colon != std::string::npos)
        user.gid = TRY(parse_id(std::string_view(text).substr(colon + 1), text));
    return {};
}

void add_missing(std::vector<std::string>& names, const std::vector<std::string>& more)
{
    for (const auto& name : more)
        if (std::find(names.begin(), names.end(), name) == names.end())
            names.push_back(name);
}

// Never inheritable: with it, file capabilities would raise what the user did not ask for (CVE-2022-29162).
void add_capabilities(spec::Process& process, const std::vector<std::string>& names)
{
    if (names.empty())
        return;
    if (!process.capabilities)
        process.capabilities.emplace();
    add_missing(process.capabilities->bounding, names);
    add_missing(process.capabilities->effective, names);
    add_missing(process.capabilities->permitted, names);
}

Result<spec::Process> wanted_process(const ExecRequest& request, const spec::Spec& container)
{
    if (request.process_text) {
        auto process = TRY(spec::read_process(*request.process_text));
        process.no_new_privileges = process.no_new_privileges || request.no_new_privileges;
        return process;
    }
    spec::Process process = *container.process;
    process.args = request.args;
    process.terminal = request.terminal;
    process.env.insert(process.env.end(), request.env.begin(), request.env.end());
    if (!request.cwd.empty())
        process.cwd = request.cwd;
    if (request.user)
        TRY(apply_user(process.user, *request.user));
    process.user.additional_gids.insert(process.user.additional_gids.end(), request.additional_gids.begin(),
                                        request.additional_gids.end());
    add_capabilities(process, request.capabilities);
    process.apparmor_profile = request.apparmor_profile.value_or(process.apparmor_profile);
    process.selinux_label = request.selinux_label.value_or(process.selinux_label);
    process.no_new_privileges = process.no_new_privileges || request.no_new_privileges;
    return process;
}

Result<plan::Process> plan_process(const ExecRequest& request, const spec::Spec& container, const Record& record,
                                   const std::vector<policy::Policy>& policies)
{
    spec::Process wanted = TRY(wanted_process(request, container));
    // Whatever the caller asks for (docker exec --privileged): the container's policies hold for it.
    TRY(apply_kept_policies(policies, wanted));
    TRY(spec::check_process(wanted));
    HostFacts facts = TRY(kernel::read_host_facts());
    plan::Process process = TRY(plan::make_process_plan(wanted, facts, (record.namespaces & CLONE_NEWUSER) != 0));
    process.env.insert(process.env.end(), request.listen_environment.begin(), request.listen_environment.end());
    process.env = plan::deduplicated_environment(process.env);
    process.preserved_fds = request.preserved_fds;
    if (!process.console_size)
        process.console_size = request.console_size;
    process.landlock = landlock_rules(policies);
    process.personality = container.linux->personality;
    process.new_session_keyring = record.own_keyring;
    return process;
}

Result<> check_terminal_request(const plan::Process& process, const ExecRequest& request)
{
    bool has_taker = request.console_socket.valid() || request.terminal_to_caller;
    if (process.terminal && !has_taker)
        return failure(Error(ErrorKind::invalid, "the process wants a terminal, but nobody takes it")
                           .with_hint("give --console-socket, or exec in the foreground"));
    if (!process.terminal && request.console_socket.valid())
        return failure(Error(ErrorKind::invalid, "--console-socket was given, but the process has no terminal")
                           .with_hint("add --tty or leave the option out"));
    return {};
}

Result<> check_status(Status status, const ExecRequest& request)
{
    if (status == Status::stopped)
        return failure(ErrorKind::wrong_state, "cannot exec in a stopped container");
    if (status == Status::creating)
        return failure(ErrorKind::wrong_state, "cannot exec in a container that is still being created");
    if (status == Status::paused && !request.ignore_paused)
        return failure(
            Error(ErrorKind::wrong_state, "cannot exec in a paused container").with_hint("resume it or use --ignore-paused"));
    return {};
}

// "--cgroup [controllers:]path": a cgroup below the container's that exists already, in the named hierarchies or in all.
Result<cgroup::Cgroup> cgroup_for(const Record& record, const std::vector<std::string>& requests)
{
    auto locations = record.cgroups;
    for (const auto& request : requests) {
        auto colon = request.find(':');
        std::string path = colon == std::string::npos ? request : request.substr(colon + 1);
        auto controllers = split(std::string_view(request).substr(0, colon == std::string::npos ? 0 : colon), ',');
        for (auto& location : locations) {
            bool named = std::any_of(controllers.begin(), controllers.end(), [&](auto controller) {
                return controller.empty()
                       || std::find(location.controllers.begin(), location.controllers.end(), controller)
                              != location.controllers.end();
            });
            if (named)
                location = TRY(cgroup::Cgroup::at({location}).below(path)).locations()[0];
        }
    }
    return cgroup::Cgroup::at(std::move(locations));
}

Result<> announce(const ExecRequest& request, const launch::Launched& launched)
{
    if (request.pidfd_socket.valid())
        TRY(kernel::send_message(request.pidfd_socket, "0", {launched.pidfd.get()}));
    if (!request.pid_file.empty())
        TRY_DURING("write the pid file", write_pid_file(request.pid_file, launched.pid));
    return {};
}

// Until it is the container's program, the init is closed to everybody but the host's root.
Error explain_created(Error error, Status status)
{
    if (status != Status::created || error.code() != EPERM)
        return error;
    return std::move(error).with_hint("without root a created container cannot be entered: start it first");
}

} // namespace

Result<launch::Launched> exec(const Context& context, const std::string& id, ExecRequest request)
{
    StateDirectory directory = TRY(StateStore(context.state_root).open(id, Locking::none));
    Record record = TRY(directory.read_record());
    Status status = TRY(status_of(directory, record));
    TRY(check_status(status, request));
    spec::Spec container = TRY(spec::read_spec(TRY(directory.read_file("config.json"))));
    auto policies = TRY(kept_policies(directory, record));
    plan::Process process = TRY(plan_process(request, container, record, policies));
    TRY(check_terminal_request(process, request));
    Fd init = TRY(open_init(record));
    auto group = TRY(cgroup_for(record, request.cgroups));
    launch::ExecLaunchRequest launch_request{.process = process, .id = id, .cgroup = group};
    launch_request.init_pidfd = init;
    launch_request.follow_init = request.cgroups.empty() ? record.pid : 0;
    launch_request.namespaces = record.namespaces;
    if (record.unit && request.cgroups.empty())
        launch_request.attach = [&](pid_t moved) -> Result<> {
            auto systemd = TRY(cgroup::SystemdManager::connect(record.unit->of_user, context.session));
            return systemd.attach(record.unit->name, moved);
        };
    launch_request.console_socket = request.console_socket;
    launch_request.terminal_to_caller = request.terminal_to_caller;
    if (container.linux->seccomp) {
        launch_request.filters.push_back(TRY(launch::decode_program(TRY(directory.read_file("seccomp.bpf")))));
        launch_request.seccomp_spec = &*container.linux->seccomp;
        launch_request.hook_state = [&](pid_t, launch::HookMoment) { return hook_state(record, Status::running).to_text(); };
    }
    for (auto& filter : TRY(kept_policy_filters(directory, policies)))
        launch_request.filters.push_back(std::move(filter));
    auto begun = launch::launch_exec(launch_request, context.log);
    if (!begun)
        return failure(explain_created(std::move(begun).error(), status));
    launch::Launched launched = std::move(*begun);
    auto running = setup::join_resctrl_groups(record.resctrl, launched.pid);
    if (running)
        running = announce(request, launched);
    if (running)
        running = launched.start();
    if (!running) {
        (void)kernel::pidfd_send_signal(launched.pidfd, SIGKILL);
        (void)kernel::wait_for(launched.pid);
        return failure(std::move(running).error());
    }
    return launched;
}

} // namespace brig::container
