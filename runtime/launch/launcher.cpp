#include "launch/launcher.hpp"

#include "base/rollback.hpp"
#include "base/text.hpp"
#include "kernel/child_process.hpp"
#include "kernel/files.hpp"
#include "kernel/process.hpp"
#include "kernel/sockets.hpp"
#include "launch/container_init.hpp"
#include "launch/id_maps.hpp"
#include "launch/init_guard.hpp"
#include "launch/launchers_limits.hpp"
#include "launch/process_start.hpp"
#include "launch/seccomp_listener.hpp"
#include "launch/spawn.hpp"
#include "setup/hooks.hpp"
#include "setup/intel_rdt.hpp"
#include "setup/root_filesystem.hpp"

#include <sched.h>

namespace brig::launch {

namespace {

plan::Cgroup part_of(const plan::Cgroup& plan, bool unified)
{
    plan::Cgroup part = plan;
    std::erase_if(part.directories, [&](const auto& directory) { return directory.unified != unified; });
    part.filter_devices = plan.filter_devices && unified;
    return part;
}

// The launcher's half of the conversation.
class Conductor {
public:
    Conductor(const LaunchRequest& request, const Log& log, LaunchOutcome& outcome)
        : m_request(request), m_log(log), m_outcome(outcome), m_launched(outcome.launched), m_cgroup(outcome.cgroup),
          m_conversation(conversation_of(request.plan, false))
    {
    }

    Result<> conduct()
    {
        auto sent = provide();
        if (!sent && !explains_better(m_launched.pidfd, sent.error()))
            return sent;
        return listen();
    }

private:
    // Everything that the init will need and that does not wait for it, in the order in which it reads.
    Result<> provide()
    {
        const plan::Plan& plan = m_request.plan;
        if (m_request.keep_network) {
            m_launched.network_namespace = TRY(open_network_namespace());
            m_launched.user_namespace = TRY(open_namespace("user"));
        }
        if (m_conversation.user_namespace) {
            if (plan.namespaces.has_new(CLONE_NEWUSER))
                TRY(write_id_maps(m_launched.pid, plan.namespaces, !plan.process.set_groups));
            TRY(apply_launchers_limits(m_launched.pid, plan.process));
            TRY(m_launched.channel.send(MessageKind::ids_mapped));
        }
        // Before the init is told of its cgroup: hooks and sysctls of it come after that.
        if (!plan.net_devices.empty())
            m_outcome.net_devices = TRY(setup::MovedNetDevices::move(plan.net_devices, TRY(open_network_namespace())));
        if (plan.intel_rdt) {
            TRY(setup::make_resctrl_groups(*plan.intel_rdt));
            TRY(setup::join_resctrl_groups(plan.intel_rdt->directories(), m_launched.pid));
        }
        TRY(provide_cgroup());
        if (plan.has_filters())
            TRY(provide_filters());
        if (!m_conversation.root_ready)
            TRY(send_filters());
        return {};
    }

    Result<Fd> open_namespace(const char* name) const
    {
        return kernel::open_at(kernel::working_directory, fmt::format("/proc/{}/ns/{}", m_launched.pid, name), O_RDONLY);
    }

    Result<Fd> open_network_namespace() const
    {
        for (const auto& join : m_request.plan.namespaces.joins)
            if (join.type == spec::NamespaceType::network)
                return kernel::open_at(kernel::working_directory, join.host_path, O_RDONLY);
        return open_namespace("net");
    }

    // systemd moves the init into a scope, while that mounts what needs no cgroup; the limits follow.
    Result<> provide_unit(const plan::SystemdUnit& unit)
    {
        TRY(m_request.start_unit(m_launched.pid));
        m_cgroup = TRY(cgroup::Cgroup::create(m_request.plan.cgroup));
        if (!unit.is_slice())
            TRY(m_cgroup.check_member(m_launched.pid));
        return send_join_files(!unit.is_slice());
    }

    Result<> provide_cgroup()
    {
        if (m_request.plan.cgroup.unit)
            return provide_unit(*m_request.plan.cgroup.unit);
        auto legacy = TRY(cgroup::Cgroup::create(part_of(m_request.plan.cgroup, false)));
        auto locations = m_cgroup.locations();
        locations.insert(locations.end(), legacy.locations().begin(), legacy.locations().end());
        m_cgroup = cgroup::Cgroup::at(std::move(locations));
        return send_join_files(true);
    }

    Result<> send_join_files(bool is_in_unified)
    {
        if (auto owner = m_request.plan.cgroup.owner)
            TRY_DURING("give the cgroup to the container's user", m_cgroup.delegate(*owner));
        auto files = TRY(m_cgroup.open_join_files(is_in_unified));
        std::vector<int> numbers;
        for (const auto& file : files)
            numbers.push_back(file.get());
        return m_launched.channel.send(MessageKind::cgroup_ready, {}, numbers);
    }

    Result<> provide_filters()
    {
        m_filters = TRY(m_request.filters_for(m_request.plan));
        for (const auto& filter : m_filters) {
            m_conversation.seccomp_listener |= filter.notifies;
            for (const auto& name : filter.skipped_system_calls)
                m_log.debug(fmt::format("seccomp: system call {} is unknown here and was skipped", quoted(name)));
        }
        return {};
    }

    Result<> send_filters()
    {
        if (m_filters.empty())
            return {};
        return m_launched.channel.send(MessageKind::seccomp_program, encode_programs(m_filters));
    }

    Result<> listen()
    {
        Sequence sequence(m_conversation);
        while (!sequence.finished()) {
            auto message = TRY(m_launched.channel.receive());
            if (!message)
                return init_ended(m_launched.pidfd);
            if (message->kind == MessageKind::failed)
                return failure(decode_error(message->payload));
            if (message->kind == MessageKind::warning) {
                m_log.warning(message->payload);
                continue;
            }
            TRY(sequence.accept(message->kind));
            TRY(answer(*message));
        }
        return {};
    }

    Result<> answer(Received& message)
    {
        if (message.kind == MessageKind::mount_source_needed)
            return provide_mount_source(message.payload);
        if (message.kind == MessageKind::root_ready)
            return run_runtime_hooks();
        if (message.kind == MessageKind::seccomp_listener && message.fds.size() == 1)
            return forward_listener(*m_request.plan.seccomp, message.fds[0], m_launched.pid, m_request.hook_state);
        if (message.kind == MessageKind::ready && message.fds.size() == 1)
            m_launched.terminal = std::move(message.fds[0]);
        return {};
    }

    Result<> provide_mount_source(const std::string& payload)
    {
        const auto& mounts = m_request.plan.root.mounts;
        auto index = TRY(parse_unsigned(payload));
        if (index >= mounts.size())
            return failure(ErrorKind::internal, fmt::format("the init asked for mount {} of {}", index, mounts.size()));
        Fd source = TRY(setup::make_host_source(mounts[index], m_request.plan.root.mount_label));
        return m_launched.channel.send(MessageKind::mount_source, {}, {source.get()});
    }

    Result<> run_runtime_hooks()
    {
        const spec::Hooks& hooks = m_request.plan.hooks;
        std::string state = m_request.hook_state(m_launched.pid, HookMoment::create);
        const std::string& bundle = m_request.plan.host_bundle;
        TRY(setup::run_hooks({"prestart", state, bundle}, hooks.prestart));
        TRY(setup::run_hooks({"createRuntime", state, bundle}, hooks.create_runtime));
        TRY(m_launched.channel.send(MessageKind::hooks_done));
        return send_filters();
    }

    const LaunchRequest& m_request;
    const Log& m_log;
    LaunchOutcome& m_outcome;
    Launched& m_launched;
    cgroup::Cgroup& m_cgroup;
    Conversation m_conversation;
    std::vector<setup::SeccompProgram> m_filters;
};

Result<Launched> spawn_init(const LaunchRequest& request, const cgroup::Cgroup& unified)
{
    auto [own_end, init_end] = TRY(kernel::sequenced_socket_pair());
    Fd cgroup_directory = TRY(unified.open_unified_directory());
    SpawnPlan spawn{.namespaces = &request.plan.namespaces,
                    .cgroup = cgroup_directory,
                    .child_of_callers_parent = request.child_of_callers_parent};
    auto spawned = spawn_child(spawn, [&, end = &init_end](bool namespaces_joined) {
        run_container_init(InitRequest{.plan = request.plan,
                                       .conversation = conversation_of(request.plan, false),
                                       .channel = Channel(std::move(*end)),
                                       .start_listener = request.start_listener,
                                       .until_execve = request.until_execve,
                                       .console_socket = request.console_socket,
                                       .terminal_to_caller = request.terminal_to_caller,
                                       .join_namespaces = !namespaces_joined,
                                       .hook_state = request.hook_state,
                                       .resident = request.resident});
    });
    if (!spawned)
        return failure(unified.explain_join_failure(std::move(spawned).error()));
    return Launched{spawned->pid, std::move(spawned->pidfd), Fd(), Channel(std::move(own_end))};
}

} // namespace

Result<> Launched::start()
{
    TRY(channel.send(MessageKind::start));
    return wait_for_execve(channel);
}

Result<std::vector<Fd>> Launched::start_resident()
{
    TRY(channel.send(MessageKind::start));
    auto answer = TRY(channel.receive());
    if (!answer)
        return init_ended(pidfd);
    if (answer->kind == MessageKind::failed)
        return failure(decode_error(answer->payload));
    if (answer->kind != MessageKind::resident)
        return failure(ErrorKind::internal, fmt::format("the init said {} after start", message_name(answer->kind)));
    return std::move(answer->fds);
}

Result<> wait_for_execve(const Channel& channel)
{
    auto answer = TRY(channel.receive());
    if (!answer)
        return {}; // closed by execve
    if (answer->kind == MessageKind::failed)
        return failure(decode_error(answer->payload));
    return failure(ErrorKind::internal, fmt::format("the init said {} after start", message_name(answer->kind)));
}

Result<LaunchOutcome> launch(const LaunchRequest& request, const Log& log)
{
    LaunchOutcome outcome;
    Rollback undo;
    // A unit of systemd needs the init before there is a cgroup.
    if (!request.plan.cgroup.unit)
        outcome.cgroup = TRY(cgroup::Cgroup::create(part_of(request.plan.cgroup, true)));
    undo.add([&] {
        constexpr int64_t patience = 5000;
        (void)outcome.cgroup.remove(patience);
        if (request.plan.intel_rdt)
            (void)setup::remove_resctrl_groups(request.plan.intel_rdt->own_directories());
        if (outcome.net_devices)
            outcome.net_devices->take_back();
    });
    outcome.launched = TRY(spawn_init(request, outcome.cgroup));
    InitGuard guard(outcome.launched.pidfd, outcome.launched.pid, !request.child_of_callers_parent);
    if (request.on_cloned)
        TRY(request.on_cloned(outcome.launched.pid));
    TRY(Conductor(request, log, outcome).conduct());
    guard.keep();
    undo.keep();
    return outcome;
}

} // namespace brig::launch
